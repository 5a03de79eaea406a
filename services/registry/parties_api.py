"""HTTP in, HTTP out, of the parties: who may sign in, how they do, and the keys by which their tokens are checked."""

import base64
import binascii
import hmac
import logging
from dataclasses import replace
from typing import Annotated
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bowei.domain.acts import Act
from bowei.domain.lots import HospitalId, LotId
from bowei.domain.parties import Party, PartyId, Role
from bowei.domain.problems import Refused
from bowei.observability.bodies import RequestLimits
from bowei.observability.logs import request_id
from bowei.observability.problems import problem_responses
from bowei.records.registering import LONGEST_KEY, key_sha256_of
from services.registry.access import scopes_of
from services.registry.asking import Asking, asker
from services.registry.auditing import audited
from services.registry.enrolling import made_key
from services.registry.params import STRICT, Identifier, IdInPath, NameIn, Words
from services.registry.tokens import LIFETIME
from services.registry.views import View, listed, party_view
from services.registry.wiring import Wired

_log = logging.getLogger(__name__)
_TOKEN_PATH = "/v1/token"  # noqa: S105 (an address)
_FORM = "application/x-www-form-urlencoded"
_MOST_OBJECTS = 1_000

LIMITS = {_TOKEN_PATH: RequestLimits(body_bytes=4_096, content_types=(_FORM,))}

PartyIdPath = Annotated[IdInPath, Path(alias="party_id")]


class PartyIn(BaseModel):
    """A party: its role, and what it speaks for."""

    model_config = STRICT | ConfigDict(
        json_schema_extra={
            "examples": [{"role": "operator", "name": {"zh": "工联CC", "en": "Gonglian CC"}, "lots": ["gonglian-cc"]}]
        }
    )
    role: Annotated[Role, Field(strict=False)]
    name: NameIn
    lots: Annotated[list[Identifier], Field(max_length=_MOST_OBJECTS)] = []
    hospitals: Annotated[list[Identifier], Field(max_length=_MOST_OBJECTS)] = []
    blocks: Annotated[list[Words], Field(max_length=_MOST_OBJECTS)] = []
    suspended: bool = Field(default=False, description="Its tokens open nothing from now on.")

    def party(self, party_id: str) -> Party:
        """Give the domain's value."""
        return Party(
            party_id=PartyId(party_id),
            role=self.role,
            name=self.name.name(),
            lots=frozenset(LotId(one) for one in self.lots),
            hospitals=frozenset(HospitalId(one) for one in self.hospitals),
            blocks=frozenset(self.blocks),
            suspended=self.suspended,
        )


class FirstIn(BaseModel):
    """Who becomes the first administrator, and the code that was printed when the registry was set up."""

    model_config = STRICT
    code: Annotated[str, Field(min_length=16, max_length=64)]
    party_id: Identifier
    name: NameIn


class TokenOut(BaseModel):
    """An access token, as OAuth 2.0 gives it."""

    access_token: str
    token_type: str
    expires_in: int = Field(description="Seconds.")
    scope: str = Field(description="The operations that the party's role may ask for.")


router = APIRouter(
    prefix="/v1",
    tags=["parties"],
    dependencies=[Depends(asker), Depends(audited)],
    responses=problem_responses(400, 401, 403, 404, 422, 503),
)
signing_in = APIRouter(tags=["parties"], responses=problem_responses(401, 422, 429, 503))


@router.get("/parties", operation_id="list_parties")
async def list_parties(wired: Wired) -> View:
    """List all parties; secrets are not kept and not shown."""
    return listed([party_view(party) for party in await wired.parties.parties()])


@router.get("/parties/{party_id}", operation_id="get_party")
async def get_party(party_id: PartyIdPath, wired: Wired, asking: Asking) -> View:
    """Show one party; each may see itself."""
    asking.check_party(party_id)
    return party_view(await _known(wired, party_id))


@router.put("/parties/{party_id}", operation_id="put_party", responses={201: {"description": "Registered"}})
async def put_party(party_id: PartyIdPath, sent: PartyIn, wired: Wired, response: Response) -> View:
    """Register a party, or change it. A new one's `secret` is in the answer that made it, and never again."""
    secret, party = made_key(party_id), sent.party(party_id)
    fresh = await wired.parties.put(_with_secret(party, secret))
    response.status_code = 201 if fresh else 200
    _log.info("party_registered", extra={"party_id": party_id, "role": party.role})
    return party_view(party, secret if fresh else None)


@router.post("/parties/{party_id}/secret", operation_id="make_party_secret", status_code=201)
async def make_party_secret(party_id: PartyIdPath, wired: Wired, asking: Asking) -> View:
    """Make a party a new secret, shown once; the one before ends at once, and its tokens within ten minutes."""
    asking.check_party(party_id)
    party, secret = await _known(wired, party_id), made_key(party_id)
    await wired.parties.change_secret(party.party_id, key_sha256_of(secret))
    _log.info("party_secret_made", extra={"party_id": party_id})
    return party_view(party, secret)


@signing_in.post(
    _TOKEN_PATH,
    operation_id="make_token",
    summary="An access token for a party's secret (OAuth 2.0 client credentials)",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                _FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["grant_type"],
                        "properties": {
                            "grant_type": {"const": "client_credentials"},
                            "client_id": {"type": "string"},
                            "client_secret": {"type": "string"},
                        },
                    }
                }
            },
        }
    },
)
async def make_token(request: Request, wired: Wired, response: Response) -> TokenOut:
    """Give a token for ten minutes. The party's id and secret come in the form, or as HTTP Basic."""
    wired.sign_ins.take(request.client.host if request.client else "")
    party_id, secret = _credentials(request.headers.get("authorization"), (await request.body()).decode())
    party = await wired.parties.find(PartyId(party_id))
    # Compared with something whatever was sent, so that a party that there is takes no longer than one that is not.
    kept = party.secret_sha256 if party is not None and party.secret_sha256 is not None else bytes(32)
    right = hmac.compare_digest(key_sha256_of(secret), kept)
    if party is None or not right or party.suspended:
        raise Refused("key_wrong", details={"error": "invalid_client"})
    scopes = scopes_of(party.role)
    response.headers["Cache-Control"] = "no-store"
    return TokenOut(
        access_token=wired.tokens.make(party.party_id, scopes),
        token_type="Bearer",  # noqa: S106 (how it is sent)
        expires_in=int(LIFETIME.total_seconds()),
        scope=" ".join(sorted(scopes)),
    )


@signing_in.get("/.well-known/jwks.json", operation_id="list_token_keys", summary="The keys that tokens are checked by")
async def list_token_keys(wired: Wired, response: Response) -> View:
    """Give the public keys; a new one stands here before it signs."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return wired.tokens.published()


@signing_in.post(
    "/v1/first-administrator",
    operation_id="make_first_administrator",
    status_code=201,
    summary="The first administrator, by the code that was printed at set-up",
)
async def make_first_administrator(sent: FirstIn, request: Request, wired: Wired) -> View:
    """Register the first administrator, and give its secret once. The code is over with that."""
    wired.sign_ins.take(request.client.host if request.client else "")
    secret = made_key(sent.party_id)
    party = Party(PartyId(sent.party_id), Role.ADMINISTRATOR, sent.name.name())
    act = Act("first-code", "make_first_administrator", request.url.path, "done", request_id.get() or "")
    if not await wired.parties.make_first(_with_secret(party, secret), key_sha256_of(sent.code), act):
        raise Refused("key_wrong")
    _log.info("first_administrator_made", extra={"party_id": sent.party_id})
    return party_view(party, secret)


async def _known(wired: Wired, party_id: str) -> Party:
    party = await wired.parties.find(PartyId(party_id))
    if party is None:
        raise Refused("unknown_party")
    return party


def _with_secret(party: Party, secret: str) -> Party:
    return replace(party, secret_sha256=key_sha256_of(secret))


def _credentials(authorization: str | None, form: str) -> tuple[str, str]:
    """Give the id and secret that were sent. Raises Refused: key_missing, key_wrong, wrong_grant."""
    sent = {name: values[-1] for name, values in parse_qs(form, max_num_fields=20).items()}
    if sent.get("grant_type") != "client_credentials":
        raise Refused("wrong_grant", details={"error": "unsupported_grant_type"})
    scheme, _, basic = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            party_id, colon, secret = base64.b64decode(basic.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if not colon:
            raise Refused("key_missing", details={"error": "invalid_client"})
        party_id, secret = unquote_plus(party_id), unquote_plus(secret)
    else:
        party_id, secret = sent.get("client_id", ""), sent.get("client_secret", "")
    if not party_id or not secret:
        raise Refused("key_missing", details={"error": "invalid_client"})
    if len(party_id) > LONGEST_KEY or len(secret) > LONGEST_KEY or "\x00" in party_id:
        raise Refused("key_wrong", details={"error": "invalid_client"})
    return party_id, secret
