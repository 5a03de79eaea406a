"""Addresses of Redis in every form that it is run in, and the connections behind them.

    redis://[user:password@]host:port[/db]        rediss://… with TLS        unix://[user:password@]/path[?db=…]
    redis+sentinel://[user:password@]host:port,host:port/name[?db=…]         rediss+sentinel://…
    redis+cluster://[user:password@]host:port,host:port                      rediss+cluster://…

User and password are the servers'; the sentinels' own go into `?sentinel_username=…&sentinel_password=…`. With TLS,
`?ssl_ca_certs=/path` names the authority to trust in place of the machine's.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from bowei.livestate.redis_cluster import ClusterServers
from bowei.livestate.redis_sentinel import SentinelServers
from bowei.livestate.redis_servers import RedisServers, SingleServer

SCHEMES = frozenset({"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"})

TIMEOUT_S = 2.0
_SENTINEL_TIMEOUT_S = 0.5
_CONNECTIONS_MAX = 32
_SERVERS_MAX = 100
_USUAL_PORTS = {"sentinel": 26379, "cluster": 6379}
_PARAMETERS = {
    "sentinel": {"db", "sentinel_username", "sentinel_password", "ssl_ca_certs"},
    "cluster": {"ssl_ca_certs"},
}


class WrongAddress(ValueError):
    """An address of Redis can't be used; the text says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class _Address:
    """What an address of several servers says."""

    servers: list[tuple[str, int]]
    name: str
    tls: bool
    username: str | None
    password: str | None = field(repr=False)
    parameters: dict[str, str] = field(repr=False)


def open_servers(url: str) -> RedisServers:
    """Prepare connections to the servers at `url`; nothing is sent yet.

    Raises:
        WrongAddress: it is not of a known form.
    """
    check_address(url)
    form = _form(url)
    if form == "sentinel":
        return _open_sentinel(_read(url, form))
    if form == "cluster":
        return _open_cluster(_read(url, form))
    return SingleServer(Redis.from_url(url, **_options(), max_connections=_CONNECTIONS_MAX, retry=_never_again()))


def check_address(url: str) -> None:
    """Say whether `url` is of a known form.

    Raises:
        WrongAddress: it is not.
    """
    form = _form(url)
    if form in _PARAMETERS:
        _read(url, form)
        return
    try:
        parse_url(url)
    except ValueError:
        # Without the cause, which repeats a part of the address.
        raise WrongAddress("its port, its database or one of its parameters is not what Redis takes") from None


def _form(url: str) -> str:
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise WrongAddress(f"it does not start with {' or '.join(sorted(SCHEMES))}://")
    return scheme.rpartition("+")[2]


def _open_sentinel(address: _Address) -> RedisServers:
    to_sentinels = {
        **_options(),
        **_tls(address),
        "socket_timeout": _SENTINEL_TIMEOUT_S,
        "socket_connect_timeout": _SENTINEL_TIMEOUT_S,
        "username": address.parameters.get("sentinel_username"),
        "password": address.parameters.get("sentinel_password"),
        "retry": _never_again(),
    }
    to_servers = {
        **_options(),
        **_tls(address),
        **_credentials(address),
        "db": int(address.parameters.get("db", "0")),
        "max_connections": _CONNECTIONS_MAX,
        "retry": _never_again(),
    }
    sentinels = Sentinel(address.servers, sentinel_kwargs=to_sentinels)  # type: ignore[no-untyped-call]
    return SentinelServers(sentinels, address.name, to_servers)


def _open_cluster(address: _Address) -> RedisServers:
    options = {**_options(), **_tls(address), **_credentials(address)}

    def make_cluster() -> RedisCluster:
        return RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in address.servers],
            max_connections=_CONNECTIONS_MAX,
            retry=_never_again(),
            reinitialize_steps=0,
            **options,
        )

    def make_single(host: str, port: int) -> Redis:
        return Redis(host=host, port=port, retry=_never_again(), **options)

    return ClusterServers(make_cluster, make_single)


def _read(url: str, form: str) -> _Address:
    try:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query, strict_parsing=True, keep_blank_values=True)) if parts.query else {}
    except ValueError:
        raise WrongAddress("it is not an address") from None
    if given.keys() - _PARAMETERS[form]:
        raise WrongAddress(f"it has a parameter other than {', '.join(sorted(_PARAMETERS[form]))}")
    if not given.get("db", "0").isdecimal():
        raise WrongAddress("its db is not a number")
    name = unquote(parts.path.strip("/"))
    if form == "sentinel" and (not name or "/" in name):
        raise WrongAddress("after the sentinels it lacks the name under which they watch the master: /NAME")
    if form == "cluster" and name:
        raise WrongAddress("a cluster has no database to name after its servers")
    user, _, servers = parts.netloc.rpartition("@")
    username, _, password = user.partition(":")
    named = [_server(text, _USUAL_PORTS[form]) for text in servers.split(",")]
    if len(named) > _SERVERS_MAX:
        raise WrongAddress(f"it names more than {_SERVERS_MAX} servers")
    return _Address(
        servers=named,
        name=name,
        tls=parts.scheme.startswith("rediss"),
        username=unquote(username) or None,
        password=unquote(password) or None,
        parameters=given,
    )


def _server(text: str, usual_port: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, str(usual_port)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) <= 65_535:
        raise WrongAddress("its servers are not of the form host:port,host:port")
    return host, int(port)


def _options() -> dict[str, Any]:
    # driver_info: redis-py would otherwise name itself to each new connection, a command that users need not have.
    return {
        "decode_responses": True,
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "driver_info": None,
    }


def _credentials(address: _Address) -> dict[str, Any]:
    return {"username": address.username, "password": address.password}


def _tls(address: _Address) -> dict[str, Any]:
    if not address.tls:
        return {}
    return {"ssl": True, "ssl_ca_certs": address.parameters.get("ssl_ca_certs")}


def _never_again() -> Retry:
    # A command whose answer was lost may have been done: what is shown is shown again soon.
    return Retry(NoBackoff(), 0)
