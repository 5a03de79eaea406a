"""What an operator may set for the registry, read from the environment at start."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bowei.observability.environment import Environment, WrongEnvironment
from services.registry.token_keys import TokenKeys, WrongKeys
from services.registry.tokens import AUDIENCE, Provider

_TOKEN_SHORTEST = 16
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the registry."""

    database_url: str = field(repr=False)
    require_synchronous: bool
    """Refuse a Postgres that waits for no standby."""
    admin_token: str | None = field(repr=False)
    """Opens every address; None: administrators are parties, the first by a code that is printed."""
    token_keys: TokenKeys | None = field(default=None, repr=False)
    """What access tokens are signed with; None: a key that lives as long as the process."""
    token_issuer: str = "bowei"  # noqa: S105 (a name)
    provider: Provider | None = None
    """An OpenID provider whose tokens are taken too."""
    roads: Path | None = None
    """A road file: whoever registers a place is told where it lies off the roads."""
    pages_url: str | None = None
    """Where people's browsers find the pages: the one origin that may ask from elsewhere."""
    quality_open: bool = False
    """Whether everyone may look at data quality; acting always needs the token."""


def settings_from(environment: Environment) -> Settings:
    """Read the settings; see docs/settings.md for each.

    Raises:
        WrongEnvironment: one is missing or wrong.
    """
    return Settings(
        database_url=environment.database_url(),
        require_synchronous=environment.require_synchronous(),
        admin_token=_admin_token(environment),
        token_keys=_token_keys(environment),
        token_issuer=environment.text("BOWEI_TOKEN_ISSUER", "bowei"),
        provider=_provider(environment),
        roads=environment.roads(),
        pages_url=environment.public_url("BOWEI_PAGES_URL"),
        quality_open=environment.flag("BOWEI_QUALITY_OPEN"),
    )


def _admin_token(environment: Environment) -> str | None:
    name = "BOWEI_ADMIN_TOKEN"
    return None if environment.find_secret(name) is None else environment.secret(name, shortest=_TOKEN_SHORTEST)


def _token_keys(environment: Environment) -> TokenKeys | None:
    text = environment.find_secret("BOWEI_TOKEN_KEYS")
    try:
        return None if text is None else TokenKeys.read(text)
    except WrongKeys as error:
        raise WrongEnvironment(
            f"BOWEI_TOKEN_KEYS can't be used: {error}. Make keys with `bowei token-keys add FILE`."
        ) from error


def _provider(environment: Environment) -> Provider | None:
    issuer = environment.find_text("BOWEI_OPENID_ISSUER")
    if issuer is None:
        return None
    jwks_url = environment.url("BOWEI_OPENID_JWKS_URL", schemes=frozenset({"https", "http"}))
    address = urlsplit(jwks_url)
    if address.scheme == "http" and address.hostname not in _THIS_MACHINE:
        # Whoever stands on the way could hand out keys of their own.
        raise WrongEnvironment("BOWEI_OPENID_JWKS_URL is not an address that starts with https://.")
    return Provider(
        issuer=issuer,
        jwks_url=jwks_url,
        audience=environment.text("BOWEI_OPENID_AUDIENCE", AUDIENCE),
        party_claim=environment.text("BOWEI_OPENID_PARTY_CLAIM", "bowei_party"),
        token_type=environment.text("BOWEI_OPENID_TOKEN_TYPE", "at+jwt"),
    )
