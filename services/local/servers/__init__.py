"""Real Redis and Postgres servers for one machine: no Docker, no root, no open port.

    finding          which programs this machine has: its own, or carried by wheels
    postgres_server  make a ledger once, start Postgres on it
    redis_server     start Redis on its copy, or on an empty one
    redis_asking     ask a Redis about itself
    unprivileged     what Postgres runs as when the command runs as root
    embedded         both together, for the length of one context

Standard library only. Everything durable is switched on: durability is the product.
"""

from services.local.servers.embedded import Servers, embedded_servers

__all__ = ["Servers", "embedded_servers"]
