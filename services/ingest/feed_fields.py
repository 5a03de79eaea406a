"""What every feed of the feeds file says of itself, whatever its way in; each way's `feed.py` adds its own fields.

A secret is never written into the file: it names the file or the variable that holds it. There is no default.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from bowei.domain.lots import ID_FORM
from bowei.domain.problems import FIELD_KINDS
from bowei.observability.environment import Environment, WrongEnvironment, read_secret
from bowei.observability.validation import field_error

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")


def unfit(message: str) -> PydanticCustomError:
    """Give the error by which a validator of an operator's file says what is wrong and how to put it right.

    The message stands as it is in what the operator reads, so it must not repeat a value that may be secret.
    """
    return PydanticCustomError("unfit", "{message}", {"message": message})


def line_of(finding: Mapping[str, object]) -> str:
    """Say one finding of pydantic about an operator's file: the field, and what to do. It never repeats the value."""
    said = field_error(finding)
    context = finding.get("ctx")
    context = context if isinstance(context, Mapping) else {}
    kind = FIELD_KINDS[said.code]
    words = str(context.get("message", "")) if finding.get("type") == "unfit" else kind.en
    expected = context.get("expected") or context.get("expected_tags")
    options = "" if expected is None or said.code != "unknown_option" else f"(options: {expected})"
    return f"{said.field or 'the file'}: " + " ".join(filter(None, (words, said.message, options)))


def _identifier(text: str) -> str:
    if not re.fullmatch(ID_FORM, text):
        raise PydanticCustomError("bad_id", "see bowei.domain.problems")
    return text


def _file_path(text: str) -> str:
    if not 0 < len(text) <= 1_000 or not text.isprintable():
        raise unfit("Write the path of a file; a relative one starts at the folder of this file.")
    return text


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise unfit("Write the name of an environment variable, of A-Z 0-9 _; never the secret itself.")
    return text


Identifier = Annotated[str, AfterValidator(_identifier)]
FilePath = Annotated[str, AfterValidator(_file_path)]
"""A path; where it is relative, it starts at the folder of the file that names it."""
VariableName = Annotated[str, AfterValidator(_variable)]


class FeedFields(BaseModel):
    """A source that is registered with kind `feed`, and where its secret is, if it has one."""

    model_config = STRICT
    source: Identifier
    secret_file: FilePath | None = None
    secret_env: VariableName | None = None

    @model_validator(mode="after")
    def _check_one_secret(self) -> Self:
        if self.secret_file is not None and self.secret_env is not None:
            raise unfit("Keep one of secret_file and secret_env.")
        return self

    @property
    def heard_at(self) -> str | None:
        """Say what no other feed may have too, such as an address; None: nothing."""
        return None

    def read_secret(self, folder: Path, environment: Environment) -> str | None:
        """Read the secret; None where none is named. `folder` holds the feeds file.

        Raises:
            WrongEnvironment: it is named and can't be read, or is empty.
        """
        if self.secret_file is not None:
            return read_secret("secret_file", folder / self.secret_file)
        if self.secret_env is None:
            return None
        secret = environment.find_text(self.secret_env)
        if secret is None:
            raise WrongEnvironment(f"secret_env names {self.secret_env}, which is not set. Set it in the environment.")
        return secret
