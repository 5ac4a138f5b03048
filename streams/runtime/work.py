"""What a lane does: the waiting jobs of one key, one after another, made durable together."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog
from faust.types import TP

from streams.adapters.telemetry import AgentMeter
from streams.domain.errors import Outage, Poison
from streams.domain.values import Instant
from streams.runtime.committer import Commit, Committer
from streams.runtime.envelope import NEVER, Envelope, topic_id
from streams.runtime.handling import Handler, Turn
from streams.runtime.lanes import Lane
from streams.runtime.ledger import Slot
from streams.runtime.records import Incoming, Outgoing, is_for_another
from streams.runtime.states import States

log = structlog.get_logger(__name__)

S = TypeVar("S")

RUN_LENGTH, RUN_SECONDS = 64, 0.02
"""How much of one key's backlog is handled before it is made durable."""

FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0
"""Seconds between tries while a neighbour is down, doubled each time, with jitter."""


@dataclass(slots=True, eq=False)
class Arrival:
    record: Incoming
    slot: Slot


@dataclass(slots=True, eq=False)
class Expiry:
    key: bytes
    partition: int
    now: Instant


Job = Arrival | Expiry


@dataclass(slots=True)
class Run(Generic[S]):
    """Jobs of one key that become durable together."""

    envelope: Envelope
    state: S | None
    out: list[Outgoing] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    time: Instant = 0
    changed: bool = False

    def take(self, turn: Turn[S]) -> None:
        self.state, self.envelope.state = turn.state, turn.encoded
        self.envelope.deadline = getattr(turn.state, "deadline", None) or NEVER
        self.out.extend(turn.out)
        self.changed = True


class LaneWork(Generic[S]):
    def __init__(
        self,
        handler: Handler[S],
        states: States,
        committer: Committer,
        *,
        topics: tuple[str, ...],
        changelog: str,
        is_committed: Callable[[TP, int], bool],
        is_current: Callable[[Lane[Job]], bool],
        finished: Callable[[Job], None],
        meter: AgentMeter,
    ) -> None:
        self._handler, self._states, self._committer, self._meter = handler, states, committer, meter
        self._topics = {topic_id(topic): topic for topic in topics}
        self._changelog = changelog
        self._is_committed, self._is_current, self._finished = is_committed, is_current, finished

    async def __call__(self, lane: Lane[Job]) -> None:
        """Handle a run of the lane's jobs, make it durable, take the jobs off the lane."""
        raw = self._states.get(lane.partition, lane.key)
        try:
            envelope = Envelope.load(raw)
            run = Run(envelope, self._handler.load(envelope.state))
        except Poison as poison:
            await self._refuse(lane, poison)
            return
        until = time.monotonic() + RUN_SECONDS
        while len(run.jobs) < min(len(lane.jobs), RUN_LENGTH) and (not run.jobs or time.monotonic() < until):
            job = lane.jobs[len(run.jobs)]
            try:
                await self._step(lane, run, job)
            except Outage:
                break  # what is done is made durable before waiting
            run.jobs.append(job)
        if not self._is_current(lane):
            raise asyncio.CancelledError  # cut off, and the agent swallowed its cancellation
        await self._commit(lane, run, raw)
        self._take_off(lane, run.jobs)

    async def _refuse(self, lane: Lane[Job], poison: Poison) -> None:
        """Bury what came: the key's state cannot be read (a newer release wrote it), and stays as it is."""
        jobs = list(lane.jobs)[:RUN_LENGTH]
        records = [job.record for job in jobs if isinstance(job, Arrival) and self._concerns(job.record)]
        letters = [self._handler.bury(record, poison.reason, poison) for record in records]
        if letters:
            await self._committer.commit(Commit(lane.key, lane.partition, letters, write=False, record=None, time=0))
        self._take_off(lane, jobs)

    def _take_off(self, lane: Lane[Job], jobs: list[Job]) -> None:
        for job in jobs:
            lane.jobs.popleft()
            self._finished(job)

    async def _step(self, lane: Lane[Job], run: Run[S], job: Job) -> None:
        match job:
            case Arrival(record, slot):
                topic = topic_id(record.topic)
                if slot.offset <= run.envelope.applied.get(topic, -1) or not self._concerns(record):
                    return  # applied before a crash or a rebalance, not committed then; or replayed for another agent
                turn = await self._patiently(lane, run, record)
                run.envelope.applied[topic] = slot.offset
                run.time = max(run.time, record.time)
                run.take(turn)
            case Expiry(now=now):
                await self._expire(lane, run, now)

    def _concerns(self, record: Incoming) -> bool:
        return not is_for_another(record.headers, self._meter.name)

    async def _expire(self, lane: Lane[Job], run: Run[S], now: Instant) -> None:
        envelope, run.time = run.envelope, max(run.time, now)
        if run.state is None:
            if envelope.applied and self._all_committed(envelope, lane.partition):
                envelope.applied, run.changed = {}, True  # forgotten, and no replay can bring it back: delete it
        elif envelope.deadline <= now and envelope.state is not None:
            origin = Incoming(self._changelog, lane.partition, -1, lane.key, envelope.state, (), now)
            turn = await self._handler.expire(run.state, envelope.state, now, origin)
            run.take(turn)
            if turn.buried:
                envelope.deadline = NEVER  # a deadline that cannot be handled must not fire for ever

    async def _patiently(self, lane: Lane[Job], run: Run[S], record: Incoming) -> Turn[S]:
        """Handle a record; while a neighbour is down wait in place, unless there is something to make durable first."""
        wait = FIRST_WAIT
        while True:
            try:
                return await self._handler.arrive(run.state, run.envelope.state, record)
            except Outage as outage:
                self._meter.failed(outage.what)
                if run.jobs or not self._is_current(lane):
                    raise
                lane.waiting = outage.what
                with self._meter.waiting(outage.what, str(outage)) as alone:
                    if alone:
                        log.warning("waiting", agent=self._meter.name, what=outage.what, error=str(outage))
                    await asyncio.sleep(outage.retry_after or wait * random.uniform(0.5, 1.5))  # noqa: S311
                lane.waiting = None
                wait = min(wait * 2, LONGEST_WAIT)

    def _all_committed(self, envelope: Envelope, partition: int) -> bool:
        applied = ((self._topics.get(topic), offset) for topic, offset in envelope.applied.items())
        return all(self._is_committed(TP(topic, partition), offset) for topic, offset in applied if topic)

    async def _commit(self, lane: Lane[Job], run: Run[S], raw: bytes | None) -> None:
        if not run.changed:
            return
        envelope = run.envelope
        kept = run.state is not None or (
            raw is not None and bool(envelope.applied) and not self._all_committed(envelope, lane.partition)
        )
        record = envelope.dump() if kept else None
        write = kept or raw is not None
        if write or run.out:
            await self._committer.commit(Commit(lane.key, lane.partition, run.out, write, record, run.time))
