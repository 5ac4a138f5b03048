from streams.agents.index import Indexed, index
from streams.domain.messages import Document, Tombstone
from tests.support.builders import OBJECT, at, record
from tests.support.fake_index import FakeIndex


class World:
    """`index` alone: one key and its state, beside an index."""

    def __init__(self) -> None:
        self.index = FakeIndex()
        self.agent = index(index=self.index, model="mini", collection="objects")
        self.state: Indexed | None = None

    async def hear(self, message: Document | Tombstone, second: float = 99) -> None:
        self.state = (await self.agent.handle(self.state, message, at(second))).state


def document(second: float) -> Document:
    return Document(record=record(second))


GONE = Tombstone(of=Document, name=OBJECT)


async def test_documents_are_put_into_the_index():
    world = World()
    await world.hear(document(1))
    assert world.index.documents == {OBJECT: document(1)}


async def test_a_newer_document_replaces_an_older_one_and_never_the_other_way():
    world = World()
    for second in (1, 3, 2):
        await world.hear(document(second))
    assert world.index.documents == {OBJECT: document(3)}
    assert world.state == Indexed(revision=at(3))


async def test_a_tombstone_buries_the_object():
    world = World()
    await world.hear(document(1))
    await world.hear(GONE)
    assert (world.index.documents, world.index.buried, world.state) == ({}, {OBJECT}, None)


async def test_a_tombstone_buries_even_where_clocks_lag():
    world = World()
    await world.hear(document(50))
    await world.hear(GONE, second=20)
    assert (world.index.documents, world.index.buried) == ({}, {OBJECT})


async def test_no_late_document_brings_a_buried_object_back():
    world = World()
    await world.hear(document(1))
    await world.hear(GONE)
    await world.hear(document(1))
    assert (world.index.documents, world.index.buried) == ({}, {OBJECT})


async def test_a_tombstone_of_what_was_never_indexed_is_kept_too():
    world = World()
    await world.hear(GONE)
    assert world.index.buried == {OBJECT}


def test_there_is_one_agent_per_collection_and_model():
    agent = World().agent
    assert (agent.name, agent.model, agent.produces) == ("index-objects-mini", "mini", ())
