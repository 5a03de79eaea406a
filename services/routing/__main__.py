"""The command `bowei-routing`."""

from bowei.observability.serving import run_service
from services.routing.app import create_app
from services.routing.settings import settings_from


def main() -> None:
    """Serve until told to stop."""
    run_service("routing", settings_from, create_app, default_port=8102)


if __name__ == "__main__":
    main()
