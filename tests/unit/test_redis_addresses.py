"""Addresses of Redis: every documented form is taken, and a wrong one stops the start without being repeated."""

import pytest

from bowei.livestate.connecting import SCHEMES, WrongAddress, check_address, open_servers
from bowei.livestate.redis_cluster import ClusterServers
from bowei.livestate.redis_sentinel import SentinelServers
from bowei.livestate.redis_servers import RedisServers, SingleServer
from bowei.observability.environment import Environment, WrongEnvironment

GOOD: dict[str, type[RedisServers]] = {
    "redis://127.0.0.1:6379/0": SingleServer,
    "redis://bowei-ingest:secret@redis.example:6379": SingleServer,
    "rediss://redis.example:6379/3?ssl_ca_certs=/etc/ca.pem": SingleServer,
    "unix:///run/redis.sock?db=2": SingleServer,
    "redis+sentinel://one:26379,two:26379,three:26379/city": SentinelServers,
    "redis+sentinel://one,two/city?db=1&sentinel_username=u&sentinel_password=p": SentinelServers,
    "rediss+sentinel://bowei-ingest:p%40ss@one:26379/city?ssl_ca_certs=/etc/ca.pem": SentinelServers,
    "redis+cluster://127.0.0.1:7000,127.0.0.1:7001": ClusterServers,
    "redis+cluster://bowei-ingest:secret@127.0.0.1/": ClusterServers,
    "redis+cluster://[::1]:7000": ClusterServers,
    "rediss+cluster://127.0.0.1:7000": ClusterServers,
}
WRONG = [
    "http://secret:6379",
    "redis://host:secret",
    "redis://host:6379/0?socket_timeout=secret",
    "redis+sentinel://secret:26379",
    "redis+sentinel://secret:26379/",
    "redis+sentinel://host:26379/city/secret",
    "redis+sentinel://host:26379/city?db=secret",
    "redis+sentinel://host:26379/city?secret=1",
    "redis+sentinel://host:26379/city?secret",
    "redis+sentinel://user:secret@/city",
    "redis+cluster://host:secret",
    "redis+cluster://host:0,secret:1",
    "redis+cluster://host:6379,",
    "redis+cluster://secret:65536",
    "redis+cluster://host:6379/7?db=secret",
    "redis+cluster://[secret:6379",
    "redis+cluster://" + ",".join(["secret:1"] * 101),
]


@pytest.mark.parametrize("url", GOOD)
async def test_an_address_opens_the_form_that_it_names(url: str) -> None:
    """Nothing is sent and nothing is looked up before it is used."""
    servers = open_servers(url)
    assert type(servers) is GOOD[url]
    await servers.close()


def test_every_form_of_address_was_tried() -> None:
    """None of the schemes that the settings take is without an example."""
    assert {url.partition("://")[0] for url in GOOD} == SCHEMES


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_address_stops_the_start_and_is_not_repeated(url: str) -> None:
    """The sentence names the variable and what is wrong; nothing of the address, which may hold a password."""
    with pytest.raises(WrongAddress) as refused:
        open_servers(url)
    assert "secret" not in str(refused.value)
    with pytest.raises(WrongEnvironment, match="BOWEI_REDIS_URL") as stopped:
        Environment({"BOWEI_REDIS_URL": url}).redis_url(SCHEMES, check_address)
    assert "secret" not in str(stopped.value)


def test_a_name_and_a_password_are_no_part_of_what_an_address_shows() -> None:
    """Servers that turn up in a log or a traceback keep their secrets."""
    assert "hush" not in repr(open_servers("redis+sentinel://u:hush@h:1/city?sentinel_password=hush"))
