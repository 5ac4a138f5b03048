"""One lane per key: jobs of a key run one after another in the order they came, keys run in parallel.

At most `width` lanes of one partition run at a time, so a partition whose neighbours are down never slows another.
Closing is bounded in time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

J = TypeVar("J")


class Lane(Generic[J]):
    __slots__ = ("jobs", "key", "partition", "task", "waiting")

    def __init__(self, key: bytes, partition: int) -> None:
        self.key, self.partition = key, partition
        self.jobs: deque[J] = deque()
        self.task: asyncio.Task[None] | None = None
        self.waiting: str | None = None
        """The neighbour whose outage this lane waits for."""


class Lanes(Generic[J]):
    def __init__(
        self, work: Callable[[Lane[J]], Awaitable[None]], fatal: Callable[[BaseException], None], *, width: int
    ) -> None:
        """`work` takes finished jobs off the lane; an exception from it is `fatal`."""
        self._work, self._fatal, self._width = work, fatal, width
        self._lanes: dict[tuple[int, bytes], Lane[J]] = {}
        self._room: dict[int, asyncio.Semaphore] = {}
        self.open = False

    def add(self, key: bytes, partition: int, job: J) -> None:
        lane = self._lanes.get((partition, key))
        if lane is None:
            lane = self._lanes[partition, key] = Lane(key, partition)
            lane.jobs.append(job)
            lane.task = asyncio.get_running_loop().create_task(self._run(lane))
            lane.task.add_done_callback(self._ended)
        else:
            lane.jobs.append(job)

    def is_current(self, lane: Lane[J]) -> bool:
        """Whether this lane still owns its key (it does not after it was cut off)."""
        return self._lanes.get((lane.partition, lane.key)) is lane

    @property
    def held(self) -> int:
        return sum(len(lane.jobs) for lane in self._lanes.values())

    def waiting(self) -> set[str]:
        """The neighbours that lanes wait for."""
        return {lane.waiting for lane in list(self._lanes.values()) if lane.waiting}

    def stuck(self) -> bool:
        """Whether there is work in hand and none of it waits for a neighbour; asked from the watchdog's thread."""
        return bool(self._lanes) and not self.waiting()

    async def _run(self, lane: Lane[J]) -> None:
        room = self._room.setdefault(lane.partition, asyncio.Semaphore(self._width))
        try:
            async with room:
                while lane.jobs and self.open:
                    await self._work(lane)
        except (asyncio.CancelledError, SystemExit) as error:
            if self.open and self.is_current(lane):  # nobody cut it off: its jobs would wait for ever, unnoticed
                raise RuntimeError(f"the lane of {lane.key!r} was ended from within") from error
            raise
        finally:  # when cut off, nothing of what is dropped was finished in the ledger
            if self.is_current(lane):
                del self._lanes[lane.partition, lane.key]

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A lane that died unnoticed would stall its key for ever."""
        error = None if task.cancelled() else task.exception()
        if error:
            self._fatal(error)

    async def close(self, grace: float) -> int:
        """Take no more; lanes that wait for a neighbour end at once, others may finish what they are at.

        After `grace` seconds the rest is cut off; returns how many that were.
        """
        self.open = False
        lanes = [lane for lane in self._lanes.values() if lane.task]
        for lane in lanes:
            if lane.waiting and lane.task:
                lane.task.cancel()
        late: set[asyncio.Task[None]] = set()
        if lanes:
            _, late = await asyncio.wait([lane.task for lane in lanes if lane.task], timeout=grace)
        for task in late:
            task.cancel()
        self._lanes.clear()
        self._room.clear()
        if late:
            await asyncio.wait(late, timeout=1.0)  # a handler that swallows its cancellation is left behind
        return len(late)
