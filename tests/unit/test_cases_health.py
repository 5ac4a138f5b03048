"""What people report of such workers' health: up but idle, slow together, misled by settings or odd words."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streams.adapters.embedder import PICTURES, TEXTS, open_embedder
from streams.adapters.qdrant import QdrantIndex, open_index
from streams.adapters.qdrant_points import Space
from streams.adapters.telemetry import Telemetry
from streams.agents.embed import embed
from streams.agents.index import index as index_agent
from streams.agents.settle import settle
from streams.domain.agent import Step
from streams.domain.cameras import Camera, Descriptions, SemanticSearch
from streams.domain.errors import Outage
from streams.domain.messages import Crop, Document, Message, ObjectRecord
from streams.domain.values import Instant, PictureSet
from streams.ports import Query
from streams.runtime.watchdog import RESTART
from streams.settings import Embedding, Models
from streams.settings import Index as IndexSettings
from tests.support import graphs
from tests.support.builders import OBJECT, RETENTION, life, picture, record, sighting
from tests.support.conveyor import Conveyor
from tests.support.documents import document, vector
from tests.support.fake_cameras import FakeCameras
from tests.support.fake_index import FakeIndex
from tests.support.fake_pictures import FakePictures
from tests.support.footage import show
from tests.support.street import Everything
from tests.support.world import World

SETTLE = settle(retention=RETENTION)
RED = vector((1, 0, 0))


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[QdrantIndex]:
    """The embedded index, which keeps its points in SQLite."""
    space = Space(model="mini", dim=3)
    async with open_index(IndexSettings(path=tmp_path), site="home", space=space, public_url=lambda _: None) as index:
        yield index


# ---- up, but idle


class NoException(BaseException):
    """What `except Exception` lets pass."""


@pytest.mark.parametrize("error", [NoException(), asyncio.CancelledError(), SystemExit(0), GeneratorExit()])
async def test_an_agent_that_ends_in_a_way_that_nobody_catches_ends_the_worker(error: BaseException) -> None:
    async def handle(state: Any, message: Message, at: Instant) -> Step[Any]:
        del state, message, at
        raise error

    async with Conveyor(replace(SETTLE, handle=handle)) as conveyor:
        await conveyor.takes(sighting())
        await conveyor.until(lambda: conveyor.fatal)
        assert await conveyor.committed() == 0


SELF_ENDING = """
import asyncio, sys
from streams.runtime.lanes import Lanes
from streams.runtime.watchdog import fatal

async def work(lane):
    sys.exit(0)

async def run():
    lanes = Lanes(work, fatal, width=1)
    lanes.open = True
    lanes.add(b"key", 0, 1)
    await asyncio.sleep(60)

asyncio.run(run())
"""


def test_its_exit_code_asks_for_a_restart_even_where_the_agent_said_that_all_is_well() -> None:
    done = subprocess.run([sys.executable, "-c", SELF_ENDING], capture_output=True, timeout=30, check=False)
    assert done.returncode == RESTART


# ---- slow together


async def test_a_slow_agent_holds_up_no_other() -> None:
    async def slowly(state: Any, message: Message, at: Instant) -> Step[Any]:
        del message, at
        await asyncio.sleep(60)
        return Step(state)

    async with Conveyor(replace(SETTLE, name="slow", handle=slowly)) as slow, Conveyor(SETTLE) as quick:
        told = [sighting(second, object_id=f"o{second}") for second in range(100)]
        await slow.takes(*told)
        await quick.takes(*told)
        await quick.settled()
        assert (await slow.committed(), await quick.committed()) == (0, 100)


class ClosedIndex(FakeIndex):
    """Refuses connections until it is `open`."""

    open = False

    async def put(self, document: Document) -> None:
        if not self.open:
            raise Outage("index", "connection refused", retry_after=0.01)
        await super().put(document)


async def test_a_neighbour_that_refuses_connections_costs_only_the_agent_that_needs_it() -> None:
    closed = ClosedIndex()
    needing = index_agent(index=closed, model="mini", collection="objects")
    async with Conveyor(needing) as waiting, Conveyor(SETTLE) as other:
        await waiting.takes(*(document(f"o{number}") for number in range(20)))
        await other.takes(*(sighting(object_id=f"o{number}") for number in range(20)))
        await other.settled()
        await waiting.until(lambda: waiting.waiting() == {"index"})
        assert (await waiting.committed(), await other.committed()) == (0, 20)
        closed.open = True
        await waiting.settled()
        assert (await waiting.committed(), await closed.count()) == (20, 20)


async def test_two_hundred_ends_at_once_and_searches_beside_them_lock_nothing_and_lose_nothing(index) -> None:
    documents = [document(f"o{number}", camera=f"cam{number % 4}", thumbnail=RED) for number in range(200)]
    questions = [Query(cameras=(f"cam{number % 4}",), limit=1000) for number in range(20)]
    async with Conveyor(index_agent(index=index, model="mini", collection="objects"), width=200) as conveyor:
        await conveyor.takes(*documents)
        await asyncio.gather(*map(index.search, questions))
        await conveyor.settled()
        assert (await conveyor.committed(), await index.count()) == (200, 200)
        status = conveyor.telemetry.status().agents[0]
        assert (status.failed, status.dead_letters) == ({}, {})


# ---- odd words


async def test_an_expression_that_would_search_for_ever_is_a_plain_word(index) -> None:
    long = "a" * 5000 + "!"
    await index.put(document("o", plate=long))
    began = time.monotonic()
    assert await index.search(Query(plates=("(a+)+$",))) == []
    assert [hit.object_id for hit in await index.search(Query(plates=(long,)))] == ["o"]
    assert time.monotonic() - began < 1


NAMES = ("O'Test", "a#b", "../x", "n" * 300, "🚲", 'x"; DROP TABLE points; --', "%00", "a,b", "*")


async def test_names_are_data_whatever_they_look_like(index) -> None:
    await asyncio.gather(*(index.put(document(f"id {name}", sub_label=name, camera=name)) for name in NAMES))
    for name in NAMES:
        by_name, by_camera = [
            await index.search(query) for query in (Query(sub_labels=(name,)), Query(cameras=(name,)))
        ]
        assert [(hit.object_id, hit.sub_label) for hit in by_name] == [(f"id {name}", name)]
        assert by_camera == by_name


# ---- what is measured, and what is set


async def test_a_hundred_thumbnails_embedded_anew_are_a_hundred_pictures_and_no_text(tmp_path: Path) -> None:
    graphs.picture_graph(tmp_path / "vision.onnx")
    graphs.text_graph(tmp_path / "text.onnx")
    settings = Embedding(model="mini", vision_model="vision.onnx", text_model="text.onnx", image_size=32)
    telemetry, pictures, thumbnail = Telemetry("test"), FakePictures(), picture("best")
    show(pictures, thumbnail)
    told = [record(object_id=f"o{n}", pictures=PictureSet(best=thumbnail)) for n in range(100)]
    async with open_embedder(settings, Models(folder=tmp_path), telemetry) as embedder:
        agent = embed(model="mini", embedder=embedder, pictures=pictures, cameras=FakeCameras())
        async with Conveyor(agent) as conveyor:
            await conveyor.takes(*told)
            await conveyor.settled()
            assert all(said.thumbnail for said in await conveyor.said(Document))
    assert (telemetry.work(PICTURES).status().done, telemetry.work(TEXTS).status().done) == (100, 0)


PORCH = Camera(name="porch")
OFF = replace(PORCH, semantic_search=SemanticSearch(enabled=False))
DESCRIBED = replace(OFF, genai=Descriptions(enabled=True))
MASKED = replace(PORCH, motion_mask="0,0,1,0,1,1")
BEFORE, AFTER = "1764000000.000001-before", "1764000000.000002-after0"
Effect = tuple[int, bool, set[str]]


def effect(world: World, object_id: str) -> Effect:
    """Thumbnails kept, whether it was embedded, and the masks that its crops go by."""
    found = world.index.documents[object_id]
    masks = {crop.mask for crop in world.said(Crop) if crop.key == object_id and crop.picture}
    return len(found.record.pictures.thumbnails), found.thumbnail is not None, masks


@pytest.mark.parametrize(
    ("settings", "effects"),
    [
        ((OFF, PORCH), ((0, False, {""}), (2, True, {""}))),
        ((PORCH, OFF), ((2, True, {""}), (0, False, {""}))),
        ((OFF, DESCRIBED), ((0, False, {""}), (2, False, {""}))),
        ((DESCRIBED, OFF), ((2, False, {""}), (0, False, {""}))),
        ((PORCH, MASKED), ((2, True, {""}), (2, True, {MASKED.motion_mask}))),
    ],
    ids=["search on", "search off", "descriptions on", "descriptions off", "mask"],
)
async def test_every_setting_that_an_agent_goes_by_counts_from_the_next_message_on(settings, effects) -> None:
    world = World(recognisers=(Everything(),))
    for camera, object_id in zip(settings, (BEFORE, AFTER), strict=True):
        world.cameras.put(camera)
        await world.hear(*life(2, object_id))
    assert (effect(world, BEFORE), effect(world, AFTER)) == effects


async def test_a_camera_that_comes_back_is_one_again() -> None:
    world = World()
    world.cameras.remove("porch")
    await world.hear(*life(2, BEFORE))
    world.cameras.put(PORCH)
    await world.hear(*life(2))
    assert {told.key for told in world.said(ObjectRecord)} == {OBJECT}
