"""What the services share; each room is named by the kind of truth that it holds.

    domain         RULES     pure values and functions; no I/O, no clock, no framework
    records        PROMISED  Postgres: holds, reports, what the parties agreed; the only importer of asyncpg
    livestate      NOW       Redis: the copy that everyone reads; the only importer of redis
    roads          WAYS      the road graph and driving times
    observability  SEEN      the border of every process: problems, health, metrics, logs, settings

Rooms import the domain and never each other; services import rooms (docs/architecture.md).
"""
