"""Replies: what a sender wants to hear, in its own shape; one that hears something else sends again for ever."""

import re
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

from bowei.observability.operator_files import STRICT

_PLACEHOLDER = re.compile(r"\{(code|member:[A-Za-z0-9_.-]{1,64})\}")
_ECHO_MOST = 200


class AnswerIn(BaseModel):
    """One answer: its status, and its body, in which {code} is our code and {member:uuid} what was sent there."""

    model_config = STRICT
    status: Annotated[int, Field(ge=200, le=599)] = 200
    body: dict[str, JsonValue]

    def render(self, code: str, members: dict[str, str]) -> dict[str, JsonValue]:
        """Give the body for this answer."""
        return {name: _rendered(value, code, members) for name, value in self.body.items()}


class ReplyIn(BaseModel):
    """What a sender is told: kept, refused, or to come again because it can't be kept now."""

    model_config = STRICT
    accepted: AnswerIn
    refused: AnswerIn
    try_again: AnswerIn | None = None
    """Else it is told as every sender is: 503."""


def _rendered(value: JsonValue, code: str, members: dict[str, str]) -> JsonValue:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: _fill(match[1], code, members), value)
    if isinstance(value, list):
        return [_rendered(inner, code, members) for inner in value]
    if isinstance(value, dict):
        return {name: _rendered(inner, code, members) for name, inner in value.items()}
    return value


def _fill(name: str, code: str, members: dict[str, str]) -> str:
    return code if name == "code" else members.get(name.removeprefix("member:"), "")[:_ECHO_MOST]
