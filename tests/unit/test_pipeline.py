import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.domain.cameras import Camera, Descriptions, SemanticSearch
from streams.domain.errors import Poison
from streams.domain.messages import Crop, Document, Event, ObjectRecord, Sighting, Tombstone
from streams.domain.records import Deleted, Settled
from streams.domain.sightings import Ended
from streams.domain.topology import mermaid, order
from streams.domain.values import Outcome, Source
from streams.pipeline import outline
from streams.recognisers import RECOGNISERS
from tests.support.builders import DAY, OBJECT, RETENTION, at, end, event, frame, life, picture, start
from tests.support.footage import fail, show
from tests.support.world import World

PORCH = Camera(name="porch")
UNSEARCHED = replace(PORCH, semantic_search=SemanticSearch(enabled=False))


def the(number: int) -> str:
    return f"1764000000.00000{number}-abc123"


async def test_an_object_becomes_one_document_that_is_found():
    world = World()
    await world.hear(*life(3))
    (document,) = world.index.documents.values()
    record = document.record
    assert (record.object_id, record.outcome, record.updates) == (OBJECT, Outcome.DONE, 3)
    assert [thumbnail.time for thumbnail in record.pictures.thumbnails] == [at(1), at(2), at(3)]
    assert (document.thumbnail.model, document.description) == ("mini", None)
    assert world.loop.dead_letters == []


async def test_the_document_waits_for_the_end():
    world = World()
    *before, the_end = life(3)
    await world.hear(*before)
    assert (len(world.said(ObjectRecord)), await world.index.count()) == (1, 0)
    await world.hear(the_end)
    assert await world.index.count() == 1


async def test_little_is_published():
    world = World()
    await world.hear(*life(20))
    assert (len(world.said(Sighting)), len(world.said(ObjectRecord)), len(world.said(Document))) == (2, 2, 1)


async def test_a_false_positive_leaves_nothing_behind():
    world = World()
    await world.hear(start(), end(1, false_positive=True))
    assert (world.loop.published, world.index.documents) == ([], {})


async def test_interleaved_objects_do_not_meet():
    apart, together = World(), World()
    lives = [life(number + 1, the(number)) for number in range(5)]
    for each in lives:
        await apart.hear(*each)
    for step in range(8):
        await together.hear(*[each[step] for each in lives if step < len(each)])
    assert set(together.index.documents) == {the(number) for number in range(5)}
    assert together.index.documents == apart.index.documents


async def test_poison_in_the_middle_costs_one_picture_and_no_object():
    world = World()
    fail(world.pictures, frame(2), Poison("bad picture", "text"))
    await world.hear(*life(3))
    assert [(letter.agent, letter.message.key) for letter in world.loop.dead_letters] == [("track", OBJECT)]
    record = world.index.documents[OBJECT].record
    assert [thumbnail.time for thumbnail in record.pictures.thumbnails] == [at(1), at(3)]


async def test_the_objects_of_a_removed_camera_stay_and_nothing_new_is_made():
    world = World()
    first, second = the(1), the(2)
    await world.hear(event(1, object_id=first))
    world.cameras.remove("porch")
    await world.hear(event(2, object_id=first), *life(2, second))
    assert {key: document.record.outcome for key, document in world.index.documents.items()} == {
        first: Outcome.ABANDONED
    }


async def test_an_object_whose_end_was_lost_is_found_in_the_end():
    world = World()
    await world.hear(*life(2)[:-1])
    await world.loop.advance(at(2) + RETENTION.open_objects)
    record = world.index.documents[OBJECT].record
    assert (record.outcome, record.facts.end_time) == (Outcome.ABANDONED, at(2))
    assert len(record.pictures.thumbnails) == 2


async def test_retention_removes_record_document_and_pictures():
    world = World()
    await world.hear(*life(2))
    await world.loop.advance(at(3) + 30 * DAY)
    assert {gone.of for gone in world.said(Tombstone)} == {ObjectRecord, Document}
    assert (world.index.documents, world.index.buried) == ({}, {OBJECT})
    assert await world.pictures.remove("objects") == 0
    assert isinstance(world.loop.state("settle", OBJECT), Deleted)


async def test_in_the_end_nothing_is_remembered():
    world = World()
    await world.hear(*life(2))
    await world.loop.advance(at(3) + 100 * DAY)
    assert all(world.loop.table(agent) == {} for agent in ("track", "settle", "embed-mini", "index-objects-mini"))


@pytest.mark.parametrize("source", [Source.MANUAL, Source.AUDIO, Source.PLATE])
async def test_what_was_never_tracked_is_found_like_everything_else(source):
    world = World()
    plain = {"source": source, "box": None, "frame": None, "label": "bark"}
    show(world.pictures, picture("snapshot"))
    await world.hear(start(false_positive=False, **plain), end(5, snapshot=picture("snapshot"), **plain))
    document = world.index.documents[OBJECT]
    assert (document.record.facts.source, document.thumbnail is None) == (source, False)


def end_state(world: World) -> object:
    """All that is remembered and can be found, revisions apart."""
    tables = {agent: world.loop.table(agent) for agent in ("track", "settle")}
    return tables, world.index.documents, world.index.buried


async def test_every_message_delivered_twice_changes_nothing():
    once, twice = World(), World(deliveries=2)
    for world in (once, twice):
        await world.hear(*life(12))
        await world.hear(*life(3, the(7)))
    assert end_state(twice) == end_state(once)


@st.composite
def streets(draw) -> list[Event]:
    """What happened on one street: up to three objects, their updates mixed, some of them never ending."""
    updates = [
        event(
            second,
            object_id=the(draw(st.integers(0, 2))),
            stationary=draw(st.booleans()),
            score=draw(st.sampled_from((0.5, 0.7, 0.9))),
            entered_zones=draw(st.sampled_from(((), ("lawn",)))),
            frame=draw(st.sampled_from((frame(second), frame(0), None))),
        )
        for second in range(1, draw(st.integers(2, 14)))
    ]
    return updates + [end(20, object_id=the(number)) for number in draw(st.sets(st.integers(0, 2)))]


@given(told=streets(), repeated=st.integers(0, 20))
@settings(max_examples=40, deadline=None)
async def test_every_prefix_delivered_twice_comes_to_the_same_end(told, repeated):
    once, again = World(), World()
    await once.hear(*told)
    await again.hear(*told[:repeated], *told)
    assert _without_revisions(again) == _without_revisions(once)


def _without_revisions(world: World) -> object:
    """What is known in the end. Repeats may cost revisions and, before the end, postpone a deadline."""
    settled = [known.record for known in world.loop.table("settle").values() if isinstance(known, Settled)]
    ended = {key: known.outcome for key, known in world.loop.table("track").items() if isinstance(known, Ended)}
    documents = [document.record for document in world.index.documents.values()]
    plain = [{each.key: replace(each, revision=0) for each in records} for records in (settled, documents)]
    return plain, ended


def test_data_moves_one_way():
    assert order(outline(model="mini", collection="objects")) == (
        "track",
        "settle",
        "sweep",
        "embed-mini",
        "index-objects-mini",
    )


def test_the_graph_can_be_drawn_without_the_world():
    drawn = mermaid(outline(model="mini", collection="objects"), lambda message: message.__name__)
    assert "    outside -->|Event| track\n" in drawn
    assert "    embed-mini -->|Document| index-objects-mini\n" in drawn


@pytest.mark.parametrize(
    ("camera", "embedding", "thumbnails"),
    [
        (PORCH, True, 2),
        (PORCH, False, 0),
        (UNSEARCHED, True, 0),
        (replace(UNSEARCHED, genai=Descriptions(enabled=True)), True, 2),
    ],
    ids=["search", "no embedder", "search is off", "descriptions"],
)
async def test_thumbnails_are_cut_where_search_or_descriptions_need_them(camera, embedding, thumbnails):
    world = World(embedding=embedding)
    world.cameras.put(camera)
    await world.hear(*life(2))
    assert world.pictures.cuts.total() == thumbnails


async def test_a_camera_that_needs_no_pictures_still_has_objects():
    world = World()
    world.cameras.put(UNSEARCHED)
    await world.hear(*life(2))
    document = world.index.documents[OBJECT]
    assert (document.record.outcome, document.thumbnail) == (Outcome.NO_PICTURE, None)
    assert await world.pictures.remove("objects") == 0


async def test_recognisers_decide_what_crops_are_cut():
    class Reader:
        def wants(self, camera: Camera, event: Event) -> bool:
            return camera.name == "porch" and event.label == "person"

    world = World(embedding=False, recognisers=(*RECOGNISERS, Reader()))
    await world.hear(*life(2), *life(2, the(5), camera="yard"))
    assert [(crop.key, crop.ended) for crop in world.said(Crop)] == [(OBJECT, False), (OBJECT, False), (OBJECT, True)]


def test_the_pipeline_brings_no_heavy_library():
    heavy = {"faust", "mode", "aiokafka", "onnxruntime", "qdrant_client", "cv2", "obstore", "confluent_kafka"}
    script = f"import sys, streams.pipeline; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
