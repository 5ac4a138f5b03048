"""Dead letters on the real broker: mended, replayed for one agent alone, settled once, across runs of the commands."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from streams.adapters.kafka import producer_config
from streams.cli import program
from streams.domain.messages import Event, ObjectRecord
from streams.domain.values import SECOND, FrameRef, Instant, Outcome
from streams.operations.reading import Record, whole
from tests.support.builders import life
from tests.support.odd_events import BOX
from tests.support.qdrant_front import Front
from tests.support.sites import Site, site
from tests.support.soak import HEIGHT, MODEL, WIDTH, paint

WALKER, ODD = "1764000001.5-walker", "1764000002.5-odd"
EMBED = f"embed-{MODEL}"
BEGIN: Instant = (time.time_ns() // 1_000_000 - 60_000) * 1000


@dataclass(kw_only=True)
class Told:
    """What the commands said, and what lay on the topics."""

    buried: list[dict[str, Any]] = field(default_factory=list)
    replay: str = ""
    again: str = ""
    failed_again: list[dict[str, Any]] = field(default_factory=list)
    discard: str = ""
    left: list[dict[str, Any]] = field(default_factory=list)
    everything: list[dict[str, Any]] = field(default_factory=list)
    events: list[Record] = field(default_factory=list)
    objects: list[ObjectRecord] = field(default_factory=list)


@pytest.fixture(scope="module")
def told(services, tmp_path_factory) -> Iterator[Told]:
    folder, prefix = tmp_path_factory.mktemp("site"), f"t{uuid4().hex[:7]}"
    with Front() as front, site(services, prefix, folder, front.url) as running:
        paint(folder / "frames")
        (folder / "frames" / "late.jpg").write_text("not written yet")
        running.start(0)
        found = Told()
        bury(running, found)
        mend(running, found)
        fail_again(running, found)
        found.discard = command(running, "discard", "--yes")
        found.left = listed(running)
        found.everything = listed(running, "--all")
        assert running.end(0, signal.SIGTERM) == 0
        found.events = records(running, Event)
        found.objects = asyncio.run(decoded(running))
        yield found


def bury(running: Site, found: Told) -> None:
    """A picture that is not there yet costs `track` an update; nobody can read what lies on `objects`."""
    opened, seen, _ = lived(running)
    send(running, Event, WALKER, *(asyncio.run(encoded(running, each)) for each in (opened, seen)))
    send(running, ObjectRecord, ODD, b"\x00\x00")
    running.wait_until(lambda: len(listed(running)) == 3)
    running.wait_until_done(30)
    found.buried = listed(running)


def mend(running: Site, found: Told) -> None:
    """The picture comes, the update goes back, the object ends."""
    shutil.copy(running.folder / "frames" / "1.jpg", running.folder / "frames" / "late.jpg")
    found.replay = command(running, "replay", "--agent", "track", "--yes")
    found.again = command(running, "replay", "--agent", "track", "--yes")
    send(running, Event, WALKER, asyncio.run(encoded(running, lived(running)[-1])))
    running.wait_until_done(30)


def fail_again(running: Site, found: Told) -> None:
    """What two agents could not read goes back for one of them."""
    command(running, "replay", "--agent", EMBED, "--yes")
    running.wait_until(lambda: any(letter["attempt"] == 2 for letter in listed(running)))
    running.wait_until_done(30)
    found.failed_again = listed(running)


def lived(running: Site) -> list[Event]:
    """Seen once, in the picture that is late, and gone."""
    uri = (running.folder / "frames" / "late.jpg").as_uri()
    lives = []
    for step, each in enumerate(life(1, WALKER)):
        when = BEGIN + step * SECOND
        frame = FrameRef(uri=uri, width=WIDTH, height=HEIGHT, time=when) if step == 1 else None
        end = when if each.end_time else None
        lives.append(replace(each, start_time=BEGIN, frame_time=when, end_time=end, box=BOX, frame=frame))
    return lives


async def encoded(running: Site, event: Event) -> bytes:
    return await running.codec.encode(running.catalogue.topic_name(Event), event) or b""


def send(running: Site, kind: type, key: str, *values: bytes) -> None:
    producer = Producer(producer_config(running.settings.kafka))
    for value in values:
        producer.produce(running.catalogue.topic_name(kind), value, key, headers=[("mine", b"kept")])
    assert producer.flush(30) == 0


def command(running: Site, *args: str) -> str:
    options = ["--config", str(running.folder / "settings.yaml"), "dead-letters", *args]
    done = CliRunner().invoke(program(), options)
    assert done.exit_code == 0, done.output
    return done.output


def listed(running: Site, *args: str) -> list[dict[str, Any]]:
    return json.loads(command(running, "list", "--json", *args))


def records(running: Site, kind: type) -> list[Record]:
    return list(whole(running.settings.kafka, running.catalogue.topic_name(kind)))


async def decoded(running: Site) -> list[Any]:
    topic = running.catalogue.topic_name(ObjectRecord)
    lying = [each for each in records(running, ObjectRecord) if each.key == WALKER.encode()]
    return [await running.codec.decode(topic, each.key, each.value, at=each.time) for each in lying]


def kinds(letters: list[dict[str, Any]]) -> set[tuple[str, int, str | None]]:
    return {(letter["agent"], letter["attempt"], letter["settled"]) for letter in letters}


def test_every_reader_of_a_topic_has_its_own_dead_letter(told: Told) -> None:
    assert kinds(told.buried) == {("track", 1, None), ("sweep", 1, None), (EMBED, 1, None)}
    assert {letter["reason"] for letter in told.buried if letter["agent"] == "track"} == {"bad picture"}


def test_a_replay_after_the_cause_is_mended_completes_the_object(told: Told) -> None:
    assert "1 x track: bad picture" in told.replay
    assert "1 message replayed" in told.replay
    assert told.objects[-1].outcome is Outcome.DONE
    assert len(told.objects[-1].pictures.thumbnails) == 1


def test_the_record_goes_back_as_it_was(told: Told) -> None:
    again = next(each for each in told.events if "dlt.replay" in dict(each.headers))
    first = next(each for each in told.events if each.value == again.value)
    assert first.offset < again.offset
    assert replace(again, offset=first.offset, headers=first.headers) == first
    assert dict(again.headers) | dict(first.headers) == dict(again.headers)


def test_what_was_replayed_is_not_replayed_again(told: Told) -> None:
    assert "nothing to be replayed" in told.again
    assert sum("dlt.replay" in dict(each.headers) for each in told.events) == 1


def test_what_fails_again_is_buried_once_more_by_the_agent_it_was_replayed_for_and_by_no_other(told: Told) -> None:
    assert kinds(told.failed_again) == {("sweep", 1, None), (EMBED, 2, None)}
    assert len(told.failed_again) == 2


def test_what_was_discarded_is_open_no_more(told: Told) -> None:
    assert "2 messages discarded" in told.discard
    assert told.left == []


def test_everything_can_still_be_listed_with_what_became_of_it(told: Told) -> None:
    assert len(told.everything) == 4
    assert kinds(told.everything) == {
        ("track", 1, "replayed"),
        (EMBED, 1, "replayed"),
        ("sweep", 1, "discarded"),
        (EMBED, 2, "discarded"),
    }
