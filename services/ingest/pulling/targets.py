"""Targets: which addresses may be fetched, so that nobody makes us ask our own network in their place.

A name is resolved once, every address that it has must be allowed, and the connection goes to one of those: a name that
changes between the look and the connection changes nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from services.ingest.pulling.failures import Failure, PullFailed

Resolves = Callable[[str, int], Awaitable[list[str]]]
"""Gives the addresses of a host. Raises OSError."""
_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that anybody was ever given for the internet."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]

    def host_header(self) -> str:
        """Give what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


async def resolve(host: str, port: int) -> list[str]:
    """Give the addresses of a host, as the system resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet, also through what carries IPv4 inside IPv6."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        carried = found.ipv4_mapped or found.sixtofour
        if carried is None and found in _NAT64:
            carried = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        found = found if carried is None else carried
    if isinstance(found, ipaddress.IPv6Address) and found not in _GIVEN_OUT:
        return False
    return found.is_global and not found.is_multicast


async def find_target(
    url: str, *, insecure: bool, allow_private: bool, resolves: Resolves, is_outside: Callable[[str], bool] = is_public
) -> Target:
    """Find out where a URL leads.

    Raises:
        PullFailed: it may not be fetched, or has no address.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in _PORTS or not host:
        raise PullFailed(Failure.TARGET_REFUSED, "what it leads to is no address of the web")
    if scheme == "http" and not insecure:
        raise PullFailed(Failure.TARGET_REFUSED, "it leads away from TLS")
    port = port or _PORTS[scheme]
    try:
        addresses = await resolves(host, port)
    except (OSError, UnicodeError) as error:
        raise PullFailed(Failure.UNREACHABLE, f"the name {host} has no address") from error
    if not addresses:
        raise PullFailed(Failure.UNREACHABLE, f"the name {host} has no address")
    if not allow_private and not all(is_outside(address) for address in addresses):
        raise PullFailed(Failure.TARGET_REFUSED, f"{host} is an address inside; allow_private: true would allow it")
    return Target(scheme, host, port, tuple(addresses))
