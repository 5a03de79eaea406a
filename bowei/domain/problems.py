"""Every way a request is refused: one stable code each, with its status and its words in zh and en.

    400 malformed           404 unknown            413 too large          429 too many
    401 who are you         409 conflict           415 wrong type         503 try again
    403 not yours           410 over               422 a field is wrong

A code never changes its meaning. Texts say what to do next and never repeat what the caller sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One way to be refused: its status, and what it says in each language."""

    code: str
    status: int
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request; `field` is its path, `code` one of `FIELD_KINDS`.

    `message` is only what the code's own words don't say, such as a bound; it never repeats what was sent.
    """

    field: str
    code: str
    message: str = ""


class Refused(Exception):
    """The request was refused; `code` says why."""

    def __init__(
        self,
        code: str,
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after_s: float | None = None,
        details: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(code)
        self.kind = KINDS[code]
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.details = details

    @property
    def code(self) -> str:
        """The stable code."""
        return self.kind.code


_CATALOGUE = (
    # Form
    ProblemKind(
        "malformed_json",
        400,
        "The body is not JSON. Send UTF-8 JSON.",
        "请求体不是有效的 JSON，请发送 UTF-8 编码的 JSON。",
    ),
    ProblemKind(
        "wrong_grant",
        400,
        "Only client_credentials is granted here. Send grant_type=client_credentials as a form.",
        "此处仅支持 client_credentials，请以表单发送 grant_type=client_credentials。",
    ),
    ProblemKind(
        "malformed_yaml",
        400,
        "The body is not YAML as scenes use it; see errors.",
        "请求体不是场景文件所用的 YAML，请见 errors。",
    ),
    ProblemKind(
        "malformed_body",
        400,
        "The body can't be read as the field map says: its form, encoding or nesting.",
        "请求体与字段映射声明的格式、编码或层次不符。",
    ),
    ProblemKind("too_many_items", 413, "The body has too many items. Send smaller batches.", "条目过多，请减小批量。"),
    ProblemKind(
        "malformed_xml",
        400,
        "The body is not XML that is read here; see errors.",
        "请求体不是可读取的 XML，请见 errors。",
    ),
    ProblemKind("body_too_large", 413, "The body is too large. Send smaller batches.", "请求体过大，请减小批量。"),
    ProblemKind(
        "wrong_content_type",
        415,
        "Send Content-Type: application/json.",
        "请使用 Content-Type: application/json。",
    ),
    ProblemKind(
        "use_json",
        415,
        "Only JSON is taken here: post the same items to /api/admin/v1/generic/json.",
        "此处只接受 JSON，请将同样的条目提交至 /api/admin/v1/generic/json。",
    ),
    ProblemKind(
        "not_a_status",
        422,
        "This publishes something else than the status of lots. Send a ParkingStatusPublication.",
        "内容不是停车场状态，请发送 ParkingStatusPublication。",
    ),
    ProblemKind("invalid_request", 422, "Some fields are wrong; see errors.", "部分字段有误，请见 errors。"),
    # Who
    ProblemKind("key_missing", 401, "Send Authorization: Bearer <key>.", "请携带 Authorization: Bearer <密钥>。"),
    ProblemKind(
        "key_wrong",
        401,
        "The key or token is not valid, or has run out. Ask for a new one.",
        "密钥或令牌无效或已过期，请重新获取。",
    ),
    ProblemKind(
        "signature_missing",
        401,
        "Reports must be signed here: a key that is sent opens nothing. Sign as docs/feeds/native.md says.",
        "此处只接受签名的上报，不接受直接发送的密钥，请按 docs/feeds/native.md 签名。",
    ),
    ProblemKind(
        "signature_wrong",
        401,
        "The signature does not fit what was sent. Check the secret, and how it is to be signed.",
        "签名与内容不符，请核对密钥与签名方式。",
    ),
    ProblemKind(
        "signature_old",
        401,
        "It was signed too long ago, or ahead of our clock. Set the sender's clock and sign anew.",
        "签名时间过早或超前，请校时后重新签名。",
    ),
    ProblemKind("not_your_lot", 403, "This key may not report for that lot.", "该密钥无权上报此停车场。"),
    ProblemKind("not_allowed", 403, "This key may not do that.", "该密钥无权执行此操作。"),
    # What
    ProblemKind("not_found", 404, "There is nothing at this address.", "此地址没有内容。"),
    ProblemKind("unknown_lot", 404, "No lot of that id is registered.", "没有登记该停车场。"),
    ProblemKind("unknown_version", 404, "The agreement has no version of that number.", "该协议没有此版本。"),
    ProblemKind("unknown_party", 404, "No party of that id is registered.", "没有登记该参与方。"),
    ProblemKind("unknown_hospital", 404, "No hospital of that id is registered.", "没有登记该医院。"),
    ProblemKind("unknown_board", 404, "No hospital, lot or block of that id.", "没有该编号的医院、停车场或街区。"),
    ProblemKind("unknown_agreement", 404, "No agreement of that id is registered.", "没有登记该协议。"),
    ProblemKind(
        "unknown_closure", 404, "No closure of that id is set, or it is over.", "没有该编号的道路封闭，或已结束。"
    ),
    ProblemKind("unknown_calendar", 404, "No calendar of that id is registered.", "没有登记该日历。"),
    ProblemKind("unknown_source", 404, "No source of that id is registered.", "没有登记该数据源。"),
    ProblemKind("unknown_diversion", 404, "No diversion of that id is yours.", "您没有该编号的引导记录。"),
    ProblemKind(
        "unknown_code",
        404,
        "No live hold on this lot has that code. Check the lot and the digits.",
        "本停车场没有使用该号码的有效保留，请核对停车场与号码。",
    ),
    ProblemKind(
        "unknown_command",
        404,
        "This lot's barrier was given no such command, or it is over an hour old.",
        "未向该停车场道闸下发此指令，或指令已过期。",
    ),
    ProblemKind("method_not_allowed", 405, "This address does not take that method.", "此地址不支持该方法。"),
    # Conflict
    ProblemKind("other_side_decides", 409, "This is for the other side to decide.", "此事须由另一方决定。"),
    ProblemKind("already_decided", 409, "This was decided already, in another way.", "此事已有其他决定。"),
    ProblemKind(
        "id_reused",
        409,
        "This id was used for another request. Make a new id.",
        "该编号已用于其他请求，请换用新编号。",
    ),
    ProblemKind(
        "replayed",
        409,
        "This number was used for another push. Make a new one for each.",
        "该随机数已用于其他推送，请每次更换。",
    ),
    ProblemKind("driver_has_hold", 409, "You already hold a space. Give it up first.", "您已保留一个车位，请先取消。"),
    ProblemKind("given_up", 409, "This diversion was given up. Make a new id.", "该引导已取消，请换用新编号。"),
    ProblemKind("hold_over", 409, "This hold has ended.", "该保留已结束。"),
    ProblemKind("already_extended", 409, "A hold can be extended once.", "每次保留只能延长一次。"),
    ProblemKind("extension_too_long", 422, "A hold can be extended by 15 minutes at most.", "最多可延长 15 分钟。"),
    ProblemKind(
        "still_in_use",
        409,
        "Live holds, stays or agreements still use it. End them first.",
        "仍有保留、停车或协议在使用，请先结束。",
    ),
    # What a lot says
    ProblemKind(
        "future_time",
        422,
        "The time lies in the future. Check the sender's clock.",
        "时间在未来，请检查上报端时钟。",
    ),
    ProblemKind(
        "free_above_capacity",
        422,
        "More spaces are free than the lot has. Check the count or the registered capacity.",
        "空余车位数大于总车位数，请核对计数或登记容量。",
    ),
    ProblemKind(
        "open_above_capacity",
        422,
        "More spaces are open than the lot has. Check the count or the registered capacity.",
        "开放车位数大于总车位数，请核对计数或登记容量。",
    ),
    ProblemKind(
        "negative_count",
        422,
        "A count is below zero. Leave out what is not known; declare a number that stands for it.",
        "计数为负。未知请省略；若为占位值请事先声明。",
    ),
    ProblemKind(
        "counts_disagree",
        422,
        "Free and occupied spaces are together more than the lot has. Check which is which.",
        "空余数与占用数之和超过总车位数，请核对两者。",
    ),
    ProblemKind(
        "capacity_zero",
        422,
        "The lot counts spaces and says that it has none. Leave the capacity out where it is not known.",
        "有计数但总车位数为 0。总车位数未知时请省略。",
    ),
    ProblemKind(
        "capacity_moved",
        422,
        "The capacity leaps. It is believed when the next report says the same.",
        "总车位数突变；下一次上报相同数值后即予采用。",
    ),
    # Now
    ProblemKind("too_many_requests", 429, "Too many requests. Wait and try again.", "请求过于频繁，请稍后再试。"),
    ProblemKind(
        "outcome_unknown",
        503,
        "It is not known whether this was done. Repeat the same request with the same id.",
        "结果未知，请用同一编号重复同一请求。",
    ),
    ProblemKind(
        "store_away",
        503,
        "The store is away; nothing was changed. Repeat the request.",
        "存储暂不可用，未作任何更改，请重试。",
    ),
    ProblemKind("overloaded", 503, "Too much is waiting. Try again in a moment.", "请求过多，请稍后再试。"),
    ProblemKind(
        "internal",
        500,
        "Something went wrong on our side; nothing you sent was at fault.",
        "服务内部错误，与您的请求无关。",
    ),
)

KINDS: Mapping[str, ProblemKind] = MappingProxyType({kind.code: kind for kind in _CATALOGUE})
"""Every code there is."""
