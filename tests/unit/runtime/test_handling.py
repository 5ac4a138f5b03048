"""One message through one agent: what it publishes, and what becomes of it when it cannot be handled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiokafka.partitioner import murmur2

from streams.adapters.catalogue import Catalogue
from streams.adapters.telemetry import Telemetry
from streams.agents.settle import settle
from streams.domain.agent import Agent, Step
from streams.domain.errors import Gone, Outage, Poison
from streams.domain.messages import Crop, Event, Message, ObjectRecord, Sighting
from streams.domain.records import Settled
from streams.domain.values import Instant
from streams.runtime.handling import Handler, Turn
from streams.runtime.records import Incoming, Outgoing, attempt_of
from tests.support.builders import OBJECT, RETENTION, at, sighting
from tests.support.schema_registry import MemoryRegistry, registered

SETTLE = settle(retention=RETENTION)


def handler_of(agent: Agent[Any] = SETTLE, partitions: int = 4) -> tuple[Handler[Any], MemoryRegistry, Telemetry]:
    codec, registry = registered()
    telemetry = Telemetry("test")
    catalogue = Catalogue("nvr")
    meter = telemetry.agent(agent.name)
    handler = Handler(agent, codec=codec, catalogue=catalogue, partitions=partitions, site="home", meter=meter)
    return handler, registry, telemetry


async def arriving(message: Message = sighting(), **parts: Any) -> Incoming:  # noqa: B008 -- messages are values
    codec, _ = registered()
    topic = Catalogue("nvr").topic_name(type(message))
    value = await codec.encode(topic, message)
    told = Incoming(topic, 0, 7, message.key.encode(), value, (), at(1))
    return replace(told, **parts)


def settle_that(outcome: Exception | tuple[Message, ...]) -> Agent[Any]:
    async def handle(state: object | None, message: Message, at: Instant) -> Step[Any]:
        del message, at
        if isinstance(outcome, Exception):
            raise outcome
        return Step(state, outcome)

    return replace(SETTLE, handle=handle)


def only_letter(turn: Turn[Any]) -> tuple[Outgoing, dict[str, str]]:
    (letter,) = turn.out
    assert turn.buried
    assert letter.topic == "nvr-dead-letters"
    return letter, {name: value.decode() for name, value in letter.headers}


async def test_what_an_agent_returns_is_published_with_the_time_of_its_cause() -> None:
    handler, _, _ = handler_of()
    turn = await handler.arrive(None, None, await arriving(time=at(5)))
    assert isinstance(turn.state, Settled)
    assert turn.encoded is not None
    assert [record.topic for record in turn.out] == ["nvr-objects", "nvr-tracked-object-updates"]
    assert {record.key for record in turn.out} == {OBJECT.encode()}
    assert {record.time for record in turn.out} == {at(5)}


async def test_cloud_events_ids_survive_a_replay_and_the_trace_goes_along() -> None:
    traced = await arriving(headers=(("traceparent", b"00-abc-def-01"), ("other", b"x")))
    first, again = [(await handler_of()[0].arrive(None, None, traced)).out for _ in range(2)]
    assert first == again
    headers = dict(first[0].headers)
    assert headers["traceparent"] == b"00-abc-def-01"
    assert headers["ce_type"] == b"nvr.streams.ObjectRecord"
    assert "other" not in headers


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x07\x00\x00\x00\x01rest", "undecodable"),
        (b"", "undecodable"),
        (b"\x00\x00\x00\x00\x01", "undecodable"),
        (b"\x00\x00\x0f\x42\x3frest", "unknown schema id"),
    ],
)
async def test_what_cannot_be_decoded_is_buried_with_its_bytes_untouched(value: bytes, reason: str) -> None:
    handler, _, telemetry = handler_of()
    record = await arriving(value=value, headers=(("mine", b"kept"),))
    letter, headers = only_letter(await handler.arrive(None, None, record))
    assert (letter.key, letter.value, letter.time) == (record.key, value, record.time)
    assert headers["mine"] == "kept"
    assert headers["dlt.reason"] == reason
    assert (headers["dlt.topic"], headers["dlt.partition"], headers["dlt.offset"]) == ("nvr-sightings", "0", "7")
    assert (headers["dlt.agent"], headers["dlt.attempt"]) == ("settle", "1")
    assert headers["dlt.timestamp"] == str(record.time)
    assert "Poison" in headers["dlt.traceback"]
    assert telemetry.status().agents[0].dead_letters == {reason: 1}


async def test_a_dead_letter_that_fails_again_counts_its_attempts_once() -> None:
    handler, _, _ = handler_of()
    tried = (("dlt.attempt", b"2"), ("dlt.reason", b"undecodable"))
    letter, headers = only_letter(await handler.arrive(None, None, await arriving(value=b"", headers=tried)))
    assert headers["dlt.attempt"] == "3"
    assert [name for name, _ in letter.headers].count("dlt.attempt") == 1


def test_a_nonsensical_attempt_count_starts_anew() -> None:
    assert attempt_of((("dlt.attempt", b"many"),)) == 1


async def test_a_record_without_key_is_buried() -> None:
    handler, _, _ = handler_of()
    letter, headers = only_letter(await handler.arrive(None, None, await arriving(key=None)))
    assert letter.key is None
    assert headers["dlt.reason"] == "missing key"


async def test_a_poisonous_message_leaves_the_state_as_it_was() -> None:
    before = await handler_of()[0].arrive(None, None, await arriving())
    handler, _, _ = handler_of(settle_that(Poison("bad picture", "no JPEG")))
    turn = await handler.arrive(before.state, before.encoded, await arriving())
    _, headers = only_letter(turn)
    assert (turn.state, turn.encoded) == (before.state, before.encoded)
    assert (headers["dlt.reason"], headers["dlt.message"]) == ("bad picture", "bad picture: no JPEG")


@pytest.mark.parametrize("bug", [ZeroDivisionError("oops"), Gone("memory:///x.jpg"), KeyError("porch")])
async def test_anything_unforeseen_is_a_bug_with_its_traceback(bug: Exception) -> None:
    handler, _, _ = handler_of(settle_that(bug))
    _, headers = only_letter(await handler.arrive(None, None, await arriving()))
    assert headers["dlt.reason"] == "bug"
    assert type(bug).__name__ in headers["dlt.traceback"]


async def test_an_undeclared_output_is_a_bug() -> None:
    crop = Crop(object_id=OBJECT, camera="porch", label="person", frame_time=at(0))
    handler, _, _ = handler_of(settle_that((crop,)))
    _, headers = only_letter(await handler.arrive(None, None, await arriving()))
    assert headers["dlt.reason"] == "bug"
    assert "does not declare" in headers["dlt.message"]


async def test_an_output_that_cannot_be_written_names_the_field() -> None:
    record = sighting()
    wrong = ObjectRecord(object_id=OBJECT, revision=1, facts=replace(record.facts, score=float("nan")))
    handler, _, _ = handler_of(settle_that((wrong,)))
    _, headers = only_letter(await handler.arrive(None, None, await arriving()))
    assert headers["dlt.reason"] == "unencodable"
    assert "facts.score" in headers["dlt.message"]


async def test_an_output_too_large_for_the_broker_is_not_tried_for_ever() -> None:
    huge = ObjectRecord(object_id=OBJECT, revision=1, facts=sighting().facts, description="x" * 1_100_000)
    handler, _, _ = handler_of(settle_that((huge,)))
    _, headers = only_letter(await handler.arrive(None, None, await arriving()))
    assert headers["dlt.reason"] == "record too large"


async def test_what_is_said_about_a_failure_is_bounded() -> None:
    handler, _, _ = handler_of(settle_that(Poison("bad", "y" * 100_000)))
    letter, _ = only_letter(await handler.arrive(None, None, await arriving()))
    assert sum(len(value) for _, value in letter.headers) < 12_000


async def test_an_outage_is_nobodys_dead_letter() -> None:
    handler, _, _ = handler_of(settle_that(Outage("index", retry_after=3)))
    with pytest.raises(Outage):
        await handler.arrive(None, None, await arriving())
    handler, registry, _ = handler_of()
    registry.down = True
    with pytest.raises(Outage, match="registry"):
        await handler.arrive(None, None, await arriving())


async def test_a_message_in_the_wrong_partition_is_buried_with_the_cure_where_topics_meet() -> None:
    both = replace(SETTLE, consumes=(Sighting, Event))
    right = (murmur2(OBJECT.encode()) & 0x7FFFFFFF) % 4
    handler, _, _ = handler_of(both)
    fine = await handler.arrive(None, None, await arriving(partition=right))
    assert not fine.buried
    _, headers = only_letter(await handler.arrive(None, None, await arriving(partition=(right + 1) % 4)))
    assert headers["dlt.reason"] == "wrong partition"
    assert "partitioner=murmur2_random" in headers["dlt.message"]


async def test_an_agent_of_one_topic_takes_messages_wherever_they_lie() -> None:
    right = (murmur2(OBJECT.encode()) & 0x7FFFFFFF) % 4
    turn = await handler_of()[0].arrive(None, None, await arriving(partition=(right + 1) % 4))
    assert not turn.buried


async def test_an_expiry_that_fails_buries_what_was_remembered() -> None:
    def broken(state: object, now: Instant) -> Step[Any]:
        raise ZeroDivisionError(f"{state} {now}")

    before = await handler_of()[0].arrive(None, None, await arriving())
    handler, _, _ = handler_of(replace(SETTLE, expire=broken))
    assert before.encoded is not None
    origin = Incoming("nvr-settle-state-changelog", 0, -1, OBJECT.encode(), before.encoded, (), at(9))
    turn = await handler.expire(before.state, before.encoded, at(9), origin)
    letter, headers = only_letter(turn)
    assert (turn.encoded, letter.value) == (before.encoded, before.encoded)
    assert headers["dlt.reason"] == "bug"
