"""Whatever lies on the topic of events: each record gets the right answer, and the next one is processed."""

from __future__ import annotations

import asyncio
import random
import signal
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import fastavro
import msgspec
import numpy as np
import pytest
from confluent_kafka import Producer
from qdrant_client import QdrantClient

from streams.adapters.avro import wire_schema
from streams.adapters.codec import subject_of
from streams.adapters.kafka import producer_config
from streams.adapters.publisher import open_publisher
from streams.adapters.registry import Registry
from streams.adapters.schema_files import SchemaFiles
from streams.domain.cameras import Camera
from streams.domain.messages import Event, Message, ObjectRecord, Sighting, Tombstone
from streams.domain.values import SECOND, FrameRef, Instant, Outcome, Reason
from streams.operations.dead_letters import DeadLetter, Wanted, list_letters
from streams.operations.reading import whole
from tests.support.builders import event, life, sighting
from tests.support.odd_events import BOX, Odd, odd_events
from tests.support.qdrant_front import Front
from tests.support.sites import Site, site
from tests.support.soak import HEIGHT, WIDTH, paint

BEGIN: Instant = (time.time_ns() // 1_000_000 - 120_000) * 1000
"""When all this happened; whole milliseconds, as Kafka keeps time."""

LEAVING = "leaving"
"""A camera that is removed while an object is open."""


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A record, and the reason why it is buried; None: it does no harm."""

    key: bytes | None
    value: bytes | None
    reason: str | None


@dataclass(kw_only=True)
class Aftermath:
    site: Site
    sent: dict[str, Bad]
    letters: list[DeadLetter] = field(default_factory=list)
    objects: dict[str, list[ObjectRecord]] = field(default_factory=dict)
    sightings: dict[str, list[Sighting]] = field(default_factory=dict)
    points: set[str] = field(default_factory=set)


def following(name: str) -> str:
    """The object whose events come right after the bad record, in the same partition."""
    return f"after {name}"


class Writer:
    """A camera system that checks nothing: it writes what plain Avro code writes."""

    def __init__(self, running: Site) -> None:
        self.frame = FrameRef(
            uri=(running.folder / "frames" / "1.jpg").as_uri(), width=WIDTH, height=HEIGHT, time=BEGIN + SECOND
        )
        self._topic = running.catalogue.topic_name(Event)
        self._ids = {kind: asyncio.run(id_of(running, kind)) for kind in (Event, Sighting)}
        self._schemas = {
            kind: SchemaFiles().frozen(subject_of(subject))[-1]
            for kind, subject in ((Event, "events"), (Sighting, "sightings"))
        }
        self._producer = Producer(producer_config(running.settings.kafka))

    def value(self, message: Message) -> bytes:
        body, kind = BytesIO(), type(message)
        fastavro.schemaless_writer(body, wire_schema(self._schemas[kind]), msgspec.to_builtins(message))
        return struct.pack(">bI", 0, self._ids[kind]) + body.getvalue()

    def send(self, key: bytes | None, value: bytes | None, at: Instant = BEGIN) -> None:
        """All into one partition: what blocked it would block everything behind."""
        self._producer.produce(self._topic, value, key, partition=0, timestamp=at // 1000)

    def tell(self, *events: Event) -> None:
        for each in events:
            self.send(each.object_id.encode(), self.value(each), each.frame_time)

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def life(self, object_id: str, **parts: Any) -> list[Event]:
        """Seen once, and gone."""
        lived = []
        for step, each in enumerate(life(1, object_id)):
            when = BEGIN + step * SECOND
            told = replace(each, start_time=BEGIN, frame_time=when, box=BOX, **parts)
            told = replace(told, frame=replace(self.frame, time=when), end_time=when if each.end_time else None)
            lived.append(told)
        return lived


async def id_of(running: Site, kind: type[Message]) -> int:
    topic = running.catalogue.topic_name(kind)
    with Registry(running.settings.registry) as registry:
        return await registry.id_of(
            subject_of(topic), SchemaFiles().frozen(f"{running.catalogue.short(topic)}-value")[-1]
        )


def unreadable(writer: Writer) -> Iterator[tuple[str, Bad]]:
    """Records that are no events, under the key of the object that follows."""
    good = writer.value(writer.life("good")[1])
    values = {
        "wrong magic": (b"\x01" + good[1:], "undecodable"),
        "unknown id": (b"\x00\x7f\x00\x00\x01" + good[5:], "unknown schema id"),
        "impossible id": (b"\x00\xff\xff\xff\xff" + good[5:], "unknown schema id"),
        "truncated": (good[: len(good) // 2], "undecodable"),
        "one byte": (b"\x00", "undecodable"),
        "empty": (b"", "undecodable"),
        "text": (b'{"type": "new", "id": 7}', "undecodable"),
        "wrong record": (writer.value(sighting()), "undecodable"),
        "bytes behind": (good + b"more", "undecodable"),
        "noise": (good[:5] + random.Random(3).randbytes(300), "undecodable"),
        "key of another object": (good, "key mismatch"),
    }
    for name, (value, reason) in values.items():
        yield name, Bad(key=following(name).encode(), value=value, reason=reason)
    yield "no key", Bad(key=None, value=good, reason="missing key")
    yield "key that is no text", Bad(key=b"\xff\xfe", value=good, reason="key mismatch")
    yield "null", Bad(key=following("null").encode(), value=None, reason=None)


def untrue(writer: Writer, folder: Path) -> Iterator[tuple[str, Bad]]:
    """Events that can be read and cannot be used."""

    def bad(odd: Odd) -> Bad:
        return Bad(key=odd.event.object_id.encode(), value=writer.value(odd.event), reason=odd.reason)

    moved = event(box=BOX, frame=writer.frame, frame_time=writer.frame.time, start_time=BEGIN)
    numbers = {
        "no number": {"score": float("nan")},
        "no end": {"top_score": float("inf")},
        "huge area": {"area": 2**40},
    }
    for name, odd in odd_events(writer.frame):
        yield name, bad(odd)
    for name, parts in numbers.items():
        yield name, bad(Odd(event=replace(moved, object_id=f"odd {name}", **parts), reason="unencodable"))
    for name, reason in broken_pictures(folder).items():
        picture = replace(writer.frame, uri=(folder / name).as_uri())
        yield name, bad(Odd(event=replace(moved, object_id=f"odd {name}", frame=picture), reason=reason))
    climbing = replace(writer.frame, uri=f"{folder.as_uri()}/../settings.yaml")
    yield (
        "climbing",
        bad(Odd(event=replace(moved, object_id="odd climbing", frame=climbing), reason="outside the stores")),
    )


def broken_pictures(folder: Path) -> dict[str, str]:
    """Paint them, and say why each is refused."""
    noise = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", noise)[1].tobytes()
    header = struct.pack(">II5B", 10_000, 10_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    huge = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    pictures = {
        "cut off.jpg": (jpeg[: len(jpeg) // 2], "bad picture"),
        "header only.jpg": (jpeg[:40], "bad picture"),
        "text.jpg": (b"this is a text, whatever its name says", "bad picture"),
        "nothing.jpg": (b"", "bad picture"),
        "100 megapixels.png": (huge, "picture too large"),
    }
    for name, (content, _) in pictures.items():
        (folder / name).write_bytes(content)
    return {name: reason for name, (_, reason) in pictures.items()}


@pytest.fixture(scope="module")
def after(services, tmp_path_factory) -> Iterator[Aftermath]:
    folder, prefix = tmp_path_factory.mktemp("site"), f"t{uuid4().hex[:7]}"
    with Front() as front, site(services, prefix, folder, front.url) as running:
        paint(folder / "frames")
        writer = Writer(running)
        found = Aftermath(site=running, sent=dict((*unreadable(writer), *untrue(writer, folder / "frames"))))
        running.start(0)
        for name, each in found.sent.items():
            writer.send(each.key, each.value)
            writer.tell(*writer.life(following(name)))
        tell_twice_and_too_late(writer)
        (opened, seen, ended) = writer.life("open on a removed camera", camera=LEAVING)
        writer.tell(opened, seen)
        writer.flush()
        running.wait_until_done(60)
        asyncio.run(remove_camera(running))
        writer.tell(replace(seen, frame=None, frame_time=seen.frame_time + SECOND), ended)
        writer.tell(*writer.life("new on a removed camera", camera=LEAVING), *writer.life("last"))
        writer.flush()
        running.wait_until_done(30)
        assert running.end(0, signal.SIGTERM) == 0
        asyncio.run(look(found))
        found.points = points(front.url)
        yield found


def tell_twice_and_too_late(writer: Writer) -> None:
    opened, seen, ended = writer.life("twice")
    writer.tell(opened, opened, seen, seen, ended, ended)
    opened, seen, ended = writer.life("too late")
    writer.tell(opened, seen, ended, replace(seen, frame_time=BEGIN + 9 * SECOND, label="changed"), opened)
    writer.tell(writer.life("end alone")[-1])


async def remove_camera(running: Site) -> None:
    async with open_publisher(
        running.settings.kafka, encoder=running.codec, catalogue=running.catalogue, source="tests"
    ) as publisher:
        await publisher.publish(Camera(name=LEAVING))
        await publisher.publish(Tombstone(of=Camera, name=LEAVING))
    await asyncio.sleep(2)  # nothing tells from outside that a worker has heard of it


async def look(found: Aftermath) -> None:
    running = found.site
    found.letters = list_letters(running.settings, Wanted())
    for kind, known in ((ObjectRecord, found.objects), (Sighting, found.sightings)):
        topic = running.catalogue.topic_name(kind)
        for each in whole(running.settings.kafka, topic):
            message: Any = await running.codec.decode(topic, each.key, each.value, at=each.time)
            known.setdefault(message.key, []).append(message)


def points(url: str) -> set[str]:
    with closing(QdrantClient(url=url, check_compatibility=False)) as client:
        return {str((point.payload or {})["object_id"]) for point in client.scroll("objects", limit=1000)[0]}


def test_each_bad_record_has_its_answer(after: Aftermath) -> None:
    letters = {(letter.key, letter.value): letter.reason for letter in after.letters}
    answers = {name: letters.pop((bad.key, bad.value), None) for name, bad in after.sent.items()}
    assert answers == {name: bad.reason for name, bad in after.sent.items()}
    assert letters == {}, "nothing else is buried"


def test_each_dead_letter_says_what_is_wrong_with_it(after: Aftermath) -> None:
    assert all(letter.message.startswith(f"{letter.reason}: ") for letter in after.letters)
    assert not [letter for letter in after.letters if letter.reason == "bug"]


def test_after_each_bad_record_the_next_object_is_processed_to_its_end(after: Aftermath) -> None:
    for name in after.sent:
        record = after.objects[following(name)][-1]
        assert (record.outcome, len(record.pictures.thumbnails)) == (Outcome.DONE, 1), name


def test_an_odd_event_that_does_no_harm_makes_its_object_with_the_pictures_that_can_be_cut(after: Aftermath) -> None:
    frame = FrameRef(uri="", width=WIDTH, height=HEIGHT, time=BEGIN + SECOND)
    for name, odd in odd_events(frame):
        made = after.sightings.get(odd.event.object_id, [])
        assert len(made) == (0 if odd.reason else 1), name
        assert all(bool(told.pictures.thumbnails) == odd.thumbnails for told in made), name


def test_the_same_message_twice_is_told_once(after: Aftermath) -> None:
    assert [told.reason for told in after.sightings["twice"]] == [Reason.SEEN, Reason.ENDED]
    assert len(after.objects["twice"]) == 2


def test_an_update_after_the_end_changes_nothing(after: Aftermath) -> None:
    assert [told.reason for told in after.sightings["too late"]] == [Reason.SEEN, Reason.ENDED]
    assert after.objects["too late"][-1].facts.label == "person"


def test_an_end_without_start_is_an_object_without_picture(after: Aftermath) -> None:
    (record,) = after.objects["end alone"]
    assert (record.outcome, record.facts.start_time) == (Outcome.NO_PICTURE, BEGIN)


def test_the_open_objects_of_a_removed_camera_are_given_up_and_nothing_new_is_made(after: Aftermath) -> None:
    assert [record.outcome for record in after.objects["open on a removed camera"]] == [Outcome.OPEN, Outcome.ABANDONED]
    assert "new on a removed camera" not in after.objects


def test_every_object_that_ended_can_be_found_and_nothing_else(after: Aftermath) -> None:
    assert after.points == {key for key, told in after.objects.items() if told[-1].outcome is not Outcome.OPEN}
    assert {"last", "twice", following("100 megapixels.png")} < after.points
