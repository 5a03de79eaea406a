"""How a pull can fail: one word each, for metrics and logs, and what the operator reads beside it."""

from enum import StrEnum


class Failure(StrEnum):
    """Why a pull brought nothing."""

    UNREACHABLE = "unreachable"
    """No name, no route, no answer to a connection."""
    TLS = "tls"
    TIMEOUT = "timeout"
    BROKEN_OFF = "broken_off"
    """The connection ended in the middle of the answer, or what came was no HTTP."""
    TARGET_REFUSED = "target_refused"
    """It leads to an inside address, to a host that was not declared, away from TLS, or round in circles."""
    CLIENT_ERROR = "client_error"
    """An answer 4xx: the address or the key is wrong."""
    SERVER_ERROR = "server_error"
    TOO_MANY_REQUESTS = "too_many_requests"
    """They say so: 429."""
    OVER_BUDGET = "over_budget"
    """Our own bound of requests per minute."""
    TOO_LARGE = "too_large"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    BAD_ENCODING = "bad_encoding"
    """Packed in a way that was not asked for, or wrongly."""
    UNREADABLE = "unreadable"
    """The body is not what the format says."""
    NOTHING_READ = "nothing_read"
    """The body could be read, and no lot in it."""
    SOURCE_REFUSED = "source_refused"
    """Its source is not registered, or suspended: nothing of it is taken."""
    INTERNAL = "internal"
    """A defect of ours, or of a converter."""


class PullFailed(Exception):
    """A pull brought nothing; `failure` says why, and `detail` more of it without repeating secrets or bodies."""

    def __init__(self, failure: Failure, detail: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{failure}: {detail}" if detail else str(failure))
        self.failure = failure
        self.detail = detail
        self.retry_after_s = retry_after_s
