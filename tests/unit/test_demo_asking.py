"""A driver's app repeats the same request until it is answered, and not for ever."""

import random

import httpx2

from services.local.demo.asking import Asking
from services.local.demo.counting import Tally

PATH = "/v1/diversions/demo-0001"


def _asking(answers: list[int | type[Exception]], *, budget_s: float = 5.0) -> tuple[Asking, Tally, list[str]]:
    """Give an app whose service answers so, one after the other, and then 200; and what the service was asked."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url.path} {request.content.decode()}")
        said = answers.pop(0) if answers else 200
        if isinstance(said, int):
            return httpx2.Response(said, json={"outcome": "held"})
        raise said("cut")

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://routing")
    tally = Tally()
    return Asking(client, tally, random.Random(1), budget_s=budget_s), tally, asked  # noqa: S311


async def test_a_lost_answer_is_asked_for_again_with_the_same_id_and_body() -> None:
    """A cut connection, a time-out, 503 and 429 are all repeated; the service sees one request four times over."""
    asking, tally, asked = _asking([httpx2.ConnectError, httpx2.ReadTimeout, 503, 429])
    answer = await asking.request("PUT", PATH, token="t", body={"hospital_id": "first"})
    assert answer is not None
    assert answer.status == 200
    assert len(asked) == 5
    assert len(set(asked)) == 1
    assert tally.repeats == 4


async def test_a_refusal_is_an_answer() -> None:
    """409 is not repeated: the same id would be refused again."""
    asking, _, asked = _asking([409])
    answer = await asking.request("PUT", PATH)
    assert answer is not None
    assert answer.status == 409
    assert len(asked) == 1


async def test_nobody_asks_for_ever() -> None:
    """When the budget is spent there is no answer, and that is said."""
    asking, _, asked = _asking([503] * 100, budget_s=0.5)
    assert await asking.request("PUT", PATH) is None
    assert 2 <= len(asked) < 10
