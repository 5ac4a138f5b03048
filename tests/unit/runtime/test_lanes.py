"""Lanes: one key strictly in order, keys in parallel up to a width per partition, closing in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from streams.runtime.lanes import Lane, Lanes

Work = Callable[[Lane[int]], Awaitable[None]]


def unexpected(error: BaseException) -> None:
    raise error


def lanes_of(work: Work, *, width: int = 8) -> Lanes[int]:
    lanes = Lanes(work, unexpected, width=width)
    lanes.open = True
    return lanes


async def drained(lanes: Lanes[int]) -> None:
    async with asyncio.timeout(2):
        while lanes.held:  # noqa: ASYNC110 -- lanes tell nobody when they are empty
            await asyncio.sleep(0)


async def test_jobs_of_a_key_run_one_after_another_in_order() -> None:
    done: list[int] = []
    busy = 0

    async def work(lane: Lane[int]) -> None:
        nonlocal busy
        busy += 1
        assert busy == 1
        await asyncio.sleep(0)
        busy -= 1
        done.append(lane.jobs.popleft())

    lanes = lanes_of(work)
    for job in range(20):
        lanes.add(b"one", 0, job)
    await drained(lanes)
    assert done == list(range(20))


async def test_keys_run_in_parallel_up_to_the_width_of_their_partition() -> None:
    running = {0: 0, 1: 0}
    most = {0: 0, 1: 0}

    async def work(lane: Lane[int]) -> None:
        running[lane.partition] += 1
        most[lane.partition] = max(most[lane.partition], running[lane.partition])
        await asyncio.sleep(0.001)
        running[lane.partition] -= 1
        lane.jobs.popleft()

    lanes = lanes_of(work, width=3)
    for key in range(10):
        for partition in (0, 1):
            lanes.add(b"%d" % key, partition, 0)
    await drained(lanes)
    assert most == {0: 3, 1: 3}


async def test_a_partition_that_waits_does_not_hold_up_another() -> None:
    outage = asyncio.Event()

    async def work(lane: Lane[int]) -> None:
        if lane.partition == 0:
            await outage.wait()
        lane.jobs.popleft()

    lanes = lanes_of(work, width=2)
    for key in range(10):
        lanes.add(b"%d" % key, 0, 0)
    lanes.add(b"free", 1, 0)
    await asyncio.sleep(0.01)
    assert lanes.held == 10
    outage.set()
    await drained(lanes)


async def test_the_same_key_in_two_partitions_has_two_lanes() -> None:
    seen: set[int] = set()
    both = asyncio.Barrier(2)

    async def work(lane: Lane[int]) -> None:
        seen.add(lane.partition)
        await both.wait()
        lane.jobs.popleft()

    lanes = lanes_of(work)
    lanes.add(b"key", 0, 0)
    lanes.add(b"key", 1, 0)
    await drained(lanes)
    assert seen == {0, 1}


async def test_closing_lets_a_job_finish_and_drops_those_behind_it() -> None:
    done: list[int] = []

    async def work(lane: Lane[int]) -> None:
        await asyncio.sleep(0.01)
        done.append(lane.jobs.popleft())

    lanes = lanes_of(work)
    lanes.add(b"key", 0, 1)
    lanes.add(b"key", 0, 2)
    await asyncio.sleep(0)
    assert await lanes.close(grace=1) == 0
    assert done == [1]
    assert lanes.held == 0


async def test_closing_cuts_off_what_takes_longer_than_the_grace() -> None:
    async def work(lane: Lane[int]) -> None:
        await asyncio.sleep(60)
        lane.jobs.popleft()

    lanes = lanes_of(work)
    lanes.add(b"slow", 0, 1)
    await asyncio.sleep(0)
    assert await lanes.close(grace=0.01) == 1


async def test_a_lane_that_waits_for_a_neighbour_ends_at_once() -> None:
    async def work(lane: Lane[int]) -> None:
        lane.waiting = "index"
        await asyncio.sleep(60)

    lanes = lanes_of(work)
    lanes.add(b"key", 0, 1)
    await asyncio.sleep(0)
    assert lanes.waiting() == {"index"}
    assert not lanes.stuck()
    began = asyncio.get_running_loop().time()
    await lanes.close(grace=5)
    assert asyncio.get_running_loop().time() - began < 1


async def test_work_that_waits_for_nobody_counts_as_stuck() -> None:
    never = asyncio.Event()

    async def work(lane: Lane[int]) -> None:
        await never.wait()
        lane.jobs.popleft()

    lanes = lanes_of(work)
    assert not lanes.stuck()
    lanes.add(b"key", 0, 1)
    await asyncio.sleep(0)
    assert lanes.stuck()
    await lanes.close(grace=0)


async def test_a_lane_that_dies_is_told() -> None:
    told: list[BaseException] = []

    async def work(lane: Lane[int]) -> None:
        raise RuntimeError(lane.key.decode())

    lanes = Lanes(work, told.append, width=1)
    lanes.open = True
    lanes.add(b"key", 0, 1)
    await asyncio.sleep(0.01)
    assert [str(error) for error in told] == ["key"]


async def test_a_lane_that_is_ended_from_within_is_told_as_its_jobs_would_wait_for_ever() -> None:
    told: list[BaseException] = []

    async def work(lane: Lane[int]) -> None:
        raise asyncio.CancelledError(lane.key)

    lanes = Lanes(work, told.append, width=1)
    lanes.open = True
    lanes.add(b"key", 0, 1)
    await asyncio.sleep(0.01)
    assert [str(error) for error in told] == ["the lane of b'key' was ended from within"]


async def test_a_lane_that_was_cut_off_and_ends_after_its_partition_came_back_is_no_fault() -> None:
    told: list[BaseException] = []
    late = asyncio.Event()

    async def work(lane: Lane[int]) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await late.wait()
            lane.jobs.popleft()

    lanes = Lanes(work, told.append, width=1)
    lanes.open = True
    lanes.add(b"key", 0, 1)
    await asyncio.sleep(0)
    closing = asyncio.create_task(lanes.close(grace=0))
    await asyncio.sleep(0.01)
    lanes.open = True
    late.set()
    assert await closing == 1
    assert told == []
