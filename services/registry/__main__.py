"""The command `bowei-registry`."""

from bowei.observability.serving import run_service
from services.registry.app import create_app
from services.registry.settings import settings_from


def main() -> None:
    """Serve until told to stop."""
    run_service("registry", settings_from, create_app, default_port=8100)


if __name__ == "__main__":
    main()
