"""A publisher sends DATEX II to us, and each lot in it gets its own result."""

from httpx2 import Response

from tests.service.ingest_app import EMPORIUM, KEY, MALL, OTHER_KEY, SUSPENDED_KEY, IngestWorld, ingest, results
from tests.unit.datex2_written import TOTAL, VACANT, place, v3

PUBLICATION = v3(
    place(TOTAL + VACANT, lot="1001"), place(VACANT, lot="nowhere"), place(lot="emporium", opening="closed")
)


async def publish(
    world: IngestWorld,
    body: bytes,
    *,
    source: str = "malls",
    key: str = KEY,
    content_type: str = "application/xml; charset=utf-8",
) -> Response:
    """Post a publication as a source."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": content_type}
    return await world.client.post(f"/v1/datex2/{source}", content=body, headers=headers)


async def test_each_record_gets_its_own_result_and_is_shown() -> None:
    """The source's own codes are known; a lot of nobody stops no other."""
    async with ingest() as world:
        answer = await publish(world, PUBLICATION)
        assert results(answer) == [("applied", None), ("rejected", "unknown_lot"), ("applied", None)]
        assert [one.get("lot_id") for one in answer.json()["results"]] == ["1001", "nowhere", "emporium"]
        assert answer.json()["accepted"] == 2
        mall, emporium = await world.seen(MALL), await world.seen(EMPORIUM)
        assert mall is not None
        assert emporium is not None
        assert (mall.free, emporium.free, emporium.state) == (118, None, "closed")
        assert await world.metric('bowei_ingest_observations_total{result="applied",way="datex2"}') == 2


async def test_a_publication_sent_twice_changes_nothing() -> None:
    """A publisher may repeat what was not answered."""
    async with ingest() as world:
        await publish(world, PUBLICATION)
        kept = world.everything_kept()
        assert results(await publish(world, PUBLICATION))[0] == ("duplicate", None)
        assert world.everything_kept() == kept


async def test_only_the_source_itself_may_publish() -> None:
    """The key and the address must name one source, and one that is not suspended."""
    async with ingest() as world:
        for source, key, status in (
            ("office", KEY, 403),
            ("malls", OTHER_KEY, 403),
            ("liar", SUSPENDED_KEY, 403),
            ("malls", "malls.guessed", 401),
        ):
            assert (await publish(world, PUBLICATION, source=source, key=key)).status_code == status
        assert world.everything_kept() == ([], {}, set(), {})


async def test_what_is_no_status_publication_is_refused_with_its_code() -> None:
    """Each refusal says what is wrong, and nothing of it is kept."""
    large = v3(place(VACANT)) + b" " * (2 * 1024 * 1024)
    async with ingest() as world:
        for body, content_type, status, code in (
            (b"<payload/>", "text/xml", 422, "not_a_status"),
            (b"<payload>", "text/xml", 400, "malformed_xml"),
            (b"<!DOCTYPE x><payload/>", "text/xml", 400, "malformed_xml"),
            (large, "text/xml", 413, "body_too_large"),
            (PUBLICATION, "application/json", 415, "wrong_content_type"),
        ):
            answer = await publish(world, body, content_type=content_type)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert world.everything_kept() == ([], {}, set(), {})


async def test_the_example_of_the_description_is_taken() -> None:
    """What a publisher copies from the API's own description works, once its lot is registered."""
    async with ingest() as world:
        described = (await world.client.get("/v1/openapi.json")).json()["paths"]["/v1/datex2/{source_id}"]["post"]
        example = described["requestBody"]["content"]["application/xml"]["example"]
        answer = await publish(world, example.replace('"mall-a"', '"1001"').encode())
        assert results(answer) == [("applied", None)]
