"""Makes what lanes decided durable, many lanes together: outputs, then changelog, then the local store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import structlog
from aiokafka.errors import KafkaError

from streams.adapters.telemetry import AgentMeter
from streams.runtime.broker import Broker
from streams.runtime.records import Outgoing

log = structlog.get_logger(__name__)

FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
"""Seconds between tries while the broker does not answer."""


@dataclass(slots=True, eq=False)
class Commit:
    """What one run of a lane amounts to. `record` None with `write`: the key is deleted."""

    key: bytes
    partition: int
    out: list[Outgoing]
    write: bool
    record: bytes | None
    time: int
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Committer:
    """One loop per agent, restarted when partitions are revoked: nothing of an older generation is written after."""

    def __init__(
        self,
        broker: Broker,
        *,
        changelog: str,
        written: Callable[[Commit, int], None],
        fatal: Callable[[BaseException], None],
        meter: AgentMeter,
    ) -> None:
        """`written` puts a record that the broker acknowledged, with its changelog offset, into the local store."""
        self._broker, self._changelog, self._written = broker, changelog, written
        self._fatal, self._meter = fatal, meter
        self._queue: asyncio.Queue[Commit] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.waiting = False
        """Whether the broker did not answer the last try: there is work in hand then, and nothing stands still."""

    def start(self) -> None:
        self._queue, self.waiting = asyncio.Queue(), False
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def commit(self, commit: Commit) -> None:
        """Returns once everything of it is acknowledged and stored."""
        self._queue.put_nowait(commit)
        await commit.done

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            batch = [commit for commit in batch if not commit.done.cancelled()]
            with self._meter.phase("publish"):
                await self._stubbornly(partial(self._publish, batch))
            with self._meter.phase("changelog"):
                await self._stubbornly(partial(self._write, batch))
            for commit in batch:
                if not commit.done.done():
                    commit.done.set_result(None)

    async def _publish(self, batch: list[Commit]) -> None:
        sent = [await self._broker.send(record) for commit in batch for record in commit.out]
        for acknowledgement in sent:
            await acknowledgement

    async def _write(self, batch: list[Commit]) -> None:
        """Into the changelog, and in offset order into the store."""
        writes = [commit for commit in batch if commit.write]
        sent = [
            await self._broker.send(Outgoing(self._changelog, c.key, c.record, (), c.time), c.partition) for c in writes
        ]
        offsets = [(await acknowledgement).offset for acknowledgement in sent]
        for offset, commit in sorted(zip(offsets, writes, strict=True), key=lambda pair: pair[0]):
            self._written(commit, offset)

    async def _stubbornly(self, effect: Callable[[], Awaitable[None]]) -> None:
        """Again for as long as the broker does not answer; who loses the partitions stops this loop."""
        wait = FIRST_WAIT
        while True:
            try:
                await effect()
            except (KafkaError, TimeoutError) as error:
                self.waiting = True
                self._meter.failed("broker")
                log.warning("the broker does not answer", error=repr(error))
                with self._meter.waiting("broker"):
                    await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                self.waiting = False
                return

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error:
            self._fatal(error)
