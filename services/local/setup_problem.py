"""What stands between a person and a running city: named once, with the way out."""


class SetupProblem(Exception):
    """Something about this machine must change before Bowei can run here.

    Attributes:
        code: stable and machine readable, for example `port_in_use`.
        what: one sentence: what was found.
        fix: one sentence: what to do about it.
    """

    def __init__(self, code: str, what: str, fix: str) -> None:
        super().__init__(code, what, fix)
        self.code = code
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what} {self.fix}"
