"""A broker in the feeds file: safe unless told otherwise, and each mistake named with its fix."""

from pathlib import Path

import pytest

from bowei.observability.environment import Environment
from bowei.observability.operator_files import FileWrong
from services.ingest.feeds_file import read_feeds_file
from services.ingest.lorawan.feed import LorawanFeed
from services.ingest.mqtt.assembling import account, brokers_of
from services.ingest.mqtt.feed import MqttFeed

BROKER = "source: east, way: mqtt, host: broker.example, topics: [parking/east/#]"
SENSOR = "{lot: a, codec: bosch_tpl110, devices: [tpl-1]}"


def read(tmp_path: Path, *feeds: str) -> list[MqttFeed | LorawanFeed]:
    """Read a file of these feeds, each written as the inside of a YAML mapping."""
    file = tmp_path / "feeds.yaml"
    file.write_text("feeds:" + "".join(f"\n  - {{{feed}}}" for feed in feeds), "utf-8")
    environment = Environment({"EAST_PASSWORD": "hunter2", "TTN_SECRET": "hunter3"})
    found = read_feeds_file(file, environment).feeds
    return [feed.said for feed in found if isinstance(feed.said, MqttFeed | LorawanFeed)]


@pytest.mark.parametrize(
    ("more", "encrypted", "port"),
    [
        ("", True, 8883),
        (", host: localhost", False, 1883),
        (", host: 127.0.0.2", False, 1883),
        (", host: '::1'", False, 1883),
        (", host: 10.0.0.1", True, 8883),
        (", host: localhost, tls: true", True, 8883),
        (", host: 10.0.0.1, tls: false, port: 1884", False, 1884),
    ],
)
def test_a_broker_on_another_machine_is_spoken_to_with_tls(
    tmp_path: Path, more: str, encrypted: bool, port: int
) -> None:
    """Only a broker on this machine is not, unless the file says so."""
    said = BROKER if "host" not in more else BROKER.replace(", host: broker.example", "")
    [feed] = read(tmp_path, said + more)
    assert isinstance(feed, MqttFeed)
    assert (feed.encrypted, feed.port_used) == (encrypted, port)


def test_the_account_is_this_process_s_own_and_hides_its_password(tmp_path: Path) -> None:
    """Two processes under one client id would throw each other out."""
    file = tmp_path / "feeds.yaml"
    file.write_text(f"feeds:\n  - {{{BROKER}, username: u, secret_env: EAST_PASSWORD}}", "utf-8")
    [broker] = brokers_of(read_feeds_file(file, Environment({"EAST_PASSWORD": "hunter2"})))
    shown = account(broker, "host-7")
    assert (shown.client_id, shown.username, shown.password) == ("bowei-east-host-7", "u", "hunter2")
    assert shown.tls is not None
    assert shown.tls.check_hostname
    assert "hunter" not in f"{shown!r}{broker!r}"


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        (BROKER.replace("host: broker.example, ", ""), "feeds[0].host: This field is needed."),
        (BROKER.replace("parking/east/#", ""), "feeds[0].topics: This is too short"),
        (f"{BROKER}, port: 0", "feeds[0].port: This number is out of range."),
        (BROKER.replace("parking/east/#", "parking/#/state"), "feeds[0].topics[0]: Write a topic filter such as"),
        (BROKER.replace("parking/east/#", "parking/ea+t"), "feeds[0].topics[0]: Write a topic filter such as"),
        (BROKER.replace("parking/east/#", "$share/a/b"), "feeds[0].topics[0]: Write the filter alone"),
        (f"{BROKER}, share: a/b", "feeds[0].share: Write the group of a shared subscription"),
        (f"{BROKER}, client_id: bowei", "feeds[0].client_id: Write a client id with {replica} in it"),
        (f"{BROKER}, cert_file: a", "feeds[0]: Name both cert_file and key_file, or neither."),
        (f"{BROKER}, tls: false, ca_file: a", "feeds[0]: Certificates need TLS"),
        (f"{BROKER}, secret_env: EAST_PASSWORD", "feeds[0]: The secret is a password: say the username too."),
        (f"{BROKER}, password: hunter2", "feeds[0].password: There is no such field."),
        (f"{BROKER}, decoder: lorawan", "feeds[0]: Describe sensors with decoder lorawan"),
        (f"{BROKER}, sensors: [{SENSOR}]", "feeds[0]: Describe sensors with decoder lorawan"),
        (f"{BROKER}, decoder: map", "feeds[0]: Name the map with decoder map"),
        (f"{BROKER}, map: parking-mqtt", "feeds[0]: Name the map with decoder map"),
        (f"{BROKER}, lot: a", "feeds[0]: Say lot or lot_level with decoder map"),
        (f"{BROKER}, decoder: map, map: a.yaml, lot: a, lot_level: 2", "feeds[0]: Keep one of lot and lot_level."),
        (f"{BROKER}, receive_maximum: 0", "feeds[0].receive_maximum: This number is out of range."),
        ("source: ttn, way: lorawan, secret_env: TTN_SECRET", "feeds[0].sensors: This field is needed."),
        (f"source: ttn, way: lorawan, sensors: [{SENSOR}]", "feeds[0]: Name the secret that the webhook sends"),
        (
            f"source: ttn, way: lorawan, secret_env: TTN_SECRET, sensors: [{SENSOR}, {SENSOR}]",
            "feeds[0]: sensors[1] names a device or prefix a second time.",
        ),
        (
            "source: ttn, way: lorawan, secret_env: TTN_SECRET, sensors: [{lot: a, codec: bosch_tpl110}]",
            "feeds[0].sensors[0]: Name the devices, or the prefix",
        ),
        (
            "source: ttn, way: lorawan, secret_env: TTN_SECRET, sensors: [{lot: a, codec: decoded, prefix: p}]",
            "feeds[0].sensors[0]: Say occupied_at with codec decoded",
        ),
        (
            f"source: ttn, way: lorawan, secret_env: TTN_SECRET, header: 'a b', sensors: [{SENSOR}]",
            "feeds[0].header: Write the name of an HTTP header",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_fix(tmp_path: Path, feed: str, said: str) -> None:
    """Each mistake has its sentence, and a password that was written by mistake is not shown."""
    with pytest.raises(FileWrong) as refused:
        read(tmp_path, feed)
    assert str(refused.value).startswith(said)
    assert "hunter" not in str(refused.value)


def test_a_map_that_can_t_be_used_stops_the_start(tmp_path: Path) -> None:
    """An unknown one, and one that names no lot where nothing else does."""
    (tmp_path / "own.yaml").write_text(
        "map: own\nabout: Ours.\nmessages: [{items: '$', counts: {free: free}}]\n", "utf-8"
    )
    file = tmp_path / "feeds.yaml"
    for named, said in (("map: none", "No map of that name"), ("map: own.yaml", "It names no lot. Say lot")):
        file.write_text(f"feeds:\n  - {{{BROKER}, decoder: map, {named}}}", "utf-8")
        with pytest.raises(FileWrong, match=f"the map of east: {said}"):
            brokers_of(read_feeds_file(file, Environment({})))
    file.write_text(f"feeds:\n  - {{{BROKER}, decoder: map, map: own.yaml, lot_level: 2}}", "utf-8")
    [broker] = brokers_of(read_feeds_file(file, Environment({})))
    assert broker.field_map is not None


def test_two_feeds_of_one_session_are_refused(tmp_path: Path) -> None:
    """They would throw each other out for ever."""
    with pytest.raises(FileWrong, match="heard at the same address"):
        read(tmp_path, BROKER, f"{BROKER}, prefix: elsewhere")
    assert (
        len(read(tmp_path, BROKER, f"{BROKER}, client_id: 'second-{{replica}}'".replace("{{", "{").replace("}}", "}")))
        == 2
    )
