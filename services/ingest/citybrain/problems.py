"""Every way an upload is refused: a stable code, the `resultCode` that answers it, and its words.

HTTP is 200 in this protocol whatever happened; only `resultCode` 200 means accepted. Texts go back to the lot and into
logs, so they name the field and never repeat what was sent: a plate may stand anywhere.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

ACCEPTED = 200
"""The only `resultCode` that means yes."""


class ProblemCode(StrEnum):
    """Why an upload was refused. A code never changes its meaning."""

    MALFORMED_ENVELOPE = "malformed_envelope"
    BAD_CIPHER = "bad_cipher"
    MALFORMED_JSON = "malformed_json"
    MISSING_FIELD = "missing_field"
    BAD_NUMBER = "bad_number"
    BAD_TIME = "bad_time"
    BAD_ID = "bad_id"
    BAD_TEXT = "bad_text"
    BAD_COORDINATES = "bad_coordinates"
    DATUMS_DISAGREE = "datums_disagree"
    UNKNOWN_ACCESS_ID = "unknown_access_id"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_METHOD = "unknown_method"
    STALE_UPLOAD_TIME = "stale_upload_time"
    BODY_TOO_LARGE = "body_too_large"
    TRY_AGAIN = "try_again"


ANSWERS: Mapping[ProblemCode, tuple[int, str]] = MappingProxyType(
    {
        ProblemCode.MALFORMED_ENVELOPE: (40001, "请以表单提交 accessID、cipher、sign，“+”须编码为 %2B"),
        ProblemCode.BAD_CIPHER: (40002, "cipher 无法解密，请核对 Base64、分段长度与所用密钥"),
        ProblemCode.MALFORMED_JSON: (40003, '明文不是 {"data":{...}} 形式的 UTF-8 JSON'),
        ProblemCode.MISSING_FIELD: (40004, "缺少必填字段"),
        ProblemCode.BAD_NUMBER: (40005, "数值须为非负整数或其数字文本"),
        ProblemCode.BAD_TIME: (40006, "时间须为北京时间 yyyy-MM-dd HH:mm:ss，日期须为 yyyy-MM-dd"),
        ProblemCode.BAD_ID: (40007, "编号须为 1 至 64 位字母、数字或 . _ : -"),
        ProblemCode.BAD_TEXT: (40008, "文本过长或含控制字符"),
        ProblemCode.BAD_COORDINATES: (40009, "坐标须成对且在中国大陆范围内，X 为经度，Y 为纬度"),
        ProblemCode.DATUMS_DISAGREE: (40010, "bmap（BD-09）与 gmap（GCJ-02）相差超过 20 米，请勿填同一组坐标"),
        ProblemCode.UNKNOWN_ACCESS_ID: (40101, "accessID 未登记"),
        ProblemCode.BAD_SIGNATURE: (40102, "签名不符：sign 须为对 cipher 文本的 MD5withRSA"),
        ProblemCode.UNKNOWN_METHOD: (40401, "没有该接口"),
        ProblemCode.STALE_UPLOAD_TIME: (40901, "uploadTime 与服务器时间相差过大，请校时后以当前时间重新上传"),
        ProblemCode.BODY_TOO_LARGE: (41301, "报文过大"),
        ProblemCode.TRY_AGAIN: (50301, "暂时无法保存，请稍后重传"),
    }
)
"""For each code, the `resultCode` and the text of its answer."""


class CityBrainProblem(Exception):
    """The upload was refused; `code` says why, `detail` which part: a field's name or a reason, never its value."""

    def __init__(self, code: ProblemCode, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail

    @property
    def result_code(self) -> int:
        """The `resultCode` that tells the lot."""
        return ANSWERS[self.code][0]


def accepted_answer() -> dict[str, object]:
    """Give the answer to an upload that was kept."""
    return {"resultCode": ACCEPTED, "msg": "操作成功"}


def dropped_answer() -> dict[str, object]:
    """Give the answer to a call that Bowei takes and does not keep."""
    return {"resultCode": ACCEPTED, "msg": "已接收，不保存"}


def uids_answer(uids: Sequence[str]) -> dict[str, object]:
    """Give the answer to a lot that asks which uids of a day are here."""
    return accepted_answer() | {"data": {"uids": list(uids)}}


def refused_answer(problem: CityBrainProblem) -> dict[str, object]:
    """Give the answer to a refused upload: its number, and a text with the stable code for whoever reads the log."""
    result_code, words = ANSWERS[problem.code]
    detail = f" ({problem.detail})" if problem.detail else ""
    return {"resultCode": result_code, "msg": f"{problem.code}: {words}{detail}"}
