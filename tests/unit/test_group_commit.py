"""Group commit: who waits shares the next commit, in order, and everyone hears the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bowei.records.failures import Overloaded, StoreAway
from bowei.records.group_commit import Commit, GroupCommit


class Ledger:
    """Commits batches of words when it is let; answers each word in capitals."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = asyncio.Event()
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()
        self.writers = 0

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Commit[str, str]]:
        """Give what commits, and count the writers that are there."""
        self.writers += 1
        yield self.commit
        self.writers -= 1
        self.gone.set()

    async def commit(self, batch: Sequence[str]) -> Sequence[str]:
        """Remember the batch, and answer when the ledger is open."""
        self.batches.append(list(batch))
        self.begun.set()
        await asyncio.wait_for(self.open.wait(), timeout=5)
        if "bad" in batch:
            raise StoreAway("the disk is full")
        return [word.upper() for word in batch]


@pytest.fixture
async def ledger() -> Ledger:
    """Give a ledger that is busy until it is let."""
    return Ledger()


def grouping(
    ledger: Ledger, *, most: int = 200, queue_limit: int = 100, patience_s: float = 5.0, stays_s: float = 1.0
) -> GroupCommit[str, str]:
    """Group words by their letters: two words that share one may not stand in one batch."""
    return GroupCommit(
        ledger.writing, keys=set, most=most, queue_limit=queue_limit, patience_s=patience_s, stays_s=stays_s
    )


async def waiting(group: GroupCommit[str, str], ledger: Ledger, *words: str) -> list[asyncio.Task[str]]:
    """Let the first word's commit begin, and the others wait."""
    tasks = [asyncio.create_task(group.submit(words[0]))]
    await asyncio.wait_for(ledger.begun.wait(), timeout=5)
    tasks += [asyncio.create_task(group.submit(word)) for word in words[1:]]
    await asyncio.sleep(0)
    return tasks


async def test_a_request_that_is_alone_is_committed_at_once(ledger: Ledger) -> None:
    """No other request has to come for it."""
    ledger.open.set()
    assert await grouping(ledger).submit("a") == "A"
    assert ledger.batches == [["a"]]


async def test_requests_that_come_during_a_commit_share_the_next(ledger: Ledger) -> None:
    """Each gets its own answer."""
    group = grouping(ledger)
    tasks = await waiting(group, ledger, "a", "b", "c", "d")
    assert group.waiting == 3
    ledger.open.set()
    assert await asyncio.gather(*tasks) == ["A", "B", "C", "D"]
    assert ledger.batches == [["a"], ["b", "c", "d"]]


async def test_a_batch_has_a_limit(ledger: Ledger) -> None:
    """What does not fit is the next batch."""
    tasks = await waiting(grouping(ledger, most=2), ledger, "a", "b", "c", "d")
    ledger.open.set()
    await asyncio.gather(*tasks)
    assert ledger.batches == [["a"], ["b", "c"], ["d"]]


async def test_requests_that_share_a_key_keep_their_order_in_different_batches(ledger: Ledger) -> None:
    """Nothing overtakes what was left behind, also not what shares only its other key."""
    tasks = await waiting(grouping(ledger), ledger, "x", "a", "ab", "bc", "d")
    ledger.open.set()
    await asyncio.gather(*tasks)
    assert ledger.batches == [["x"], ["a", "d"], ["ab"], ["bc"]]


async def test_a_failed_commit_is_told_to_those_in_it_and_to_nobody_else(ledger: Ledger) -> None:
    """The next batch is committed all the same."""
    tasks = await waiting(grouping(ledger, most=2), ledger, "x", "bad", "c", "d", "e")
    ledger.open.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, StoreAway, StoreAway, str, str]


async def test_a_full_queue_refuses_at_once(ledger: Ledger) -> None:
    """Nobody waits in a queue without an end."""
    group = grouping(ledger, queue_limit=2)
    tasks = await waiting(group, ledger, "a", "b", "c")
    with pytest.raises(Overloaded):
        await group.submit("d")
    ledger.open.set()
    assert await asyncio.gather(*tasks) == ["A", "B", "C"]


async def test_a_request_that_waited_too_long_is_dropped_before_work_is_done_on_it(ledger: Ledger) -> None:
    """Its client has gone; the ledger never sees it."""
    ledger.open.set()
    with pytest.raises(Overloaded):
        await grouping(ledger, patience_s=-1.0).submit("a")
    assert ledger.batches == []


async def test_a_request_whose_client_has_gone_is_not_committed(ledger: Ledger) -> None:
    """A closed connection takes its request out of the queue."""
    tasks = await waiting(grouping(ledger), ledger, "a", "b", "c")
    tasks[1].cancel()
    await asyncio.sleep(0)
    ledger.open.set()
    assert await asyncio.gather(*[tasks[0], tasks[2]]) == ["A", "C"]
    assert ledger.batches == [["a"], ["c"]]


async def test_closing_lets_the_commit_in_flight_finish_and_refuses_the_rest(ledger: Ledger) -> None:
    """A process that stops leaves nobody waiting."""
    group = grouping(ledger)
    tasks = await waiting(group, ledger, "a", "b")
    closing = asyncio.create_task(group.close())
    await asyncio.sleep(0)
    ledger.open.set()
    await closing
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[0] == "A"
    assert isinstance(answers[1], Overloaded)


async def test_a_writer_stays_for_the_next_request_and_takes_it_at_once(ledger: Ledger) -> None:
    """What it keeps is there for whoever comes soon."""
    ledger.open.set()
    group = grouping(ledger, stays_s=60.0)
    async with asyncio.timeout(5):
        for word in "abc":
            assert await group.submit(word) == word.upper()
            assert ledger.writers == 1


async def test_a_writer_goes_when_nobody_comes(ledger: Ledger) -> None:
    """What it kept is given back after a quiet moment."""
    ledger.open.set()
    await grouping(ledger, stays_s=0.0).submit("a")
    async with asyncio.timeout(5):
        await ledger.gone.wait()


async def test_a_request_that_comes_just_as_the_writer_goes_is_committed(ledger: Ledger) -> None:
    """However many turns of the loop after the last answer it comes, somebody takes it."""
    ledger.open.set()
    group = grouping(ledger, stays_s=0.0)
    for turns in [*range(12)] * 10:
        async with asyncio.timeout(5):
            assert await group.submit("a") == "A"
        for _ in range(turns):
            await asyncio.sleep(0)


async def test_closing_sends_home_a_writer_that_stays(ledger: Ledger) -> None:
    """A process stops at once, and its connection is given back."""
    ledger.open.set()
    group = grouping(ledger, stays_s=60.0)
    await group.submit("a")
    async with asyncio.timeout(2):
        await group.close()
    assert ledger.writers == 0


async def test_heavy_requests_share_a_commit_only_up_to_its_weight(ledger: Ledger) -> None:
    """A statement stays as large as one statement may be; one that is heavier by itself goes alone."""
    group: GroupCommit[str, str] = GroupCommit(ledger.writing, keys=lambda _: (), weigh=len, most_weight=4)
    tasks = await waiting(group, ledger, "a", "bb", "cc", "d", "eeeeeeee", "f")
    ledger.open.set()
    assert await asyncio.gather(*tasks) == ["A", "BB", "CC", "D", "EEEEEEEE", "F"]
    assert ledger.batches == [["a"], ["bb", "cc"], ["d"], ["eeeeeeee"], ["f"]]


async def test_what_waits_is_bounded_by_weight_too(ledger: Ledger) -> None:
    """Memory is bounded by what requests hold, not by how many they are; what is done makes room again."""
    group: GroupCommit[str, str] = GroupCommit(ledger.writing, keys=lambda _: (), weigh=len, weight_limit=5)
    tasks = await waiting(group, ledger, "a", "bbb", "cc")
    with pytest.raises(Overloaded):
        await group.submit("d")
    ledger.open.set()
    assert await asyncio.gather(*tasks) == ["A", "BBB", "CC"]
    assert await asyncio.gather(*(group.submit(word) for word in ("dddd", "e"))) == ["DDDD", "E"]
    assert await group.submit("too heavy, but alone") == "TOO HEAVY, BUT ALONE"


async def test_who_has_much_waiting_delays_the_others_by_one_turn_each(ledger: Ledger) -> None:
    """A source that storms does not make the others wait for all that it has queued."""
    group: GroupCommit[str, str] = GroupCommit(
        ledger.writing, keys=lambda _: (), lane=lambda word: word[0], most=3, queue_limit=100
    )
    tasks = await waiting(group, ledger, "s0", *(f"s{number}" for number in range(1, 9)), "q1", "q2", "r1")
    ledger.open.set()
    await asyncio.gather(*tasks)
    assert ledger.batches == [["s0"], ["s1", "q1", "r1"], ["s2", "q2", "s3"], ["s4", "s5", "s6"], ["s7", "s8"]]


async def test_a_heavy_request_is_not_passed_by_for_ever(ledger: Ledger) -> None:
    """What does not fit begins the next batch, before what came later."""
    group: GroupCommit[str, str] = GroupCommit(
        ledger.writing, keys=lambda _: (), lane=lambda word: word[0], weigh=len, most_weight=4
    )
    tasks = await waiting(group, ledger, "a", "aa", "bbbb", "aa", "cc")
    ledger.open.set()
    await asyncio.gather(*tasks)
    assert ledger.batches == [["a"], ["aa"], ["bbbb"], ["cc", "aa"]]
    assert group.waiting == 0
