"""The command `bowei-ingest`."""

from bowei.observability.serving import run_service
from services.ingest.app import create_app
from services.ingest.settings import settings_from


def main() -> None:
    """Serve until told to stop."""
    run_service("ingest", settings_from, create_app, default_port=8101)


if __name__ == "__main__":
    main()
