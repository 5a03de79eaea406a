"""Who publishes, and what may be done with it. What the operator does not say is left out, never made up."""

from dataclasses import dataclass
from typing import Any

from bowei.observability.environment import Environment, WrongEnvironment

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Publisher:
    """The operator, as open data names it."""

    publisher_id: str = "bowei"
    """Names the publication in DATEX II and the city in ParkAPI v1: letters, digits and hyphens."""
    name: str = "Bowei"
    country: str = "cn"
    """ISO 3166-1, two small letters."""
    licence: str | None = None
    """Such as CC-BY-4.0."""
    licence_url: str | None = None
    attribution: str | None = None
    url: str | None = None
    """Where people's browsers find availability; without it addresses are relative."""

    def terms(self) -> dict[str, Any]:
        """Give what is said of licence and attribution, where it is said."""
        said = {"license": self.licence, "license_url": self.licence_url, "attribution": self.attribution}
        return {key: value for key, value in said.items() if value is not None}


def publisher_from(environment: Environment) -> Publisher:
    """Read who publishes; see docs/settings.md.

    Raises:
        WrongEnvironment: one is wrong.
    """
    publisher_id = environment.text("BOWEI_OPEN_ID", "bowei")
    if not (publisher_id.isascii() and publisher_id.replace("-", "").isalnum() and len(publisher_id) <= 60):
        raise WrongEnvironment("BOWEI_OPEN_ID is not a name of letters, digits and hyphens.")
    country = environment.text("BOWEI_OPEN_COUNTRY", "cn")
    if not (len(country) == 2 and country.isascii() and country.isalpha() and country.islower()):
        raise WrongEnvironment("BOWEI_OPEN_COUNTRY is not a country's two small letters, such as cn.")
    return Publisher(
        publisher_id=publisher_id,
        name=environment.text("BOWEI_OPEN_NAME", "Bowei")[:_LONGEST],
        country=country,
        licence=environment.find_text("BOWEI_OPEN_LICENCE"),
        licence_url=environment.public_url("BOWEI_OPEN_LICENCE_URL"),
        attribution=environment.find_text("BOWEI_OPEN_ATTRIBUTION"),
        url=environment.public_url("BOWEI_PAGES_URL"),
    )
