"""Files that an operator writes, such as feeds and signs: read strictly, each fault said with its place and its fix.

A secret is never written into such a file: it names the file or the variable that holds it. There is no default.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.lots import ID_FORM
from bowei.domain.problems import Refused
from bowei.observability.environment import Environment, WrongEnvironment, read_secret
from bowei.observability.validation import field_error
from bowei.observability.yaml_text import LARGEST_BYTES, read_yaml

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
ERRORS_SHOWN = 20

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_Model = TypeVar("_Model", bound=BaseModel)


class FileWrong(Exception):
    """The file can't be used; the text has one line for each fault: the field, and what to do."""


def read_operator_file(file: Path, model: type[_Model]) -> _Model:
    """Read a YAML file as `model`, whose lists hold entries told apart by their `way`.

    Raises:
        FileWrong: it can't be read or used.
    """
    try:
        with file.open("rb") as opened:
            return model.model_validate(read_yaml(opened.read(LARGEST_BYTES + 1)))
    except OSError as error:
        raise FileWrong("The file can't be read. Check its path and mode.") from error
    except Refused as refused:
        raise FileWrong("\n".join(_lines_of(refused))) from refused
    except ValidationError as error:
        findings = error.errors(include_url=False, include_input=False)
        raise FileWrong("\n".join(line_of(_placed(finding)) for finding in findings[:ERRORS_SHOWN])) from None


def _placed(finding: ErrorDetails) -> Mapping[str, object]:
    """Give a finding the place that the file's author knows: without the way, which pydantic puts before a field."""
    place = finding["loc"]
    if finding["type"] == "union_tag_not_found":
        return {"type": "missing", "loc": (*place, "way")}
    if finding["type"] == "union_tag_invalid":
        return {**finding, "loc": (*place, "way")}
    return {**finding, "loc": place[:2] + place[3:]}


def _lines_of(refused: Refused) -> Sequence[str]:
    said = [f"{error.field or 'the file'}: {FIELD_KINDS[error.code].en}" for error in refused.errors[:ERRORS_SHOWN]]
    return said or [f"The file is larger than {LARGEST_BYTES // 1024} KiB. Split it."]


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


class SecretFields(BaseModel):
    """Where an entry's secret is, if it has one."""

    model_config = STRICT
    secret_file: FilePath | None = None
    secret_env: VariableName | None = None

    @model_validator(mode="after")
    def _check_one_secret(self) -> Self:
        if self.secret_file is not None and self.secret_env is not None:
            raise unfit("Keep one of secret_file and secret_env.")
        return self

    @property
    def has_secret(self) -> bool:
        """Whether a secret is named."""
        return self.secret_file is not None or self.secret_env is not None

    def read_secret(self, folder: Path, environment: Environment) -> str | None:
        """Read the secret; None where none is named. `folder` holds the file that names it.

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


def read_secrets(
    name: str, entries: Sequence[SecretFields], folder: Path, environment: Environment
) -> list[str | None]:
    """Read the secret of each entry of the list `name`.

    Raises:
        FileWrong: one can't be read; each is named.
    """
    secrets: list[str | None] = []
    faults: list[str] = []
    for place, entry in enumerate(entries):
        try:
            secrets.append(entry.read_secret(folder, environment))
        except WrongEnvironment as wrong:
            faults.append(f"{name}[{place}]: {wrong}")
    if faults:
        raise FileWrong("\n".join(faults[:ERRORS_SHOWN]))
    return secrets
