"""Real Redis and Postgres servers for one machine: no Docker, no root, no open port.

```
finding.py          which programs this machine has: its own, or carried by wheels
postgres_server.py  make a ledger once, start Postgres on it
redis_server.py     start Redis on its copy, or on an empty one
unprivileged.py     what Postgres runs as when the command runs as root
    embedded.py         both together, for the length of one context

Standard library only. Everything durable is switched on: durability is the product.
"""

from services.local.servers.embedded import Servers, embedded_servers

__all__ = ["Servers", "embedded_servers"]
