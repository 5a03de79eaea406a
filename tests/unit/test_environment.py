"""Settings from the environment: typed, with a sentence for each mistake."""

from pathlib import Path

import pytest

from bowei.observability.environment import Environment, WrongEnvironment


def test_a_secret_may_live_in_a_file(tmp_path: Path) -> None:
    """Proves that mounted secrets work, with the line break that editors leave."""
    file = tmp_path / "token"
    file.write_text("s3cret\n")

    assert Environment({"TOKEN_FILE": str(file)}).secret("TOKEN") == "s3cret"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    """Proves that nobody has to guess which of the two counts."""
    file = tmp_path / "token"
    file.write_text("other")

    with pytest.raises(WrongEnvironment, match="both set"):
        Environment({"TOKEN": "one", "TOKEN_FILE": str(file)}).secret("TOKEN")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    """Proves it for an empty file, one that is no text, and one far too large."""
    file = tmp_path / "token"
    file.write_bytes(content)

    with pytest.raises(WrongEnvironment, match="TOKEN_FILE"):
        Environment({"TOKEN_FILE": str(file)}).secret("TOKEN")


@pytest.mark.parametrize("value", ["0", "65536", "eighty", "80.5", "-1"])
def test_a_number_out_of_bounds_is_refused_with_its_bounds(value: str) -> None:
    """Proves that the sentence says what would be right."""
    with pytest.raises(WrongEnvironment, match=r"PORT is not a whole number from 1 to 65535"):
        Environment({"PORT": value}).integer("PORT", 8100, least=1, most=65_535)


@pytest.mark.parametrize("value", ["nan", "inf", "-0.1", "x"])
def test_a_fraction_out_of_bounds_is_refused(value: str) -> None:
    """Proves that NaN does not slip through a comparison."""
    with pytest.raises(WrongEnvironment, match="SPEED"):
        Environment({"SPEED": value}).number("SPEED", 1.0, least=0.0, most=100.0)


def test_an_empty_variable_is_an_unset_one() -> None:
    """Proves that `PORT=` in a manifest means the default."""
    environment = Environment({"PORT": "", "FLAG": " ", "NAME": ""})

    assert environment.integer("PORT", 8100, least=1, most=65_535) == 8100
    assert environment.flag("FLAG", default=True) is True
    assert environment.find_text("NAME") is None


@pytest.mark.parametrize(("value", "meaning"), [("1", True), ("TRUE", True), ("off", False), ("No", False)])
def test_a_flag_reads_the_usual_words(value: str, meaning: bool) -> None:
    """Proves both ways of saying it."""
    assert Environment({"FLAG": value}).flag("FLAG") is meaning


def test_a_flag_of_another_word_is_refused() -> None:
    """Proves that a typo in a safety switch does not mean off."""
    with pytest.raises(WrongEnvironment, match="FLAG"):
        Environment({"FLAG": "flase"}).flag("FLAG", default=True)


def test_a_level_of_logs_that_does_not_exist_is_refused_with_those_that_do() -> None:
    """An operator who mistypes it reads what would be right, instead of a traceback."""
    assert Environment({"BOWEI_LOG_LEVEL": "debug"}).log_level() == "DEBUG"
    with pytest.raises(WrongEnvironment, match=r"BOWEI_LOG_LEVEL is none of DEBUG, INFO, WARNING, ERROR"):
        Environment({"BOWEI_LOG_LEVEL": "loud"}).log_level()


def test_a_public_address_is_told_to_browsers_as_it_is_without_its_last_slash() -> None:
    """An unset one is None: then everything is at one address."""
    assert Environment({"URL": "https://parking.example/city/"}).public_url("URL") == "https://parking.example/city"
    assert Environment({}).public_url("URL") is None


@pytest.mark.parametrize(
    "value",
    ["parking.example", "ftp://parking.example", "https://", "https://a.example; img-src *", "https://a.example?x=1"],
)
def test_what_is_no_public_address_is_refused(value: str) -> None:
    """It stands in a policy that is sent to browsers: nothing may be slipped into that."""
    with pytest.raises(WrongEnvironment, match=r"URL is not an address such as https://parking\.example"):
        Environment({"URL": value}).public_url("URL")
