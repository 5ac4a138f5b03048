"""One partition of one agent in memory, from the record that is taken to the offset that is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Self

from faust.types import TP

from streams.adapters.catalogue import Catalogue
from streams.adapters.telemetry import Telemetry
from streams.domain.agent import Agent
from streams.domain.messages import Message, record_class
from streams.runtime.committer import Committer
from streams.runtime.handling import Handler
from streams.runtime.lanes import Lane, Lanes
from streams.runtime.ledger import Ledger
from streams.runtime.records import Incoming
from streams.runtime.states import States
from streams.runtime.work import Arrival, Expiry, Job, LaneWork
from tests.support.memory_broker import MemoryBroker
from tests.support.schema_registry import registered


class _Table:
    """The table's part of one partition."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def put(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        del partition, offset
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value

    def get_state(self, partition: int, key: bytes) -> bytes | None:
        del partition
        return self._values.get(key)


class _Log:
    """A consumer that was handed every offset, and a group that takes every commit."""

    def __init__(self, tp: TP) -> None:
        self.start_offsets = {tp: 0}
        self.committed = 0

    def predecessor(self, tp: TP, offset: int) -> int | None:
        del tp
        return offset - 1

    async def rewind(self, offsets: dict[TP, int], generation: int) -> None:
        raise AssertionError(f"generation {generation} was set back to {offsets}")

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        (self.committed,) = offsets.values()
        return True


class Conveyor:
    """`async with Conveyor(agent) as conveyor: await conveyor.takes(message)`; the broker is `conveyor.broker`."""

    def __init__(self, agent: Agent[Any], *, model: str = "mini", width: int = 8) -> None:
        self.broker, self.telemetry, self.fatal = MemoryBroker(), Telemetry("test"), list[BaseException]()
        self._codec, _ = registered(model=model)
        self._catalogue, self._agent, table = Catalogue("nvr"), agent, _Table()
        self._topic = self._catalogue.topic_name(agent.consumes[0], agent.model)
        self._log, meter = _Log(TP(self._topic, 0)), self.telemetry.agent(agent.name)
        self._ledger, self._offset = Ledger(lambda: self._log, self._log.commit, meter), 0
        changelog = self._catalogue.changelog(agent.name).name
        states = States(lambda: table)  # type: ignore[arg-type,return-value]  # what a lane needs of a store
        self._committer = Committer(
            self.broker,  # type: ignore[arg-type]  # the twin
            changelog=changelog,
            written=lambda commit, offset: states.put(commit.partition, commit.key, commit.record, offset),
            fatal=self.fatal.append,
            meter=meter,
        )
        work = LaneWork(
            Handler(agent, codec=self._codec, catalogue=self._catalogue, partitions=1, site="home", meter=meter),
            states,
            self._committer,
            topics=(self._topic,),
            changelog=changelog,
            is_committed=self._ledger.is_committed,
            is_current=self._is_current,
            finished=_finish,
            meter=meter,
        )
        self._lanes: Lanes[Job] = Lanes(work, self.fatal.append, width=width)

    async def __aenter__(self) -> Self:
        self._committer.start()
        self._lanes.open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._lanes.close(grace=0)
        await self._committer.stop()

    async def takes(self, *messages: Message) -> None:
        """The next records of the partition; returns at once."""
        for message in messages:
            value = await self._codec.encode(self._topic, message)
            slot = await self._ledger.take(TP(self._topic, 0), self._offset, generation=1, time=message.time)
            assert slot is not None
            key = message.key.encode()
            record = Incoming(self._topic, 0, self._offset, key, value, (), message.time)
            self._lanes.add(key, 0, Arrival(record, slot))
            self._offset += 1

    async def settled(self) -> None:
        """Everything that was taken is finished."""
        await self.until(lambda: not self._lanes.held)

    async def until(self, reached: Callable[[], object], seconds: float = 20) -> None:
        """Raises `TimeoutError` when it does not come to that."""
        async with asyncio.timeout(seconds):
            while not reached():  # noqa: ASYNC110 -- lanes, brokers and servers tell nobody
                await asyncio.sleep(0.001)

    async def committed(self) -> int:
        """The next offset that the group would be handed after a crash at this moment."""
        await self._ledger.commit()
        return self._log.committed

    def waiting(self) -> set[str]:
        """The neighbours that it waits for."""
        return self._lanes.waiting()

    async def said(self, kind: type[Message]) -> list[Message]:
        """What the agent published of that class, in order."""
        topic = self._catalogue.topic_name(kind, self._agent.model)
        sent = [record for record, _ in self.broker.sent if record.topic == topic]
        told = [await self._codec.decode(topic, record.key, record.value, at=record.time) for record in sent]
        return [message for message in told if record_class(message) is kind]

    def dead_letters(self) -> list[str]:
        """The reasons of what was buried, in order."""
        letters = [record for record, _ in self.broker.sent if record.topic == self._catalogue.dead_letters]
        return [dict(letter.headers)["dlt.reason"].decode() for letter in letters]

    def _is_current(self, lane: Lane[Job]) -> bool:
        return self._lanes.is_current(lane)


def _finish(job: Job) -> None:
    assert not isinstance(job, Expiry)
    job.slot.finish()
