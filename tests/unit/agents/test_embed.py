from dataclasses import replace

import numpy as np
import pytest

from streams.agents.embed import embed
from streams.domain.cameras import Camera, SemanticSearch
from streams.domain.embedding import Embedded
from streams.domain.errors import Gone, Outage, Poison
from streams.domain.messages import Document, ObjectRecord, Tombstone
from streams.domain.values import Outcome, PictureSet
from tests.support.builders import OBJECT, at, facts, picture, record
from tests.support.fake_cameras import FakeCameras
from tests.support.fake_embedder import FakeEmbedder
from tests.support.fake_pictures import FakePictures
from tests.support.footage import fail, show

BEST, OLD, NEW, SNAPSHOT = (picture(name) for name in ("best", "old", "new", "snapshot"))
ALL = PictureSet(best=BEST, thumbnails=(OLD, NEW), snapshot=SNAPSHOT)


class Counting(FakeEmbedder):
    """Also remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[object] = []

    async def embed_picture(self, image):
        self.asked.append(int(image[0, 0, 0]))
        return await super().embed_picture(image)

    async def embed_text(self, text):
        self.asked.append(text)
        return await super().embed_text(text)


class World:
    """`embed` alone: one key, its state, what it asked of the embedder and what it published."""

    def __init__(self, *, embedding: bool = True) -> None:
        self.pictures, self.cameras, self.embedder = FakePictures(), FakeCameras(), Counting()
        for shade, ref in enumerate((BEST, OLD, NEW, SNAPSHOT)):
            show(self.pictures, ref, shade=shade)
        self.agent = embed(
            model="mini",
            embedder=self.embedder if embedding else None,
            pictures=self.pictures,
            cameras=self.cameras,
        )
        self.state: Embedded | None = None

    async def hear(self, message: ObjectRecord | Tombstone) -> Document | Tombstone | None:
        step = await self.agent.handle(self.state, message, at(99))
        self.state = step.state
        (out,) = step.out or (None,)
        return out


async def test_an_ended_object_becomes_a_document_with_a_vector_of_its_best_picture():
    world = World()
    known = record(1, pictures=ALL)
    document = await world.hear(known)
    vector = document.thumbnail
    assert (document.record, document.description, world.embedder.asked) == (known, None, [0])
    assert (vector.model, vector.dim, len(vector.values)) == ("mini", 8, 32)
    assert np.linalg.norm(np.frombuffer(vector.values, "<f4")) == pytest.approx(1, abs=1e-6)


async def test_an_open_object_is_not_embedded():
    world = World()
    assert await world.hear(record(1, outcome=Outcome.OPEN)) is None
    assert (world.state, world.embedder.asked) == (None, [])


@pytest.mark.parametrize("trouble", [Gone("x"), Poison("bad picture", "text")], ids=["gone", "broken"])
@pytest.mark.parametrize(("lost", "taken"), [((BEST,), 2), ((BEST, NEW), 1), ((BEST, NEW, OLD), 3)])
async def test_where_a_picture_cannot_be_read_the_next_one_stands_in(trouble, lost, taken):
    world = World()
    for ref in lost:
        fail(world.pictures, ref, trouble)
    assert (await world.hear(record(1, pictures=ALL))).thumbnail is not None
    assert world.embedder.asked == [taken]


async def test_without_any_readable_picture_the_document_has_no_vector():
    world = World()
    lost = PictureSet(best=picture("lost"))
    document = await world.hear(record(1, pictures=lost))
    assert (document.thumbnail, document.record.pictures) == (None, lost)
    assert (await world.hear(record(2, pictures=PictureSet(), outcome=Outcome.NO_PICTURE))).thumbnail is None


async def test_an_outage_of_the_store_waits_instead_of_taking_another_picture():
    world = World()
    fail(world.pictures, BEST, Outage("store"))
    with pytest.raises(Outage):
        await world.hear(record(1, pictures=ALL))


async def test_facts_alone_make_a_new_document_of_the_old_vectors():
    world = World()
    before = await world.hear(record(1, pictures=ALL, description="A person."))
    renamed = record(2, pictures=ALL, description="A person.", facts=facts(1, sub_label="Ada"))
    after = await world.hear(renamed)
    assert (after.record, after.thumbnail, after.description) == (renamed, before.thumbnail, before.description)
    assert world.embedder.asked == [0, "A person."]


async def test_a_new_text_is_embedded_and_the_picture_is_not():
    world = World()
    await world.hear(record(1, pictures=ALL))
    document = await world.hear(record(2, pictures=ALL, description="A cat."))
    assert document.description.model == "mini"
    await world.hear(record(3, pictures=ALL, description="A dog."))
    assert world.embedder.asked == [0, "A cat.", "A dog."]


async def test_a_text_that_is_taken_back_takes_its_vector_along():
    world = World()
    await world.hear(record(1, pictures=ALL, description="A cat."))
    document = await world.hear(record(2, pictures=ALL))
    assert (document.description, document.thumbnail is None) == (None, False)


async def test_a_new_picture_is_embedded():
    world = World()
    await world.hear(record(1, pictures=ALL))
    await world.hear(record(2, pictures=replace(ALL, best=OLD)))
    assert world.embedder.asked == [0, 1]


async def test_a_picture_of_the_same_name_and_another_time_is_a_new_one():
    world = World()
    await world.hear(record(1, pictures=ALL))
    await world.hear(record(2, pictures=replace(ALL, best=replace(BEST, time=BEST.time + 1))))
    assert world.embedder.asked == [0, 0]


async def test_the_same_record_twice_makes_one_document():
    world = World()
    await world.hear(record(1, pictures=ALL))
    assert await world.hear(record(1, pictures=ALL)) is None


async def test_an_older_revision_never_follows_a_newer_one():
    world = World()
    await world.hear(record(2, pictures=ALL))
    assert await world.hear(record(1, pictures=ALL, description="late")) is None


async def test_a_deleted_object_takes_its_document_along():
    world = World()
    await world.hear(record(1, pictures=ALL))
    gone = await world.hear(Tombstone(of=ObjectRecord, name=OBJECT))
    assert (gone, world.state) == (Tombstone(of=Document, name=OBJECT, at=at(99)), None)


async def test_where_semantic_search_is_off_documents_have_no_vectors():
    world = World()
    world.cameras.put(Camera(name="porch", semantic_search=SemanticSearch(enabled=False)))
    document = await world.hear(record(1, pictures=ALL, description="A cat."))
    assert (document.thumbnail, document.description, world.embedder.asked) == (None, None, [])


async def test_once_semantic_search_is_on_the_next_version_is_embedded():
    world = World()
    world.cameras.put(Camera(name="porch", semantic_search=SemanticSearch(enabled=False)))
    await world.hear(record(1, pictures=ALL))
    world.cameras.put(Camera(name="porch"))
    assert (await world.hear(record(2, pictures=ALL))).thumbnail is not None


async def test_what_a_removed_camera_saw_stays_searchable():
    world = World()
    world.cameras.remove("porch")
    assert (await world.hear(record(1, pictures=ALL))).thumbnail is not None


async def test_without_an_embedder_documents_have_no_vectors():
    document = await World(embedding=False).hear(record(1, pictures=ALL, description="A cat."))
    assert (document.thumbnail, document.description) == (None, None)


def test_there_is_one_agent_per_model():
    agent = World().agent
    assert (agent.name, agent.model) == ("embed-mini", "mini")
