"""Runs one agent on Faust: its own app, group, lag and table. Order of effects: outputs, changelog, store, offset."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar, cast

import structlog
from aiokafka.errors import KafkaError
from faust.tables.manager import TableManager
from faust.types import TP
from faust.types.streams import StreamT
from faust.types.tuples import Message as FaustMessage

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.status import AgentState
from streams.adapters.telemetry import AgentMeter
from streams.domain.agent import Agent
from streams.domain.values import SECOND, Instant
from streams.runtime import changelog
from streams.runtime.broker import Broker
from streams.runtime.committer import Commit, Committer
from streams.runtime.consumer import SafeConsumer, consumer_class
from streams.runtime.faust_app import faust_app
from streams.runtime.handling import Handler
from streams.runtime.lanes import Lanes
from streams.runtime.ledger import Ledger, Partition
from streams.runtime.records import Headers, Incoming
from streams.runtime.states import NoStore, States
from streams.runtime.tables import StateStore, StateTable
from streams.runtime.work import Arrival, Expiry, Job, LaneWork
from streams.settings import Settings

log = structlog.get_logger(__name__)

S = TypeVar("S")

BEAT_SECONDS = 0.5
"""How often offsets are committed, lag is told and the pause of the loop is looked at."""

TICK_SECONDS = 1.0
"""How often deadlines are looked at."""

HELD, UNCOMMITTED = 8, 10_000
"""A partition is held back at this many unfinished messages per lane, or this many behind one that does not finish."""

COMMIT_SECONDS = 5.0
"""Time for the last commit at a stop or a rebalance."""


class AgentRunner(Generic[S]):
    def __init__(
        self,
        agent: Agent[S],
        *,
        settings: Settings,
        codec: Codec,
        catalogue: Catalogue,
        broker: Broker,
        meter: AgentMeter,
        fatal: Callable[[BaseException], None],
    ) -> None:
        self.agent, self.meter, self._settings, self._fatal = agent, meter, settings, fatal
        partitions = settings.kafka.partitions
        self._topics = tuple(catalogue.topic_name(message, agent.model) for message in agent.consumes)
        self._changelog = catalogue.changelog(agent.name).name
        consumer = consumer_class(on_recovery=self._recover, on_ready=self._ready, on_overtaken=self._overtaken)
        self._app = faust_app(catalogue.app_id(agent.name), settings, agent.name, consumer, fatal)
        source = self._app.topic(*self._topics, key_type=bytes, value_type=bytes, acks=False, allow_empty=True)
        self._table = self._new_table(partitions) if agent.state else None
        self._app.agent(source, name=agent.name)(self._consume)
        self._app.on_partitions_assigned.connect(self._assigned, weak=False)
        self._app.on_partitions_revoked.connect(self._revoked, weak=False)

        self._ledger = Ledger(lambda: self._consumer, self._commit_offsets, meter)
        self._states = States(self._store)
        self._committer = Committer(broker, changelog=self._changelog, written=self._written, fatal=fatal, meter=meter)
        handler = Handler(
            agent, codec=codec, catalogue=catalogue, partitions=partitions, site=settings.site, meter=meter
        )
        work = LaneWork(
            handler,
            self._states,
            self._committer,
            topics=self._topics,
            changelog=self._changelog,
            is_committed=self._ledger.is_committed,
            is_current=lambda lane: self._lanes.is_current(lane),  # noqa: PLW0108 -- lanes come after their work
            finished=self._finished,
            meter=meter,
        )
        self._lanes: Lanes[Job] = Lanes(work, fatal, width=settings.worker.in_flight)
        self._expiring: set[tuple[int, bytes]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self.progress = 0
        """Jobs finished so far: what the watchdog looks at."""

    def _new_table(self, partitions: int) -> StateTable:
        table = StateTable(self._app, name="state", partitions=partitions, key_type=bytes, value_type=bytes)
        self._app.tables.add(table)
        return table

    @property
    def _consumer(self) -> SafeConsumer:
        return cast("SafeConsumer", self._app.consumer)

    def _store(self) -> StateStore:
        return cast("StateStore", self._table.data) if self._table is not None else NoStore()

    # ---- life

    async def start(self) -> None:
        self.meter.state(AgentState.STARTING)
        self._app.finalize()
        self._committer.start()  # a revoke can come before maybe_start has returned
        self._tasks = [asyncio.create_task(loop()) for loop in (self._beat, self._tick)]
        for task in self._tasks:
            task.add_done_callback(self._loop_ended)
        await self._app.maybe_start()

    async def stop(self) -> None:
        """Drain first: Faust stops its tables before it tells anybody."""
        if self._lanes.open:
            self._consumer.stop_flow()
            self._app.flow_control.suspend()
            await self._drain("stop")
        for task in self._tasks:
            task.cancel()
        await self._committer.stop()
        await self._app.stop()
        self.meter.state(AgentState.STOPPED)

    def is_stuck(self) -> bool:
        """Whether there is work in hand that waits for no neighbour."""
        return self._lanes.stuck() and not self._committer.waiting

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error:
            self._fatal(error)

    # ---- partitions come and go

    async def _recover(self, starts: Mapping[TP, int]) -> Mapping[TP, int]:
        """Bring the table up to date; Faust's own recovery finds nothing left to read."""
        store, recovery = self._store(), cast("TableManager", self._app.tables).recovery
        offsets = {tp.partition: max(store.persisted_offset(tp) + 1, start) for tp, start in starts.items()}
        contents = await changelog.read(self._settings.kafka, self._changelog, offsets)
        for partition, content in contents.items():
            store.load(partition, content.values, content.end - 1)
        for tp in starts:
            recovery.active_offsets[tp] = contents[tp.partition].end - 1  # a Counter: its update() would add
        return {tp: contents[tp.partition].end for tp in starts}

    def _ready(self, consumer: SafeConsumer) -> None:
        """Recovery is over, nothing was handed out yet: check the table and index it."""
        store, recovery = self._store(), cast("TableManager", self._app.tables).recovery
        for tp, high in recovery.active_highwaters.items():
            if tp in recovery.active_tps and store.persisted_offset(tp) < high:
                self._fatal(RuntimeError(f"{tp} recovered to {store.persisted_offset(tp)} of {high}"))
        self._states.rebuild()
        partitions = sorted({tp.partition for tp in consumer.start_offsets})
        self.meter.partitions(len(partitions))
        self.meter.state(AgentState.READY)
        log.info("ready", agent=self.agent.name, partitions=partitions)

    def _overtaken(self, tp: TP, messages: int) -> None:
        log.error("retention deleted what was not read yet", topic=tp.topic, partition=tp.partition, messages=messages)
        self.meter.overtaken(messages)

    async def _assigned(self, *_: object, **__: object) -> None:
        self.meter.state(AgentState.RECOVERING)
        self._lanes.open = True

    async def _revoked(self, *_: object, **__: object) -> None:
        if self._lanes.open:
            await self._drain("revoke")

    async def _drain(self, why: str) -> None:
        """Finish what is being handled (bounded), cut off the rest, commit, forget."""
        began, held = time.monotonic(), self._lanes.held
        cut = await self._lanes.close(self._settings.worker.grace.total_seconds())
        await self._committer.stop()
        try:
            await asyncio.wait_for(self._ledger.commit(), COMMIT_SECONDS)
        except (KafkaError, TimeoutError) as error:
            log.warning("last commit failed, some messages come again", agent=self.agent.name, error=repr(error))
        for tp in self._ledger.partitions:
            self.meter.revoked(tp.topic, tp.partition)
        self._ledger.forget()
        self._expiring.clear()
        self._committer.start()
        seconds = round(time.monotonic() - began, 2)
        log.info("let go", agent=self.agent.name, why=why, held=held, cut=cut, seconds=seconds)

    # ---- taking messages

    async def _consume(self, stream: StreamT[bytes]) -> None:
        async for event in stream.events():
            await self._deliver(event.message)

    async def _deliver(self, message: FaustMessage) -> None:
        generation = message.generation_id
        if not (self._lanes.open and generation == self._consumer.ready_generation == self._app.consumer_generation_id):
            return  # comes again after the seek
        instant = int(message.timestamp * SECOND)
        slot = await self._ledger.take(message.tp, message.offset, generation=generation, time=instant)
        if slot is None:
            return
        headers = cast("Headers", tuple(message.headers or ()))
        record = Incoming(
            message.topic, message.partition, message.offset, message.key, message.value, headers, instant
        )
        self._lanes.add(message.key or b"", message.partition, Arrival(record, slot))
        if self._is_full(slot.partition):
            self._consumer.hold_back(message.tp)

    def _is_full(self, partition: Partition) -> bool:
        return partition.open >= HELD * self._settings.worker.in_flight or len(partition.slots) >= UNCOMMITTED

    def _finished(self, job: Job) -> None:
        self.progress += 1
        match job:
            case Arrival(record, slot):
                slot.finish()
                self.meter.handled()
                if not self._is_full(slot.partition):
                    self._consumer.let_go(TP(record.topic, record.partition))
            case Expiry(key=key, partition=partition):
                self._expiring.discard((partition, key))

    def _written(self, commit: Commit, offset: int) -> None:
        self._states.put(commit.partition, commit.key, commit.record, offset)

    # ---- time

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if not self._is_ready():
                continue
            clock = time.time_ns() // 1000
            for partition in self._states.partitions():
                now = min(clock, self._time_of(partition, clock))
                for key in self._states.due(partition, now):
                    if (partition, key) not in self._expiring:
                        self._expiring.add((partition, key))
                        self._lanes.add(key, partition, Expiry(key, partition, now))

    def _time_of(self, partition: int, clock: Instant) -> Instant:
        """How far time may go for this partition.

        A source topic with a backlog holds it back to its last message, or keys would expire whose updates are still
        in the backlog.
        """
        low = clock
        for topic in self._topics:
            tp = TP(topic, partition)
            taken, high = self._ledger.partitions.get(tp), self._highwater(tp)
            expected = taken.expected if taken else self._consumer.start_offsets.get(tp, 0)
            if high is None or expected < high:
                low = min(low, taken.time if taken else 0)
        return low

    def _highwater(self, tp: TP) -> int | None:
        """End of the partition as of the last fetch; None before the first."""
        return self._consumer.highwater(tp)

    def _is_ready(self) -> bool:
        return self._lanes.open and self._consumer.ready_generation == self._app.consumer_generation_id

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if self._app.crashed:  # Faust crashes the app and leaves the process alive
                self._fatal(RuntimeError(f"Faust crashed: {self._app.crash_reason!r}"))
            if not self._is_ready():
                continue
            try:
                with self.meter.phase("commit"):
                    await self._ledger.commit()
            except (KafkaError, TimeoutError) as error:
                log.warning("commit failed, comes again", agent=self.agent.name, error=repr(error))
            self._tell()

    def _tell(self) -> None:
        self.meter.in_flight(self._lanes.held)
        for tp, partition in self._ledger.partitions.items():
            high = self._highwater(tp)
            if high is not None:
                self.meter.lag(tp.topic, tp.partition, max(0, high - (partition.finished or partition.committed)))

    async def _commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        return bool(await self._consumer._commit(offsets))  # noqa: SLF001 -- Faust has no public way to commit offsets of one's own
