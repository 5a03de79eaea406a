"""`python -m services.local`: the command `bowei`."""

from services.local.cli import app


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
