"""How the copy fails: it is away. Nothing promised depends on it."""


class LiveStateAway(Exception):
    """The live state can't be reached now; go on without it and say so."""
