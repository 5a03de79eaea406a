"""The command `bowei-registry`."""

import sys

from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.logs import configure_logs
from bowei.observability.serving import serve
from services.registry.app import create_app
from services.registry.settings import DEFAULT_PORT, settings_from


def main() -> None:
    """Serve the registry until told to stop."""
    environment = Environment()
    try:
        settings = settings_from(environment)
        configure_logs("registry", settings.log_level)
        serve(lambda: create_app(settings), default_port=DEFAULT_PORT, environment=environment)
    except WrongEnvironment as wrong:
        sys.exit(f"bowei-registry: {wrong}")


if __name__ == "__main__":
    main()
