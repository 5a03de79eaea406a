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
    """What is wrong with one field of a request; `field` is its path, `code` stable."""

    field: str
    code: str
    message: str


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
    ProblemKind("body_too_large", 413, "The body is too large. Send smaller batches.", "请求体过大，请减小批量。"),
    ProblemKind(
        "wrong_content_type",
        415,
        "Send Content-Type: application/json.",
        "请使用 Content-Type: application/json。",
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
    ProblemKind("not_your_lot", 403, "This key may not report for that lot.", "该密钥无权上报此停车场。"),
    ProblemKind("not_allowed", 403, "This key may not do that.", "该密钥无权执行此操作。"),
    # What
    ProblemKind("not_found", 404, "There is nothing at this address.", "此地址没有内容。"),
    ProblemKind("unknown_lot", 404, "No lot of that id is registered.", "没有登记该停车场。"),
    ProblemKind("unknown_hospital", 404, "No hospital of that id is registered.", "没有登记该医院。"),
    ProblemKind("unknown_agreement", 404, "No agreement of that id is registered.", "没有登记该协议。"),
    ProblemKind("unknown_source", 404, "No source of that id is registered.", "没有登记该数据源。"),
    ProblemKind("unknown_diversion", 404, "No diversion of that id is yours.", "您没有该编号的引导记录。"),
    ProblemKind("method_not_allowed", 405, "This address does not take that method.", "此地址不支持该方法。"),
    # Conflict
    ProblemKind(
        "id_reused",
        409,
        "This id was used for another request. Make a new id.",
        "该编号已用于其他请求，请换用新编号。",
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
