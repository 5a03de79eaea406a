"""What runs: each folder is one process, with its own command.

    registry      the parties agree: lots, hospitals, agreements, sources
    ingest        lots report
    routing       drivers and gate staff ask
    availability  everyone looks
    local         the whole city on one machine: the command `bowei`

The first four never import each other: they meet in the stores. In each, `app` alone names concrete stores.
"""
