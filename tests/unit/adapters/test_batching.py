"""Concurrent calls become batches, and no caller notices the others."""

import asyncio
from collections.abc import Sequence

import pytest

from streams.adapters.batching import Batcher


class Doubling:
    """Doubles numbers and remembers which came together; negative ones fail alone."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self.at_once = self.most_at_once = 0
        self.seconds = seconds

    async def __call__(self, items: list[int]) -> Sequence[int | Exception]:
        self.batches.append(items)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        return [ValueError(str(item)) if item < 0 else 2 * item for item in items]


async def test_concurrent_calls_share_batches_up_to_the_limit() -> None:
    run = Doubling()
    call = Batcher(run, limit=4, linger=1.0)

    assert await asyncio.wait_for(asyncio.gather(*map(call, range(8))), 0.5) == [2 * item for item in range(8)]

    assert run.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


async def test_a_lonely_call_waits_no_longer_than_the_linger() -> None:
    run = Doubling()
    call = Batcher(run, limit=100, linger=0.01)

    assert await asyncio.wait_for(call(3), 0.5) == 6
    assert await asyncio.wait_for(call(4), 0.5) == 8

    assert run.batches == [[3], [4]]


async def test_calls_that_come_while_a_batch_runs_gather_for_the_next() -> None:
    run = Doubling(seconds=0.05)
    call = Batcher(run, limit=100, linger=0.001)
    first = asyncio.create_task(call(1))
    await asyncio.sleep(0.02)

    await asyncio.gather(first, *map(call, (2, 3, 4)))

    assert run.batches == [[1], [2, 3, 4]]
    assert run.most_at_once == 1


async def test_one_failing_item_fails_its_own_caller_alone() -> None:
    call = Batcher(Doubling(), limit=3, linger=0.01)

    good, bad, also_good = await asyncio.gather(call(1), call(-2), call(3), return_exceptions=True)

    assert (good, also_good) == (2, 6)
    assert isinstance(bad, ValueError)
    assert str(bad) == "-2"


async def test_a_failing_run_reaches_every_caller_and_the_next_batch_works() -> None:
    class Flaky(Doubling):
        async def __call__(self, items: list[int]) -> Sequence[int | Exception]:
            answers = await super().__call__(items)
            if len(self.batches) == 1:
                raise OSError("the model is away")
            return answers

    call = Batcher(Flaky(), limit=2, linger=0.01)

    failures = await asyncio.gather(call(1), call(2), return_exceptions=True)

    assert [str(failure) for failure in failures] == ["the model is away"] * 2
    assert await call(5) == 10


async def test_a_wrong_number_of_answers_is_an_error_not_a_mixup() -> None:
    async def forgetful(items: list[int]) -> Sequence[int]:
        return items[1:]

    call = Batcher(forgetful, limit=2, linger=0.01)

    for answer in await asyncio.gather(call(1), call(2), return_exceptions=True):
        assert "2 items gave 1 answers" in str(answer)


async def test_a_cancelled_caller_leaves_the_others_untouched() -> None:
    run = Doubling(seconds=0.02)
    call = Batcher(run, limit=3, linger=0.02)
    early, late, stays = (asyncio.create_task(call(item)) for item in (1, 2, 3))
    await asyncio.sleep(0)
    early.cancel()
    await asyncio.sleep(0.01)
    late.cancel()

    assert await stays == 6
    assert run.batches in ([[2, 3]], [[3]])


async def test_when_all_callers_gave_up_nothing_runs() -> None:
    run = Doubling()
    call = Batcher(run, limit=10, linger=0.02)
    task = asyncio.create_task(call(1))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0.04)

    assert run.batches == []
    assert await call(2) == 4


async def test_a_cancelled_batch_answers_its_callers() -> None:
    async def cancelled(_items: list[int]) -> Sequence[int]:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="cancelled"):
        await Batcher(cancelled, limit=1, linger=0.0)(1)


async def test_close_answers_what_waits_and_takes_no_more() -> None:
    run = Doubling(seconds=0.01)
    call = Batcher(run, limit=100, linger=60.0)
    waiting = [asyncio.create_task(call(item)) for item in (1, 2)]
    await asyncio.sleep(0)

    await asyncio.wait_for(call.close(), 1.0)

    assert [await task for task in waiting] == [2, 4]
    with pytest.raises(RuntimeError, match="closed"):
        await call(3)
