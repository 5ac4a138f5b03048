"""Faults that such a system had before, each shown to be impossible here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.adapters.embedder import open_embedder
from streams.adapters.qdrant import QdrantIndex, open_index
from streams.adapters.qdrant_points import Space
from streams.adapters.telemetry import Telemetry
from streams.agents.index import index as index_agent
from streams.agents.settle import settle
from streams.agents.track import track
from streams.domain.agent import Agent, Step
from streams.domain.errors import Poison
from streams.domain.messages import Document, Message, ObjectRecord, Sighting, Tombstone
from streams.domain.retention import Retention
from streams.domain.sightings import Ended, Tracking
from streams.domain.thumbnails import thumbnail_name
from streams.domain.values import Instant, Outcome, PixelFormat
from streams.pipeline import needs_pictures
from streams.ports import Query
from streams.runtime import work
from streams.runtime.loopback import Loopback
from streams.settings import Embedding, Models
from streams.settings import Index as IndexSettings
from tests.support import graphs
from tests.support.builders import DAY, OBJECT, RETENTION, at, end, event, frame, life, picture, sighting, start
from tests.support.conveyor import Conveyor
from tests.support.documents import document, vector
from tests.support.fake_cameras import FakeCameras
from tests.support.fake_embedder import FakeEmbedder
from tests.support.fake_pictures import FakePictures
from tests.support.footage import fail, show
from tests.support.qdrant_front import Fault, Front
from tests.support.street import Street
from tests.support.world import World

SETTLE = settle(retention=RETENTION)
SITES = (f"site-{number}" for number in count())


def the(number: int) -> str:
    return f"1764000000.{number:06d}-abc123"


@pytest.fixture
def street() -> Iterator[Street]:
    with ThreadPoolExecutor(2) as threads:
        yield Street(threads)


@pytest.fixture(scope="module")
def server() -> Iterator[Front]:
    with Front() as front:
        yield front


@pytest.fixture
async def qdrant(server: Front) -> AsyncIterator[QdrantIndex]:
    """The real adapter over a server's look-alike, which is `server`."""
    server.reset()
    settings, space = IndexSettings(url=server.url), Space(model="mini", dim=3)
    async with open_index(settings, site=next(SITES), space=space, public_url=lambda _: None) as index:
        yield index


def index_into(qdrant: QdrantIndex) -> Agent[Any]:
    return index_agent(index=qdrant, model="mini", collection="objects")


def settle_that_fails_at(time: Instant, error: BaseException) -> Agent[Any]:
    async def handle(state: Any, message: Message, now: Instant) -> Step[Any]:
        if message.time == time:
            raise error
        return await SETTLE.handle(state, message, now)

    return replace(SETTLE, handle=handle)


# ---- what stops the worker


@pytest.mark.parametrize("error", [KeyError("porch"), AttributeError("NoneType"), MemoryError(), RecursionError()])
async def test_whatever_an_agent_raises_costs_one_message_and_the_partition_goes_on(error: Exception) -> None:
    """F1: no exception barrier around the loop. The handler's one guard turns anything into a dead letter."""
    async with Conveyor(settle_that_fails_at(at(2), error)) as conveyor:
        await conveyor.takes(*(sighting(second) for second in range(1, 4)), sighting(2, object_id=the(7)))
        await conveyor.settled()
        assert conveyor.dead_letters() == ["bug", "bug"]
        assert [told.facts.frame_time for told in await conveyor.said(ObjectRecord)] == [at(1), at(3)]
        assert (await conveyor.committed(), conveyor.fatal) == (4, [])


async def test_a_camera_that_was_removed_while_its_messages_wait_is_a_normal_case() -> None:
    """F2: indexing by the name of an unknown camera. `Cameras.get` has an answer for each, and clean-up goes on."""
    world = World()
    await world.hear(event(1), event(1, object_id=the(2)), event(1, camera="never heard of", object_id=the(3)))
    world.cameras.remove("porch")
    await world.hear(event(2), end(2, object_id=the(2)), event(2, object_id=the(4)), end(3, object_id=the(5)))
    assert world.loop.dead_letters == []
    known = world.loop.table("track")
    assert {key for key, state in known.items() if isinstance(state, Tracking)} == {the(3)}
    assert {key for key, state in known.items() if isinstance(state, Ended)} == {OBJECT, the(2)}
    await world.loop.advance(at(3) + 100 * DAY)
    assert world.loop.table("track") == {}


BROKEN = {"gone": None, "empty": b"", "text": b"not a picture", "cut off": b"\xff\xd8\xff\xe0\x00\x10JFIF"}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
async def test_a_thumbnail_that_is_missing_or_corrupt_at_the_end_is_replaced_by_the_next_one(street, content) -> None:
    """F4: a missing or corrupt thumbnail reached the model. Only what was decoded does."""
    await street.sees(1, 2)
    await _spoil(street, 1, content)
    await street.hear(end(3))
    spare = await street.pictures.load(street.document.record.pictures.thumbnails[1])
    expected = await FakeEmbedder().embed_picture(spare)
    assert street.document.thumbnail.values == expected.tobytes()
    assert street.loop.dead_letters == []


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
async def test_an_object_without_any_readable_picture_is_kept_without_a_vector(street, content) -> None:
    """F4, where nothing is left to stand in: the model is never asked."""
    await street.sees(1, 2)
    for second in (1, 2):
        await _spoil(street, second, content)
    await street.hear(end(3), *life(1, the(7)))
    assert street.embedder.pictures == 0
    assert {key: found.thumbnail for key, found in street.index.documents.items()} == {OBJECT: None, the(7): None}


async def _spoil(street: Street, second: float, content: bytes | None) -> None:
    name = thumbnail_name(event(second))
    if content is None:
        assert await street.pictures.remove(name) == 1
    else:
        await street.store.write(name, content)


async def test_a_frame_is_there_or_gone_or_of_the_wrong_shape_and_each_has_its_answer(street) -> None:
    """F5: an unbound frame, and a segment smaller than expected. `cut` gives a picture, `Gone` or `Poison`."""
    there, narrow = await street.film(1), await street.film(3, told=1920)
    gone = replace(there, uri=f"{there.uri}.gone", time=at(2))
    raw = replace(there, format=PixelFormat.I420, time=at(4))
    frames = {1: there, 2: gone, 3: narrow, 4: raw, 5: await street.film(5)}
    await street.hear(*(event(second, frame=ref) for second, ref in frames.items()), end(6))
    assert [(letter.message.time, letter.reason) for letter in street.loop.dead_letters] == [
        (at(3), "bad picture"),
        (at(4), "bad picture"),
    ]
    assert [shot.time for shot in street.document.record.pictures.thumbnails] == [at(1), at(5)]


# ---- what loses or corrupts data


async def test_however_late_an_event_is_handled_its_picture_shows_its_own_moment(street) -> None:
    """F6: a slot of a ring buffer shows something else by the time it is read. Every frame has a name of its own."""
    told = [event(second, frame=await street.film(second, shade=20 * second)) for second in range(1, 6)]
    await street.hear(*told, end(6))
    shown = [await street.pictures.load(shot) for shot in street.document.record.pictures.thumbnails]
    assert [round(float(image[0, 0].mean())) for image in shown] == pytest.approx([20, 40, 60, 80, 100], abs=2)


async def test_a_box_is_never_cut_out_of_a_frame_of_another_time() -> None:
    """F6, where upstream itself names a frame of another moment."""
    world = World()
    await world.hear(event(1, frame=frame(2)), event(3, frame=frame(1)), end(4))
    assert world.pictures.cuts.total() == 0
    assert world.index.documents[OBJECT].record.outcome is Outcome.NO_PICTURE


async def test_ten_times_more_messages_than_an_agent_can_handle_are_late_and_none_is_dropped() -> None:
    """F7: one message per turn, and a queue that drops. The log is the queue; keys are handled side by side."""

    async def slowly(state: Any, message: Message, now: Instant) -> Step[Any]:
        await asyncio.sleep(0.002)
        return await SETTLE.handle(state, message, now)

    told = [sighting(second, object_id=the(number)) for second in range(10) for number in range(30)]
    async with Conveyor(replace(SETTLE, handle=slowly)) as conveyor:
        await conveyor.takes(*told)
        assert await conveyor.committed() < len(told) / 2
        await conveyor.settled()
        heard = {(record.key, record.facts.frame_time) for record in await conveyor.said(ObjectRecord)}
        assert heard == {(message.key, message.time) for message in told}
        assert (await conveyor.committed(), conveyor.dead_letters()) == (len(told), [])


class SlowPictures(FakePictures):
    """The earlier the frame, the longer the cut takes."""

    async def cut(self, frame: Any, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(max(0.0, 0.05 - (frame.time - at(0)) / 1e8))
        return await super().cut(frame, *args, **kwargs)


def tracker(pictures: FakePictures, retention: Retention = RETENTION) -> Agent[Any]:
    return track(
        pictures=pictures,
        cameras=FakeCameras(),
        wants_thumbnails=needs_pictures,
        wants_crop=lambda *_: False,
        retention=retention,
    )


async def test_an_end_never_overtakes_the_updates_before_it_and_nothing_late_revives_the_object() -> None:
    """F8: ends were drained before the updates in the queue. An object's messages are one ordered stream."""
    pictures = SlowPictures()
    show(pictures, *(frame(second) for second in range(6)))
    async with Conveyor(tracker(pictures)) as conveyor:
        await conveyor.takes(*life(4))
        await conveyor.settled()
        *_, last = said = await conveyor.said(Sighting)
        assert isinstance(last, Sighting)
        assert (last.outcome, last.updates, len(last.pictures.thumbnails)) == (Outcome.DONE, 4, 4)
        await conveyor.takes(event(5), end(5))
        await conveyor.settled()
        assert await conveyor.said(Sighting) == said


async def test_whatever_became_of_an_object_nothing_of_it_is_remembered_for_ever() -> None:
    """F9: early exits that never pruned their tables. Every state has a deadline or is closed by the end."""
    world = World()
    fail(world.pictures, frame(2), Poison("bad picture", "text"))
    await world.hear(*life(3), event(9))  # with a dead letter, and an update after the end
    await world.hear(start(object_id=the(1)), end(2, object_id=the(1), false_positive=True))
    await world.hear(start(object_id=the(2)), event(1, object_id=the(2)))  # its end is lost
    await world.hear(start(object_id=the(3)))  # never confirmed, never ended
    await world.hear(end(4, object_id=the(4)), event(1, object_id=the(5), frame=None), end(3, object_id=the(5)))
    await world.hear(event(1, object_id=the(6), camera="yard"))
    world.cameras.remove("yard")
    await world.hear(event(2, object_id=the(6), camera="yard"), event(3, object_id=the(7), camera="yard"))
    await world.loop.advance(at(9) + 100 * DAY)
    for agent in ("track", "settle", "sweep", "embed-mini", "index-objects-mini"):
        assert world.loop.table(agent) == {}
    assert (world.index.documents, await world.pictures.remove("objects")) == ({}, 0)


async def test_every_caller_gets_its_own_answer_however_many_share_a_connection(qdrant, server) -> None:
    """F14: a socket shared between threads swapped and swallowed answers. Each call holds its own future."""
    server.engine.refused = {"o13"}
    documents = [document(f"o{n}", camera=f"cam{n}", thumbnail=vector((n + 1, 1, 0))) for n in range(40)]
    answers = await asyncio.gather(*map(qdrant.put, documents), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Poison if n == 13 else type(None) for n in range(40)]
    found = await asyncio.gather(*(qdrant.search(Query(cameras=(f"cam{n}",))) for n in range(40)))
    assert [[hit.object_id for hit in hits] for hits in found] == [[] if n == 13 else [f"o{n}"] for n in range(40)]


async def test_texts_and_pictures_at_once_through_one_model_never_swap_their_kind(tmp_path: Path) -> None:
    """F15: "text or picture" was an attribute of the shared model. It is an argument, and one thread runs a model."""
    graphs.joint_graph(tmp_path / "both.onnx")
    settings = Embedding(
        model="both", vision_model="both.onnx", text_model="both.onnx", image_output="image_embeds",
        text_output="text_embeds", image_size=32,
    )  # fmt: skip
    pictures = [np.full((32, 32, 3), 7 * number, np.uint8) for number in range(32)]
    texts = [f"car number {number}" for number in range(32)]
    async with open_embedder(settings, Models(folder=tmp_path), Telemetry("test")) as embedder:
        alone = [await embedder.embed_picture(each) for each in pictures]
        alone += [await embedder.embed_text(each) for each in texts]
        calls = [*map(embedder.embed_picture, pictures), *map(embedder.embed_text, texts)]
        order = random.Random(1).sample(range(64), 64)
        mixed = dict(zip(order, await asyncio.gather(*(calls[number] for number in order)), strict=True))
    assert all(np.allclose(mixed[number], alone[number], atol=1e-5) for number in range(64))


async def test_no_late_document_brings_a_deleted_object_back(qdrant) -> None:
    """F21: a description that came after the deletion wrote its vector again. The index keeps a tombstone."""
    found = document(OBJECT, revision=at(5), thumbnail=vector((1, 0, 0)))
    late = document(OBJECT, revision=at(6) - 1, thumbnail=vector((1, 0, 0)), description="a late word")
    async with Conveyor(index_into(qdrant)) as conveyor:
        await conveyor.takes(found)
        await conveyor.settled()
        assert await qdrant.count() == 1
        await conveyor.takes(Tombstone(of=Document, name=OBJECT, at=at(6)), late, found)
        await conveyor.settled()
        assert (await qdrant.search(Query()), await qdrant.count(), conveyor.dead_letters()) == ([], 0, [])


# ---- what is slow, wrong or silent


@pytest.mark.parametrize("patience", [timedelta(milliseconds=300), timedelta(seconds=3, microseconds=1)])
async def test_a_deadline_of_a_part_of_a_second_holds_to_the_microsecond(patience: timedelta) -> None:
    """F49: times cut to whole seconds made 2 of 3. All times are whole microseconds from settings to state."""
    retention = Retention.of(objects=timedelta(1), open_objects=patience, ended=timedelta(1))
    loop = Loopback([tracker(FakePictures(), retention)])
    over = at(1.7) + patience // timedelta(microseconds=1)
    await loop.send(event(1.7, frame=None))
    await loop.advance(over - 1)
    assert isinstance(loop.state("track", OBJECT), Tracking)
    await loop.advance(over)
    assert isinstance(loop.state("track", OBJECT), Ended)


def test_pictures_and_texts_are_measured_apart_rates_decay_and_errors_count() -> None:
    """F52: batches of pictures billed to texts, rates that froze, no count of errors."""
    now = 100.0
    telemetry = Telemetry("test", clock=lambda: now)
    telemetry.work("image_embedding").done(0.8, items=8)
    telemetry.work("text_embedding").done(0.5)
    telemetry.agent("embed-mini").handled()
    telemetry.agent("embed-mini").failed("index")
    telemetry.agent("embed-mini").dead_letter("bad vector")
    now += 60
    said = telemetry.exposition().decode().splitlines()
    assert {
        'nvr_streams_work_done_total{work="image_embedding"} 8.0',
        'nvr_streams_work_done_total{work="text_embedding"} 1.0',
        'nvr_streams_work_seconds{work="image_embedding"} 0.1',
        'nvr_streams_work_seconds{work="text_embedding"} 0.5',
        'nvr_streams_work_per_second{work="image_embedding"} 0.0',
        'nvr_streams_messages_per_second{agent="embed-mini"} 0.0',
        'nvr_streams_failed_attempts_total{agent="embed-mini",reason="index"} 1.0',
        'nvr_streams_dead_letters_total{agent="embed-mini",reason="bad vector"} 1.0',
    } <= set(said)


async def test_what_is_cut_shows_the_object_where_its_box_says_and_never_upstreams_snapshot(street) -> None:
    """F53: a box of the detect frame applied to a snapshot of another size, with boxes drawn into it."""
    await street.sees(1)
    await street.hear(end(2, snapshot=picture("snapshot", 1)))
    (crop,) = street.crops
    shown = await street.pictures.load(crop.picture)
    green = (shown[:, :, 1].astype(int) - shown[:, :, 2]) > 128
    rows, columns = np.nonzero(green)
    found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    box = crop.box
    assert np.abs(np.subtract(found, (box.x1, box.y1, box.x2, box.y2))).max() <= 1
    assert street.document.record.pictures.best.time == at(1)
    assert street.document.record.pictures.best.uri.endswith(thumbnail_name(event(1)))


UNACKNOWLEDGED = {
    "only noted": Fault(update_status="acknowledged"),
    "given up waiting": Fault(update_status="wait_timeout"),
    "disk full": Fault(status=507),
    "unavailable": Fault(status=503),
    "answer lost": Fault(drop=True, after=True),
}


@pytest.mark.parametrize("fault", UNACKNOWLEDGED.values(), ids=UNACKNOWLEDGED)
async def test_a_vector_that_nobody_acknowledged_is_never_committed(qdrant, server, monkeypatch, fault) -> None:
    """F54: writes went into a queue whose failures nobody read. The offset follows the acknowledgement."""
    monkeypatch.setattr(work, "FIRST_WAIT", 0.01)
    server.fail(replace(fault, times=1000))
    async with Conveyor(index_into(qdrant)) as conveyor:
        await conveyor.takes(document(OBJECT, thumbnail=vector((1, 0, 0))))
        await conveyor.until(lambda: len(server.asked("PUT", "/points$")) > 1 and conveyor.waiting() == {"index"})
        assert (await conveyor.committed(), conveyor.broker.sent) == (0, [])
        server.reset()
        await conveyor.settled()
        assert (await conveyor.committed(), await qdrant.count()) == (1, 1)


async def test_a_vector_that_the_index_refuses_is_committed_only_as_a_dead_letter(qdrant, server) -> None:
    """F54, where trying again is no use: the letter is acknowledged before the offset moves."""
    server.engine.refused = {OBJECT}
    async with Conveyor(index_into(qdrant)) as conveyor:
        conveyor.broker.answering.clear()
        await conveyor.takes(document(OBJECT, thumbnail=vector((1, 0, 0))))
        await conveyor.until(conveyor.dead_letters)
        assert await conveyor.committed() == 0
        conveyor.broker.answering.set()
        await conveyor.settled()
        assert await conveyor.committed() == 1
