"""Problems: how a refusal looks over HTTP (RFC 9457), in the language that was asked for.

The body is ASCII JSON, so that nothing a caller sent can break it, and holds only our own words: type, title, status,
detail, code, instance (the request's id), errors, and what the refusal itself adds.
"""

import json
import logging
import math
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.problems import KINDS, FieldError, Refused
from bowei.observability.logs import request_id

MEDIA_TYPE = "application/problem+json"
PROBLEM_KEY = "bowei.problem"
"""Where the scope of a refused request keeps the problem's code, for metrics."""

Language = Literal["zh", "en"]

_log = logging.getLogger(__name__)
_TITLES: Mapping[int, tuple[str, str]] = {
    400: ("Malformed request", "请求格式错误"),
    401: ("Not authenticated", "未认证"),
    403: ("Not allowed", "无权限"),
    404: ("Not found", "未找到"),
    405: ("Method not allowed", "方法不支持"),
    409: ("Conflict", "冲突"),
    410: ("Gone", "已结束"),
    413: ("Body too large", "请求体过大"),
    415: ("Wrong content type", "内容类型不符"),
    422: ("Invalid request", "请求无效"),
    429: ("Too many requests", "请求过多"),
    500: ("Internal error", "内部错误"),
    503: ("Try again", "请稍后重试"),
}
_CODES_OF_STATUS: Mapping[int, str] = {
    400: "malformed_json",
    401: "key_missing",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "wrong_content_type",
    422: "invalid_request",
    429: "too_many_requests",
    503: "overloaded",
}
_RETRY_AFTER_S = 1
_RETRY_JITTER_S = 3
"""Callers that were refused together come back spread over this many seconds more."""
_LONGEST_LANGUAGE_HEADER = 256


def language_of(accept_language: str | None) -> Language:
    """Choose a language from an Accept-Language header: any zh (zh-TW too) is zh-Hans, the default is en."""
    best: Language = "en"
    best_quality = 0.0
    for part in (accept_language or "")[:_LONGEST_LANGUAGE_HEADER].split(","):
        tag, _, parameters = part.strip().lower().partition(";")
        primary = tag.strip().split("-")[0]
        quality = _quality(parameters)
        if primary in {"zh", "en"} and quality > best_quality:
            best, best_quality = ("zh" if primary == "zh" else "en"), quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0


def problem_document(refused: Refused, language: Language, instance: str | None = None) -> dict[str, object]:
    """Give the body of a problem as a mapping, for answers that hold a problem per item too."""
    kind = refused.kind
    title_en, title_zh = _TITLES.get(kind.status, ("Refused", "已拒绝"))
    document: dict[str, object] = {
        "type": f"/problems/{kind.code}",
        "title": title_zh if language == "zh" else title_en,
        "status": kind.status,
        "code": kind.code,
        "detail": kind.zh if language == "zh" else kind.en,
    }
    if instance is not None:
        document["instance"] = instance
    if refused.errors:
        document["errors"] = [error_document(error, language) for error in refused.errors]
    return dict(refused.details) | document


def error_document(error: FieldError, language: Language) -> dict[str, str]:
    """Give one field's error as a mapping {field, code, message}."""
    kind = FIELD_KINDS.get(error.code)
    words = "" if kind is None else (kind.zh if language == "zh" else kind.en)
    return {"field": error.field, "code": error.code, "message": " ".join(filter(None, (words, error.message)))}


def problem_response(refused: Refused, accept_language: str | None) -> Response:
    """Render a refusal; 429 and 503 say when to come back, 401 how to authenticate."""
    language = language_of(accept_language)
    headers = {"Content-Language": "zh-Hans" if language == "zh" else "en", "Vary": "Accept-Language"}
    if refused.kind.status in {429, 503} or refused.retry_after_s is not None:
        headers["Retry-After"] = str(_retry_after_s(refused.retry_after_s))
    if refused.kind.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = json.dumps(problem_document(refused, language, request_id.get()), allow_nan=False)
    return Response(body, refused.kind.status, headers, MEDIA_TYPE)


def refuse(request: Request, refused: Refused) -> Response:
    """Answer a request with a refusal, and note its code for metrics."""
    request.scope[PROBLEM_KEY] = refused.code
    if refused.kind.status >= 500 and refused.code != "overloaded":  # which is counted: a storm must fill no disk
        _log.warning("request_refused", extra={"code": refused.code, "cause": type(refused.__cause__).__name__})
    return problem_response(refused, request.headers.get("accept-language"))


def refused_for_status(status: int) -> Refused:
    """Give the refusal that stands for a plain HTTP status."""
    return Refused(_CODES_OF_STATUS.get(status, "internal" if status >= 500 else "not_found"))


def _retry_after_s(wanted_s: float | None) -> int:
    least = _RETRY_AFTER_S if wanted_s is None else max(0, math.ceil(wanted_s))
    return least + secrets.randbelow(_RETRY_JITTER_S + 1)


def problem_responses(
    *statuses: int, said: Mapping[int, str] = MappingProxyType({})
) -> dict[int | str, dict[str, Any]]:
    """Describe refusals for OpenAPI, as `responses` of a router or endpoint; `said` gives some their own words."""
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["field", "code", "message"],
                    "properties": {name: {"type": "string"} for name in ("field", "code", "message")},
                },
            },
        },
    }
    return {
        status: {"description": words, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, words in ({status: _TITLES[status][0] for status in statuses} | dict(said)).items()
    }


def known_code(code: str) -> str:
    """Check at start that a problem code exists.

    Raises:
        ValueError: it is not in the catalogue.
    """
    if code not in KINDS:
        raise ValueError(f"{code} is not in the catalogue of bowei.domain.problems")
    return code
