"""What consumers of such topics expect: every rule of the trade, seen from outside with stock clients."""

from __future__ import annotations

import asyncio
import json
import signal
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import fastavro
import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streams.adapters.avro import wire_schema
from streams.adapters.codec import subject_of
from streams.adapters.kafka import client_config, producer_config
from streams.adapters.schema_files import SchemaFiles
from streams.domain.messages import Document, Event, ObjectRecord, Sighting, TrackedObjectUpdate
from streams.domain.values import SECOND, FrameRef, Instant
from streams.operations.reading import Record, whole
from streams.operations.topics import create, needed
from streams.pipeline import outline
from tests.support.builders import DAY, life
from tests.support.qdrant_front import Front
from tests.support.sites import Site, site
from tests.support.soak import HEIGHT, MODEL, WIDTH, paint

OUTPUTS = (Sighting, ObjectRecord, TrackedObjectUpdate, Document)
WALKER, GROWN, EXPIRED, OPEN = "1764000001.5-walker", "1764000002.5-grown", "1764000003.5-expired", "1764000004.5-open"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Dump = dict[type, list[Record]]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What lay on the topics after a first run, and after a second one that began with no memory of the first."""

    site: Site
    events: dict[str, list[Event]]
    first: Dump
    second: Dump
    letters: list[Record]

    def values(self, kind: type, key: str) -> list[Any]:
        """What the stock deserializer makes of a key's records, given nothing but the registry."""
        topic = name(self.site, kind)
        with SchemaRegistryClient({"url": self.site.settings.registry.url}) as client:
            stock, context = AvroDeserializer(client), SerializationContext(topic, MessageField.VALUE)
            return [stock(each.value, context) for each in self.first[kind] if each.key == key.encode()]


def name(running: Site, kind: type) -> str:
    return running.catalogue.topic_name(kind, MODEL)


def headers(record: Record) -> dict[str, str]:
    return {key: (value or b"").decode() for key, value in record.headers}


@pytest.fixture(scope="module")
def seen(services, tmp_path_factory) -> Iterator[Seen]:
    folder, prefix = tmp_path_factory.mktemp("site"), f"t{uuid4().hex[:7]}"
    with Front() as front, site(services, prefix, folder, front.url, static=False) as running:
        paint(folder / "frames")
        now = time.time_ns() // 1_000_000 * 1000
        events = {key: lives(running, key, now - 60 * SECOND) for key in (WALKER, GROWN, OPEN)}
        events[OPEN] = events[OPEN][:-1]
        events[EXPIRED] = lives(running, EXPIRED, now - 31 * DAY)
        asyncio.run(send(running, events))
        first = run(running)
        forget(running)
        yield Seen(site=running, events=events, first=first, second=run(running), letters=letters(running))


def lives(running: Site, key: str, begin: Instant) -> list[Event]:
    """A life of three updates that begins then."""
    moved = [
        replace(each, start_time=begin, frame_time=each.frame_time - life(0)[0].start_time + begin)
        for each in life(3, key)
    ]
    uri = (running.folder / "frames" / "1.jpg").as_uri()
    return [
        replace(
            each,
            box=replace(each.box, x1=40, y1=40, x2=90, y2=200),
            frame=FrameRef(uri=uri, width=WIDTH, height=HEIGHT, time=each.frame_time),
            end_time=each.frame_time if each.end_time else None,
        )
        for each in moved
    ]


async def send(running: Site, events: dict[str, list[Event]]) -> None:
    """As a camera system does: each record at the time of its frame, one object of them by a newer release."""
    topic, producer = name(running, Event), Producer(producer_config(running.settings.kafka))
    for key, told in events.items():
        for each in told:
            value = grown(running, topic, each) if key == GROWN else await running.codec.encode(topic, each)
            told_by = [("traceparent", TRACE.encode()), ("ce_id", b"upstream's own")]
            producer.produce(topic, value, key, headers=told_by, timestamp=each.frame_time // 1000)
    producer.produce(
        topic, b"\x00\x00", WALKER, headers=[("mine", b"kept")], timestamp=events[WALKER][0].frame_time // 1000
    )
    assert producer.flush(30) == 0


def grown(running: Site, topic: str, told: Event) -> bytes:
    """By a version of the schema that we have never seen: one more field, one more symbol."""
    schema = json.loads(SchemaFiles().frozen("events-value")[-1])
    schema["fields"].append({"name": "mood", "type": ["null", "string"], "default": None})
    with SchemaRegistryClient({"url": running.settings.registry.url}) as client:
        number = client.register_schema(subject_of(topic), Schema(json.dumps(schema), "AVRO"))
    body = BytesIO()
    fastavro.schemaless_writer(body, wire_schema(json.dumps(schema)), {**msgspec.to_builtins(told), "mood": "calm"})
    return struct.pack(">bI", 0, number) + body.getvalue()


def run(running: Site) -> Dump:
    """A worker until nothing is left to do, the expired object's deletion included."""
    running.start(0)
    running.wait_until_done(60)
    until = time.monotonic() + 20
    while sum(each.value is None for each in dump(running)[ObjectRecord]) < running.starts:
        assert time.monotonic() < until, running.logs()
        time.sleep(0.5)
    running.wait_until_done(20)
    assert running.end(0, signal.SIGTERM) == 0, running.logs()
    return dump(running)


def dump(running: Site) -> Dump:
    return {kind: list(whole(running.settings.kafka, name(running, kind))) for kind in OUTPUTS}


def letters(running: Site) -> list[Record]:
    return list(whole(running.settings.kafka, running.catalogue.dead_letters))


def forget(running: Site) -> None:
    """Delete the groups and what the agents remember: the next run replays everything from the beginning."""
    admin, kafka = AdminClient(client_config(running.settings.kafka)), running.settings.kafka
    agents = outline(model=MODEL, collection=running.settings.index.collection)
    groups = [running.catalogue.app_id(agent.name) for agent in agents]
    changelogs = [running.catalogue.changelog(agent.name).name for agent in agents if agent.state]
    for done in (*admin.delete_consumer_groups(groups).values(), *admin.delete_topics(changelogs).values()):
        done.result(10)
    while set(changelogs) & set(admin.list_topics(timeout=5).topics):
        time.sleep(0.1)
    create(kafka, needed(running.catalogue, [MODEL], [agent.name for agent in agents if agent.state]))


# ---- records


@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_record_is_read_by_a_stock_deserializer_that_knows_only_the_registry(seen: Seen, kind: type) -> None:
    for key in (WALKER, GROWN):
        values = seen.values(kind, key)
        assert values
        assert all(isinstance(value, dict) for value in values)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_keys_are_object_ids(seen: Seen, kind: type) -> None:
    known = {key.encode() for key in (WALKER, GROWN, EXPIRED, OPEN)}
    assert {each.key for each in seen.first[kind]} == known - ({OPEN.encode()} if kind is Document else set())


@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_record_carries_the_attributes_of_cloud_events_in_binary_mode(seen: Seen, kind: type) -> None:
    for each in seen.first[kind]:
        told = headers(each)
        assert (told["ce_specversion"], told["content-type"]) == ("1.0", "application/avro")
        assert told["ce_type"] == f"nvr.streams.{kind.__name__}{'' if each.value else '.deleted'}"
        assert told["ce_source"].startswith("nvr-streams/home/")
        assert UUID(told["ce_id"]).version == 5
        assert len(told) == len(each.headers), "no attribute twice, upstream's own not passed on"


@pytest.mark.parametrize("kind", OUTPUTS)
def test_the_time_of_an_event_is_when_it_happened_not_when_it_was_processed(seen: Seen, kind: type) -> None:
    for each in (record for record in seen.first[kind] if record.key in {WALKER.encode(), GROWN.encode()}):
        happened = {told.frame_time for told in seen.events[(each.key or b"").decode()]}
        time = datetime.fromisoformat(headers(each)["ce_time"])
        assert (time - EPOCH) // timedelta(microseconds=1) in happened


def test_a_trace_leads_from_the_camera_to_the_document(seen: Seen) -> None:
    for kind in OUTPUTS:
        assert {headers(each).get("traceparent") for each in seen.first[kind] if each.key == WALKER.encode()} == {TRACE}


# ---- repetition, order, growth


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_replay_by_fresh_groups_repeats_every_id_and_makes_no_other(seen: Seen, kind: type) -> None:
    """Of the expired object a deletion by the clock is told, which has a time of its own."""

    def ids(dump: Dump) -> list[str]:
        return [headers(each)["ce_id"] for each in dump[kind] if each.key != EXPIRED.encode()]

    first, second = ids(seen.first), ids(seen.second)
    assert len(set(first)) == len(first)
    assert set(second) == set(first)
    assert len(second) > len(first)


def test_revisions_of_an_object_strictly_grow(seen: Seen) -> None:
    for key in (WALKER, GROWN):
        revisions = [value["revision"] for value in seen.values(ObjectRecord, key)]
        assert revisions == sorted(set(revisions))
        assert len(revisions) == 2


def test_a_producer_with_a_newer_schema_is_understood(seen: Seen) -> None:
    walker, grown = (seen.values(ObjectRecord, key)[-1] for key in (WALKER, GROWN))
    same = {"updates", "outcome", "description"}
    assert {part: grown[part] for part in same} == {part: walker[part] for part in same}
    assert grown["facts"].keys() == walker["facts"].keys()


def test_nothing_registers_a_schema_at_run_time(seen: Seen) -> None:
    with SchemaRegistryClient({"url": seen.site.settings.registry.url}) as client:
        for kind in OUTPUTS:
            assert len(client.get_versions(subject_of(name(seen.site, kind)))) == 1
        ours = [
            subject for subject in client.get_subjects() if subject.startswith(f"{seen.site.settings.kafka.prefix}-")
        ]
    assert all(subject.endswith("-value") for subject in ours)


# ---- the current state


def test_a_late_joiner_reads_objects_alone_and_knows_everything(seen: Seen) -> None:
    state = {each.key: each.value for each in seen.first[ObjectRecord]}
    assert [key for key, value in state.items() if value is None] == [EXPIRED.encode()]
    last = seen.values(ObjectRecord, WALKER)[-1]
    facts, pictures = last["facts"], last["pictures"]
    assert (last["outcome"], last["updates"], facts["camera"], facts["label"]) == ("done", 3, "porch", "person")
    assert facts["end_time"] == facts["start_time"] + timedelta(seconds=4)
    assert len(pictures["thumbnails"]) == 3
    assert pictures["best"]["uri"].endswith(".jpg")
    assert seen.values(ObjectRecord, OPEN)[-1]["outcome"] == "open"


@pytest.mark.parametrize("kind", [ObjectRecord, Document])
def test_what_is_deleted_is_a_null_under_its_key(seen: Seen, kind: type) -> None:
    last = [each for each in seen.first[kind] if each.key == EXPIRED.encode()][-1]
    assert last.value is None
    assert headers(last)["ce_type"].endswith(".deleted")


def test_current_state_is_compacted_news_are_kept_for_a_time_and_no_record_is_large(seen: Seen) -> None:
    admin = AdminClient(client_config(seen.site.settings.kafka))

    def config(kind: type) -> dict[str, str]:
        asked = ConfigResource(ResourceType.TOPIC, name(seen.site, kind))
        return {key: entry.value for key, entry in admin.describe_configs([asked])[asked].result(10).items()}

    for kind in (ObjectRecord, Document):
        assert (config(kind)["cleanup.policy"], config(kind)["delete.retention.ms"]) == ("compact", "604800000")
    for kind in (Event, Sighting, TrackedObjectUpdate):
        assert (config(kind)["cleanup.policy"], config(kind)["retention.ms"]) == ("delete", "604800000")
    assert max(len(each.value or b"") for kind in OUTPUTS for each in seen.first[kind]) < 2_000  # pictures stay outside


def test_a_dead_letter_has_the_original_bytes_and_all_that_is_known_of_its_failure(seen: Seen) -> None:
    letter = seen.letters[0]
    assert (letter.key, letter.value) == (WALKER.encode(), b"\x00\x00")
    assert letter.time == seen.events[WALKER][0].frame_time
    told = headers(letter)
    assert {key for key in told if key.startswith("dlt.")} == {
        f"dlt.{part}"
        for part in ("topic", "partition", "offset", "timestamp", "agent", "reason", "message", "attempt", "traceback")
    }
    assert (told["mine"], told["dlt.topic"], told["dlt.agent"]) == ("kept", name(seen.site, Event), "track")
    assert (told["dlt.reason"], told["dlt.attempt"]) == ("undecodable", "1")
