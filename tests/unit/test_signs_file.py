"""The signs file: what is wrong in it stops the start, with the place and the fix."""

from pathlib import Path

import pytest

from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.operator_files import FileWrong
from services.availability.settings import settings_from
from services.availability.signs.rs485 import Rs485CountSign
from services.availability.signs.showing import drivers_of
from services.availability.signs.signs_file import SerialSign, Signs, read_signs_file

_WHOLE = """
signs:
  - {id: gate, lot: in77, way: rs485, device: /dev/ttyUSB0, format: xunpeng, code: 1, dark: 9999}
  - {id: ramp, lot: gonglian-cc, way: rs485, device: /dev/ttyUSB0, format: ascii, code: 2, resend_s: 5}
  - {id: corner, lot: in77, way: udp, host: 10.1.2.3}
  - {id: plaza, lot: in77, way: mqtt, host: broker.example, topic: signs/plaza, username: bowei, secret_file: plaza.key}
"""
_AT_ANOTHER_BAUD = "{id: b, lot: x, way: rs485, device: d, format: ascii, baud: 1200}"


def _read(folder: Path, text: str, values: dict[str, str] | None = None) -> Signs:
    file = folder / "signs.yaml"
    file.write_text(text, "utf-8")
    return read_signs_file(file, Environment(values or {}))


def test_a_file_is_read_with_its_secrets(tmp_path: Path) -> None:
    """Four signs of three kinds; two on one line share it."""
    (tmp_path / "plaza.key").write_text("hidden\n", "utf-8")
    signs = _read(tmp_path, _WHOLE)
    assert [sign.id for sign in signs.said] == ["gate", "ramp", "corner", "plaza"]
    assert signs.secrets == (None, None, None, "hidden")
    assert "hidden" not in repr(signs)
    assert [sign.valid_s for sign in signs.said] == [60, 60, 60, 60]
    gate, ramp, *_ = drivers_of(signs)
    assert isinstance(gate, Rs485CountSign)
    assert isinstance(ramp, Rs485CountSign)
    assert gate._line is ramp._line
    assert isinstance(signs.said[0], SerialSign)


@pytest.mark.parametrize(
    ("sign", "said"),
    [
        ("{id: a, lot: x}", r"signs\[0\]\.way: "),
        ("{id: a, lot: x, way: smoke}", r"signs\[0\]\.way: .*options: 'rs485', 'udp', 'mqtt'"),
        ("{id: a b, lot: x, way: udp, host: h}", r"signs\[0\]\.id: "),
        ("{id: a, way: udp, host: h}", r"signs\[0\]\.lot: "),
        ("{id: a, lot: x, way: udp, host: h, port: 0}", r"signs\[0\]\.port: "),
        ("{id: a, lot: x, way: udp, host: h, colour: red}", r"signs\[0\]\.colour: "),
        ("{id: a, lot: x, way: udp, host: h, secret_env: KEY}", "Datagrams carry no secret"),
        ("{id: a, lot: x, way: rs485, device: /dev/x, format: xunpeng}", "Say dark with format xunpeng"),
        ("{id: a, lot: x, way: rs485, device: /dev/x, format: ascii, dark: 1}", "Say dark with format xunpeng"),
        ("{id: a, lot: x, way: rs485, device: /dev/x, format: ascii, code: 100}", "the code has two digits"),
        ("{id: a, lot: x, way: rs485, device: /dev/x, format: ascii, baud: 9601}", r"signs\[0\]\.baud: "),
        ("{id: a, lot: x, way: mqtt, host: h, topic: signs/#}", "without \\+ and #"),
        ("{id: a, lot: x, way: mqtt, host: h, topic: t, secret_env: KEY}", "say the username too"),
        ("{id: a, lot: x, way: mqtt, host: h, topic: t, tls: false, ca_file: c}", "A certificate needs TLS"),
        (
            "{id: a, lot: x, way: mqtt, host: h, topic: t, username: u, secret_env: KEY}",
            r"signs\[0\]: secret_env names",
        ),
        (
            "{id: a, lot: x, way: udp, host: h}, {id: a, lot: y, way: udp, host: h}",
            r"signs\[0\] and signs\[1\] have the same id",
        ),
        (
            f"{{id: a, lot: x, way: rs485, device: d, format: ascii}}, {_AT_ANOTHER_BAUD}",
            r"signs\[1\] speaks at another baud",
        ),
    ],
)
def test_each_fault_is_said_with_its_place_and_its_fix(tmp_path: Path, sign: str, said: str) -> None:
    """An operator corrects the file without reading code."""
    with pytest.raises(FileWrong, match=said):
        _read(tmp_path, f"signs: [{sign}]")


def test_a_wrong_file_stops_the_start_with_the_variables_name(tmp_path: Path) -> None:
    """The whole of what is wrong, in one line of the log that ends the process."""
    values = {
        "BOWEI_DATABASE_URL": "postgresql://x/y",
        "BOWEI_REDIS_URL": "redis://x",
        "BOWEI_SIGNS": str(tmp_path / "none.yaml"),
    }
    with pytest.raises(WrongEnvironment, match=r"BOWEI_SIGNS names a file that can't be used:\nThe file can't be read"):
        settings_from(Environment(values))
