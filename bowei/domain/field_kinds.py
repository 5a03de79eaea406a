"""Every way in which one field of a request is wrong: a stable code, and its words in zh and en."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class FieldKind:
    """One way in which a field is wrong, and what it says in each language."""

    code: str
    en: str
    zh: str


_FIELD_CATALOGUE = (
    # Form
    FieldKind("missing_field", "This field is needed.", "缺少此字段。"),
    FieldKind("unknown_field", "There is no such field. Remove it.", "没有此字段，请删除。"),
    FieldKind("wrong_type", "This is of another JSON type than expected.", "JSON 类型不符。"),
    FieldKind("out_of_range", "This number is out of range.", "数值超出范围。"),
    FieldKind("wrong_length", "This is too short or too long.", "长度过短或过长。"),
    FieldKind("unknown_option", "This is not one of the options.", "不在可选值之内。"),
    FieldKind(
        "bad_id",
        "An id is 1 to 64 of A-Z a-z 0-9 . _ : - and starts with a letter or digit.",
        "编号须为 1 至 64 个字符（A-Z a-z 0-9 . _ : -），且以字母或数字开头。",
    ),
    FieldKind("bad_text", "This text has characters that are not allowed.", "文本含有不允许的字符。"),
    FieldKind("bad_value", "This value is not valid.", "该值无效。"),
    FieldKind("yaml_syntax", "The YAML can't be read here.", "此处 YAML 无法解析。"),
    FieldKind("duplicate_key", "A key is said twice, or is no text.", "键重复，或不是文本。"),
    FieldKind("yaml_alias", "Anchors and aliases are not taken. Write it out.", "不支持锚点与别名，请完整写出。"),
    FieldKind("xml_syntax", "The XML can't be read here.", "此处 XML 无法解析。"),
    FieldKind(
        "xml_forbidden",
        "No DTD and no entities are taken. Leave them out.",
        "不接受 DTD 与实体，请删除。",
    ),
    FieldKind("xml_too_deep", "Elements are nested too deep.", "元素嵌套过深。"),
    FieldKind("duplicate_id", "This id occurs twice.", "编号重复。"),
    # Times
    FieldKind(
        "bad_time",
        "Write times as RFC 3339, such as 2026-03-02T00:30:03Z.",
        "时间请按 RFC 3339 书写，如 2026-03-02T00:30:03Z。",
    ),
    FieldKind(
        "naive_time",
        "The time has no offset. Append Z or an offset such as +08:00.",
        "时间缺少时区，请加 Z 或 +08:00 等偏移。",
    ),
    FieldKind(
        "future_time", "The time lies in the future. Check the sender's clock.", "时间在未来，请检查上报端时钟。"
    ),
    FieldKind(
        "waited_without_time",
        "This may have waited at the broker and says no time of its own. Send one.",
        "该消息可能已在代理中滞留且未带时间，请携带上报时间。",
    ),
    FieldKind(
        "bad_timezone",
        "This is no IANA time zone. Write one such as Asia/Shanghai.",
        "不是 IANA 时区，请写如 Asia/Shanghai。",
    ),
    # Places
    FieldKind("missing_datum", "Say the datum: wgs84, gcj02 or bd09.", "请注明坐标系：wgs84、gcj02 或 bd09。"),
    FieldKind("swapped_axes", "Latitude and longitude seem to be swapped.", "经纬度似乎颠倒。"),
    FieldKind("metres_as_degrees", "These are projected metres. Give degrees.", "这是投影坐标（米），请改用度。"),
    FieldKind(
        "datum_mismatch",
        "The two positions lie more than 20 m apart once converted. Check each datum.",
        "两个坐标换算后相距超过 20 米，请核对坐标系。",
    ),
    FieldKind(
        "wrong_datum",
        "The two positions lie apart by just the shift of GCJ-02: one of them is not in the datum that it says.",
        "两个坐标恰好相差 GCJ-02 偏移量：其中一个的坐标系标注有误。",
    ),
    FieldKind(
        "too_far_from_lot",
        "This lies too far from its lot (entrances 1 km, doors and gates 2 km). Check datum and axes.",
        "距停车场过远（入口 1 公里、大门 2 公里），请核对坐标系与经纬度。",
    ),
    FieldKind(
        "far_from_road",
        "No road for cars lies within 500 m: drives here are guessed by air. Check place and datum, or the road file.",
        "500 米内没有机动车道，行车时间只能按直线估算。请核对位置与坐标系，或路网文件。",
    ),
    FieldKind(
        "far_from_footway",
        "No footway lies within 150 m: walks here are guessed by air. Check place and datum, or the road file.",
        "150 米内没有步行道路，步行时间只能按直线估算。请核对位置与坐标系，或路网文件。",
    ),
    FieldKind("outside_block", "This lies outside its block's area.", "位于街区范围之外。"),
    FieldKind(
        "bad_polygon",
        "This is no valid polygon: close it and let no edges cross.",
        "不是有效多边形：须闭合且边不相交。",
    ),
    FieldKind("area_too_large", "A closure covers at most 100 km².", "封闭区域不得超过 100 平方公里。"),
    # Roads
    FieldKind(
        "one_road_needed",
        "Name one road: its way with a direction, or a line with its datum.",
        "请指定一条道路：way 与 direction，或带坐标系的 line。",
    ),
    FieldKind("one_speed_needed", "Say the speed once: kmh or share.", "请只给出一种速度：kmh 或 share。"),
    FieldKind(
        "bad_period",
        "It must end after it starts and after now, and not too late: speeds within 24 h, closures within 400 days.",
        "结束时间须晚于开始时间和当前时间，且不过远：速度 24 小时内，封闭 400 天内。",
    ),
    # What the parties agree
    FieldKind("unknown_lot", "No lot of that id is registered.", "没有登记该停车场。"),
    FieldKind(
        "unknown_device",
        "The feeds file describes no sensor of this id. Add it there, with its lot.",
        "数据源文件中没有该车位检测器，请在其中登记。",
    ),
    FieldKind("unknown_calendar", "No calendar of that id is registered.", "没有登记该日历。"),
    FieldKind("unknown_hospital", "No hospital of that id is registered.", "没有登记该医院。"),
    FieldKind("unknown_block", "No block of that id is described.", "没有描述该街区。"),
    FieldKind("not_a_hospital_lot", "The lot is not of kind hospital.", "该停车场不是医院停车场。"),
    FieldKind("lends_to_itself", "A hospital's own lot can't be lent to it.", "医院自有停车场不能出借给本院。"),
    FieldKind(
        "classes_above_capacity", "The classes count more spaces than the lot has.", "各类车位之和超过总车位数。"
    ),
    FieldKind(
        "lent_above_capacity", "More spaces are lent than the lot has of that class.", "出借车位数超过该类车位数。"
    ),
    FieldKind(
        "wrong_currency",
        "The hospital's rules are in another currency: say the tariff in that one.",
        "币种与医院规则不一致，请使用同一币种。",
    ),
    FieldKind("margin_above_lent", "More spaces are kept back than are ever lent.", "预留车位数超过出借车位数。"),
    FieldKind(
        "bad_window",
        "A window has hours HH:MM and at least one day from 1 (Monday) to 7.",
        "时段须为 HH:MM，且至少含一天（1 为周一，至 7）。",
    ),
    FieldKind("bad_dates", "The last day lies before the first.", "结束日期早于开始日期。"),
    FieldKind(
        "bad_thresholds",
        "Keep full_at < leave_full_at and filling_at < leave_filling_at, full_at <= filling_at.",
        "须满足 full_at < leave_full_at、filling_at < leave_filling_at、full_at <= filling_at。",
    ),
    FieldKind(
        "key_needed",
        "A City Brain source needs public_key; a native one has none.",
        "城市大脑数据源需提供 public_key，原生数据源则不需要。",
    ),
    FieldKind(
        "bad_public_key",
        "This is no RSA public key in PEM of at least 1024 bits.",
        "不是 PEM 格式的 RSA 公钥（至少 1024 位）。",
    ),
)

FIELD_KINDS: Mapping[str, FieldKind] = MappingProxyType({kind.code: kind for kind in _FIELD_CATALOGUE})
"""Every code that a field's error may carry."""
