"""The command `bowei-availability`."""

from bowei.observability.serving import run_service
from bowei.roads.errors import RoadsError
from services.availability.app import create_app
from services.availability.settings import settings_from


def main() -> None:
    """Serve until told to stop."""
    run_service("availability", settings_from, create_app, default_port=8103, refusals=(RoadsError,))


if __name__ == "__main__":
    main()
