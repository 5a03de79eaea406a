"""How a refusal looks, in which language, and what is seen of it from outside."""

import asyncio
import json
import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bowei.domain.problems import KINDS
from bowei.observability.logs import JsonLines
from bowei.observability.problems import language_of
from tests.service.bordered_app import SECRET, bordered_app, client_of


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-TW", "zh"),
        ("zh-Hans-CN", "zh"),
        ("fr-CH, fr;q=0.9", "en"),
        ("en;q=0.4, zh;q=0.6", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense", "en"),
        ("*", "en"),
    ],
)
def test_the_language_follows_the_header_and_ends_in_english(header: str | None, language: str) -> None:
    """Proves that every kind of Chinese gets zh-Hans, and that nothing makes it fail."""
    assert language_of(header) == language


async def test_a_refusal_has_all_that_rfc_9457_asks_for() -> None:
    """Proves the shape on which clients rely, in Chinese."""
    async with client_of(bordered_app()) as client:
        answer = await client.get("/nowhere", headers={"Accept-Language": "zh-CN", "X-Request-ID": "abc-1"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == "zh-Hans"
    assert answer.json() == {
        "type": "/problems/not_found",
        "title": "未找到",
        "status": 404,
        "code": "not_found",
        "detail": KINDS["not_found"].zh,
        "instance": "abc-1",
    }


async def test_another_method_is_told_which_ones_there_are() -> None:
    """Proves that 405 is a problem too, and keeps Allow."""
    async with client_of(bordered_app()) as client:
        answer = await client.delete("/counts/1")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "PUT"


async def test_a_store_that_is_away_is_a_503_that_says_when_to_return() -> None:
    """Proves that a store's failure is mapped to its code, and that callers return at different times."""
    async with client_of(bordered_app()) as client:
        answers = [await client.get("/ledger-gone") for _ in range(40)]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "store_away")}
    waits = {int(answer.headers["retry-after"]) for answer in answers}
    assert min(waits) >= 1
    assert len(waits) > 1


async def test_a_refusal_may_add_its_own_members_and_wait() -> None:
    """Proves that details go beside the standard members and that the wait asked for is the least one told."""
    async with client_of(bordered_app()) as client:
        answer = await client.get("/later")

    assert answer.json()["limit"] == 6
    assert 30 <= int(answer.headers["retry-after"]) <= 33


async def test_a_fault_of_ours_is_a_500_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    """Proves that an exception's text, which may hold a plate, reaches neither the caller nor the log."""
    async with client_of(bordered_app()) as client:
        answer = await client.get("/breaks", headers={"X-Request-ID": "trace-me"})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert SECRET not in answer.text
    record = next(record for record in caplog.records if record.message == "request_failed")
    line = json.loads(JsonLines("small").format(record))
    assert (line["event"], line["error"], line["service"]) == ("request_failed", "RuntimeError", "small")
    assert any("breaks" in frame for frame in line["raised_at"])
    assert SECRET not in json.dumps(line, ensure_ascii=False)


async def test_a_request_that_takes_too_long_gets_an_answer() -> None:
    """Proves the time limit: reading says come back, writing says that the outcome is not known."""
    async with client_of(bordered_app()) as client:
        read, written = await client.get("/hangs"), await client.post("/hangs")

    assert (read.status_code, read.json()["code"]) == (503, "overloaded")
    assert (written.status_code, written.json()["code"]) == (503, "outcome_unknown")


async def test_an_event_stream_outlives_the_time_limit() -> None:
    """Proves that a board's stream is not cut like a slow request."""
    async with client_of(bordered_app()) as client:
        answer = await client.get("/stream")

    assert answer.text == "data: first\n\ndata: second\n\n"


@pytest.mark.parametrize(("sent", "kept"), [("a.B_c-9", True), ("x" * 64, True), ("x" * 65, False), ("a b", False)])
async def test_a_request_id_is_kept_if_it_is_harmless(sent: str, kept: bool) -> None:
    """Proves that a caller can follow its request, and can't write into our logs with it."""
    async with client_of(bordered_app()) as client:
        answer = await client.get("/livez", headers={"X-Request-ID": sent})

    given = answer.headers["x-request-id"]
    assert (given == sent) is kept
    assert given


async def test_every_answer_carries_the_security_headers() -> None:
    """Proves that the border sets them, on refusals too."""
    async with client_of(bordered_app()) as client:
        for answer in (await client.get("/livez"), await client.get("/nowhere"), await client.get("/breaks")):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_metrics_count_by_template_and_code_never_by_what_was_asked() -> None:
    """Proves that a thousand ids make one series, and that each metric explains itself."""
    async with client_of(bordered_app()) as client:
        for number in range(3):
            await client.put(f"/counts/{SECRET}{number}", json={})
            await client.get(f"/{SECRET}{number}")
        shown = (await client.get("/metrics")).text

    families = {family.name: family for family in text_string_to_metric_families(shown)}
    counts = {
        tuple(sample.labels[name] for name in ("method", "route", "status")): sample.value
        for sample in families["http_server_request_duration_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert counts == {("PUT", "/counts/{count_id}", "422"): 3, ("GET", "unmatched", "404"): 3}
    problems = {
        sample.labels["code"]: sample.value
        for sample in families["bowei_http_problems"].samples
        if sample.name.endswith("_total")
    }
    assert problems == {"invalid_request": 3, "not_found": 3}
    assert all(family.documentation for family in families.values())
    assert SECRET not in shown


async def test_a_lost_store_shows_and_takes_no_process_out_of_service() -> None:
    """Proves that readiness stays 200 with the store named, not the message of its failure."""

    async def well() -> str | None:
        return None

    async def broken() -> str | None:
        raise OSError(SECRET)

    async with client_of(bordered_app({"ledger": well, "live_state": broken})) as client:
        ready, shown = await client.get("/readyz"), (await client.get("/metrics")).text

    assert ready.status_code == 200
    assert ready.json() == {
        "status": "degraded",
        "dependencies": {"ledger": {"state": "ok"}, "live_state": {"state": "away", "detail": "OSError"}},
    }
    assert 'bowei_dependency_up{dependency="ledger"} 1.0' in shown
    assert 'bowei_dependency_up{dependency="live_state"} 0.0' in shown


async def test_a_store_that_does_not_answer_does_not_hang_the_probe() -> None:
    """Proves that readiness is known within about a second."""

    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    app = bordered_app({"live_state": hangs}, limit_s=5.0)
    async with client_of(app) as client, asyncio.timeout(3):
        ready = await client.get("/readyz")

    assert ready.json()["dependencies"] == {"live_state": {"state": "away", "detail": "no answer in 1 s"}}


async def test_a_process_with_not_even_a_degraded_answer_is_unready() -> None:
    """Proves that a load balancer is told to look elsewhere, while the process stays alive."""
    async with client_of(bordered_app(unready="nothing was ever copied")) as client:
        ready, alive = await client.get("/readyz"), await client.get("/livez")

    assert (ready.status_code, ready.json()["detail"]) == (503, "nothing was ever copied")
    assert alive.status_code == 200


def test_a_log_line_is_one_line_of_json_with_its_fields() -> None:
    """Proves the form that log collectors read, line breaks and Chinese in fields included."""
    record = logging.makeLogRecord({"name": "bowei.x", "levelname": "INFO", "msg": "hold_placed", "lot_id": "甲\n乙"})

    text = JsonLines("routing").format(record)

    line = json.loads(text)
    assert "\n" not in text
    assert text.isascii()
    assert (line["event"], line["lot_id"], line["service"], line["level"]) == (
        "hold_placed",
        "甲\n乙",
        "routing",
        "info",
    )
    assert line["at"].endswith("Z")
