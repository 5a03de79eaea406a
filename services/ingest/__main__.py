"""The command `bowei-ingest`."""

from bowei.observability.environment import Environment
from bowei.observability.serving import serve
from services.ingest.app import create_app
from services.ingest.settings import settings_from

DEFAULT_PORT = 8101


def main() -> None:
    """Serve until told to stop."""
    environment = Environment()
    settings = settings_from(environment)
    serve(lambda: create_app(settings), default_port=DEFAULT_PORT, environment=environment)


if __name__ == "__main__":
    main()
