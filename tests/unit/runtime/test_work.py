"""A lane's work: runs of one key made durable together, exactly once after a crash, waiting where a neighbour is down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

from faust.types import TP

from streams.adapters.catalogue import Catalogue
from streams.adapters.telemetry import Telemetry
from streams.agents.settle import settle
from streams.domain.agent import Agent, Step
from streams.domain.errors import Outage
from streams.domain.messages import Message
from streams.domain.records import Deleted, Settled
from streams.domain.values import Instant, Outcome
from streams.runtime.committer import Committer
from streams.runtime.envelope import NEVER, Envelope, topic_id
from streams.runtime.handling import Handler
from streams.runtime.lanes import Lane, Lanes
from streams.runtime.ledger import Partition, Slot
from streams.runtime.records import Headers, Incoming
from streams.runtime.states import States
from streams.runtime.work import Arrival, Expiry, Job, LaneWork
from tests.support.builders import OBJECT, RETENTION, at, sighting
from tests.support.memory_broker import MemoryBroker
from tests.support.schema_registry import registered

SIGHTINGS, CHANGELOG, KEY = "nvr-sightings", "nvr-settle-state-changelog", OBJECT.encode()
SETTLE = settle(retention=RETENTION)


class MemoryStore:
    """One partition of a table."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.offsets: list[int] = []

    def put(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        assert partition == 0
        self.offsets.append(offset)
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    def get_state(self, partition: int, key: bytes) -> bytes | None:
        assert partition == 0
        return self.values.get(key)


class Bench:
    """One lane of one agent, with everything around it in memory."""

    def __init__(self, agent: Agent[Any] = SETTLE) -> None:
        self.broker, self.store, self.telemetry = MemoryBroker(), MemoryStore(), Telemetry("test")
        self.codec, _ = registered()
        self.committed, self.fatal = -1, list[BaseException]()
        self.partition = Partition(generation=1, expected=0, committed=0)
        meter = self.telemetry.agent(agent.name)
        handler = Handler(agent, codec=self.codec, catalogue=Catalogue("nvr"), partitions=4, site="home", meter=meter)
        self.states = States(lambda: self.store)  # type: ignore[arg-type,return-value]  # what a lane needs of a store
        self.committer = Committer(
            self.broker,  # type: ignore[arg-type]  # the twin
            changelog=CHANGELOG,
            written=lambda commit, offset: self.states.put(commit.partition, commit.key, commit.record, offset),
            fatal=self.fatal.append,
            meter=meter,
        )
        self.finished: list[Job] = []
        self.lanes: Lanes[Job] = Lanes(self._work(handler, meter), self.fatal.append, width=8)
        self.lanes.open = True
        self.offset = 0

    def _work(self, handler: Handler[Any], meter: Any) -> LaneWork[Any]:
        return LaneWork(
            handler,
            self.states,
            self.committer,
            topics=(SIGHTINGS,),
            changelog=CHANGELOG,
            is_committed=lambda _, offset: offset <= self.committed,
            is_current=lambda lane: self.lanes.is_current(lane),  # noqa: PLW0108 -- lanes come after their work
            finished=self.finished.append,
            meter=meter,
        )

    async def sees(self, message: Message, offset: int | None = None, headers: Headers = ()) -> None:
        value = await self.codec.encode(SIGHTINGS, message)
        self.offset = self.offset + 1 if offset is None else offset
        slot = Slot(TP(SIGHTINGS, 0), self.offset, self.partition)
        record = Incoming(SIGHTINGS, 0, self.offset, KEY, value, headers, message.time)
        self.lanes.add(KEY, 0, Arrival(record, slot))

    def expires(self, now: Instant) -> None:
        self.lanes.add(KEY, 0, Expiry(KEY, 0, now))

    async def settled(self) -> None:
        async with asyncio.timeout(5):
            while self.lanes.held:  # noqa: ASYNC110 -- lanes tell nobody when they are empty
                await asyncio.sleep(0.001)

    async def __aenter__(self) -> Self:
        self.committer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.lanes.close(grace=0)
        await self.committer.stop()
        assert self.fatal == []

    @property
    def envelope(self) -> Envelope:
        return Envelope.load(self.store.values.get(KEY))


async def test_outputs_are_acknowledged_before_the_changelog_and_the_changelog_before_the_store() -> None:
    async with Bench() as bench:
        bench.broker.answering.clear()
        await bench.sees(sighting())
        await asyncio.sleep(0.05)
        assert bench.broker.topics() == ["nvr-objects", "nvr-tracked-object-updates"]
        assert bench.finished == []
        bench.broker.answering.set()
        await bench.settled()
        assert bench.broker.topics()[2:] == [CHANGELOG]
        assert bench.store.offsets == [2]
        assert len(bench.finished) == 1


async def test_the_changelog_lies_in_the_partition_of_its_source_and_outputs_where_their_key_belongs() -> None:
    async with Bench() as bench:
        await bench.sees(sighting())
        await bench.settled()
        assert [partition for _, partition in bench.broker.sent] == [None, None, 0]


async def test_waiting_messages_of_a_key_become_durable_together() -> None:
    async with Bench() as bench:
        for second in range(5):
            await bench.sees(sighting(second))
        await bench.settled()
        assert bench.broker.topics().count(CHANGELOG) == 1
        assert bench.envelope.applied == {topic_id(SIGHTINGS): 5}


async def test_a_message_that_was_applied_before_a_crash_is_not_applied_again() -> None:
    async with Bench() as bench:
        await bench.sees(sighting(0), offset=3)
        await bench.settled()
        before = len(bench.broker.sent)
        await bench.sees(sighting(9), offset=3)
        await bench.settled()
        assert len(bench.broker.sent) == before
        assert len(bench.finished) == 2


async def test_a_failed_acknowledgement_is_tried_again_and_told() -> None:
    async with Bench() as bench:
        bench.broker.failures = 1
        await bench.sees(sighting())
        await bench.settled()
        assert bench.broker.topics().count("nvr-objects") == 2
        assert bench.envelope.state is not None
        assert bench.telemetry.status().agents[0].failed == {"broker": 1}


def failing(times: int, retry_after: float | None = 0.01) -> Agent[Any]:
    left = times

    async def handle(state: Any, message: Message, instant: Instant) -> Step[Any]:
        nonlocal left
        if left:
            left -= 1
            raise Outage("index", retry_after=retry_after)
        return await SETTLE.handle(state, message, instant)

    return replace(SETTLE, handle=handle)


async def test_an_outage_waits_in_place_and_nothing_is_lost() -> None:
    async with Bench(failing(3)) as bench:
        await bench.sees(sighting(0))
        await bench.sees(sighting(1))
        await bench.settled()
        assert bench.envelope.applied == {topic_id(SIGHTINGS): 2}
        assert bench.telemetry.status().agents[0].failed == {"index": 3}


async def test_who_waits_says_for_what() -> None:
    async with Bench(failing(1, retry_after=60)) as bench:
        await bench.sees(sighting(0))
        await asyncio.sleep(0.05)
        assert bench.lanes.waiting() == {"index"}
        (waiting,) = bench.telemetry.status().agents[0].waiting
        assert (waiting.what, waiting.messages) == ("index", 1)


async def test_what_was_done_is_made_durable_before_waiting() -> None:
    calls = 0

    async def handle(state: Any, message: Message, instant: Instant) -> Step[Any]:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise Outage("index", retry_after=60)
        return await SETTLE.handle(state, message, instant)

    async with Bench(replace(SETTLE, handle=handle)) as bench:
        await bench.sees(sighting(0))
        await bench.sees(sighting(1))
        await asyncio.sleep(0.1)
        assert bench.envelope.applied == {topic_id(SIGHTINGS): 1}
        assert len(bench.finished) == 1


async def test_a_deadline_fires_once_its_time_has_come() -> None:
    async with Bench() as bench:
        await bench.sees(sighting(0, outcome=Outcome.DONE))
        await bench.settled()
        deadline = bench.envelope.deadline
        assert bench.states.due(0, deadline - 1) == []
        assert bench.states.due(0, deadline) == [KEY]
        bench.expires(deadline - 1)
        await bench.settled()
        assert isinstance(bench_state(bench), Settled)
        bench.expires(deadline)
        await bench.settled()
        assert isinstance(bench_state(bench), Deleted)
        tombstone = bench.broker.sent[-3][0]
        assert (tombstone.topic, tombstone.value, tombstone.time) == ("nvr-objects", None, deadline)


async def test_a_deadline_that_is_a_bug_is_buried_once_and_never_fires_again() -> None:
    def broken(state: Any, now: Instant) -> Step[Any]:
        raise ZeroDivisionError(f"{state} {now}")

    async with Bench(replace(SETTLE, expire=broken)) as bench:
        await bench.sees(sighting(0, outcome=Outcome.DONE))
        await bench.settled()
        bench.expires(at(10**9))
        await bench.settled()
        assert bench.broker.topics().count("nvr-dead-letters") == 1
        assert bench.envelope.deadline == NEVER
        assert bench.envelope.state is not None


async def test_a_forgotten_key_stays_as_a_marker_until_no_replay_can_revive_it() -> None:
    async with Bench() as bench:
        await bench.sees(sighting(0, outcome=Outcome.DONE), offset=5)
        await bench.settled()
        for _ in range(2):  # settled, then deleted, then forgotten
            bench.expires(bench.envelope.deadline)
            await bench.settled()
        assert bench.envelope == Envelope(None, NEVER, {topic_id(SIGHTINGS): 5})
        await bench.sees(sighting(0), offset=5)
        bench.expires(at(10**9))
        await bench.settled()
        assert bench.envelope.applied == {topic_id(SIGHTINGS): 5}
        bench.committed = 5
        assert bench.states.due(0, 0) == [KEY]
        bench.expires(at(10**9))
        await bench.settled()
        assert bench.store.values == {}
        assert bench.states.due(0, at(10**9)) == []
        assert bench.broker.sent[-1][0].value is None


async def test_a_state_that_cannot_be_read_costs_its_messages_and_is_kept() -> None:
    async with Bench() as bench:
        unreadable = Envelope(b"\x07Settled\x63 of a newer release", NEVER, {}).dump()
        bench.store.values[KEY] = unreadable
        await bench.sees(sighting(0))
        await bench.sees(sighting(1))
        bench.expires(at(10**9))
        await bench.settled()
        assert bench.broker.topics() == ["nvr-dead-letters"] * 2
        assert dict(bench.broker.sent[0][0].headers)["dlt.reason"] == b"undecodable state"
        assert bench.store.values == {KEY: unreadable}
        assert len(bench.finished) == 3


async def test_a_message_that_leaves_nothing_to_remember_writes_nothing() -> None:
    async def handle(state: Any, message: Message, instant: Instant) -> Step[Any]:
        del state, message, instant
        return Step(None)

    async with Bench(replace(SETTLE, handle=handle)) as bench:
        await bench.sees(sighting())
        await bench.settled()
        assert bench.broker.sent == []
        assert len(bench.finished) == 1


async def test_a_lane_that_was_cut_off_writes_nothing_even_if_its_agent_swallows_the_cancellation() -> None:
    entered = asyncio.Event()

    async def stubborn(state: Any, message: Message, instant: Instant) -> Step[Any]:
        entered.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return await SETTLE.handle(state, message, instant)

    async with Bench(replace(SETTLE, handle=stubborn)) as bench:
        await bench.sees(sighting())
        await entered.wait()
        assert await bench.lanes.close(grace=0.01) == 1
        await asyncio.sleep(0.02)
        assert bench.broker.sent == []
        assert bench.finished == []


def bench_state(bench: Bench) -> object:
    handler_states = Handler(
        SETTLE,
        codec=bench.codec,
        catalogue=Catalogue("nvr"),
        partitions=4,
        site="home",
        meter=bench.telemetry.agent("settle"),
    )
    return handler_states.load(bench.envelope.state)


def test_a_lane_belongs_to_its_lanes_only_while_it_runs() -> None:
    async def work(lane: Lane[int]) -> None:
        lane.jobs.clear()

    refuse: Callable[[BaseException], None] = [].append
    lanes = Lanes(work, refuse, width=1)
    assert not lanes.is_current(Lane(b"key", 0))


def replay_for(agent: str) -> Headers:
    return (("dlt.agent", agent.encode()), ("dlt.attempt", b"1"), ("dlt.replay", b"nvr-dead-letters-0-0"))


async def test_a_dead_letter_replayed_for_another_agent_is_passed_over_and_finished() -> None:
    async with Bench() as bench:
        await bench.sees(sighting(0), headers=replay_for("sweep"))
        await bench.settled()
        assert (bench.broker.sent, bench.store.values) == ([], {})
        assert len(bench.finished) == 1


async def test_a_dead_letter_replayed_for_this_agent_is_handled() -> None:
    async with Bench() as bench:
        await bench.sees(sighting(0), headers=replay_for("settle"))
        await bench.settled()
        assert bench.envelope.applied == {topic_id(SIGHTINGS): 1}


async def test_among_messages_that_cannot_be_handled_another_agents_replay_is_not_buried() -> None:
    async with Bench() as bench:
        bench.store.values[KEY] = Envelope(b"\x07Settled\x63 of a newer release", NEVER, {}).dump()
        await bench.sees(sighting(0))
        await bench.sees(sighting(1), headers=replay_for("sweep"))
        await bench.settled()
        assert bench.broker.topics() == ["nvr-dead-letters"]
        assert len(bench.finished) == 2
