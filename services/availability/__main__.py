"""The command `bowei-availability`, and `python -m services.availability`."""

import sys

from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.logs import configure_logs
from bowei.observability.serving import serve
from bowei.roads.errors import RoadsError
from services.availability.app import create_app
from services.availability.settings import DEFAULT_PORT, settings_from


def main() -> None:
    """Serve until told to stop."""
    environment = Environment()
    try:
        settings = settings_from(environment)
        configure_logs("availability", settings.log_level)
        serve(lambda: create_app(settings), default_port=DEFAULT_PORT, environment=environment)
    except (WrongEnvironment, RoadsError) as wrong:
        sys.exit(f"bowei-availability: {wrong}")


if __name__ == "__main__":
    main()
