"""Qdrant over HTTP: few requests, each acknowledged; what a failure means for the document that waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import count, permutations

import numpy as np
import pytest
from pydantic import SecretStr
from qdrant_client import AsyncQdrantClient, models

from streams.adapters.qdrant import QdrantIndex, open_index
from streams.adapters.qdrant_points import Space
from streams.adapters.qdrant_schema import INDEXES, Plan, prepare
from streams.domain.documents import point_id
from streams.domain.errors import Outage, Poison, SettingsError
from streams.ports import Query
from streams.settings import Index as IndexSettings
from tests.support.documents import document, vector
from tests.support.qdrant_front import Fault, Front

SPACE = Space(model="mini", dim=3)
RED = (1.0, 0.0, 0.0)


SITES = (f"site-{number}" for number in count())
"""One server serves all tests of this file; sites don't see each other."""


@pytest.fixture(scope="module")
def server() -> Iterator[Front]:
    with Front() as front:
        yield front


@pytest.fixture
def front(server: Front) -> Front:
    server.reset()
    return server


@pytest.fixture
def site() -> str:
    return next(SITES)


@pytest.fixture
async def index(front: Front, site: str) -> AsyncIterator[QdrantIndex]:
    async with opened(front, site=site) as index:
        yield index


@pytest.fixture
async def client(front: Front) -> AsyncIterator[AsyncQdrantClient]:
    client = AsyncQdrantClient(url=front.url, check_compatibility=False, verify=False)
    yield client
    await client.close()


def opened(front: Front, *, batch: int = 64, site: str | None = None, timeout: float = 5):
    settings = IndexSettings(url=front.url, batch=batch, timeout=timedelta(seconds=timeout))
    return open_index(settings, site=site or next(SITES), space=SPACE, public_url=lambda _: None)


def upserts(front: Front) -> list[list[str]]:
    """The object ids of each request that wrote points."""
    bodies = [json.loads(call.body) for call in front.asked("PUT", "/points$")]
    return [[point["payload"]["object_id"] for point in body["points"]] for body in bodies]


async def outcomes(index: QdrantIndex, *ids: str) -> dict[str, BaseException | None]:
    documents = [document(object_id, thumbnail=vector(RED)) for object_id in ids]
    return dict(zip(ids, await asyncio.gather(*map(index.put, documents), return_exceptions=True), strict=True))


async def ids(index: QdrantIndex) -> set[str]:
    return {hit.object_id for hit in await index.search(Query(limit=1000))}


async def test_concurrent_writes_travel_together(index, front):
    await outcomes(index, *(f"o{n}" for n in range(20)))
    assert [len(request) for request in upserts(front)] == [20]


async def test_no_request_is_larger_than_the_setting(front):
    async with opened(front, batch=8) as index:
        await outcomes(index, *(f"o{n}" for n in range(20)))
    assert max(map(len, upserts(front))) == 8
    assert sum(map(len, upserts(front))) == 20


async def test_of_one_object_only_the_newest_travels(index, front):
    await asyncio.gather(*(index.put(document("a", revision=n)) for n in (7, 9, 8)))
    [call] = front.asked("PUT", "/points$")
    assert [point["payload"]["version"] for point in json.loads(call.body)["points"]] == [9]


async def test_writes_wait_until_they_are_durable_and_go_to_the_physical_collection(index, front):
    await index.put(document("a"))
    [call] = front.asked("PUT", "/points$")
    assert call.path == "/collections/objects_mini_1/points"
    assert ("wait", "true") in call.query


async def test_whole_points_are_kept_as_the_design_says(index, client, site):
    await index.put(document("a", revision=3, thumbnail=vector(RED)))
    await index.bury("b", 4)
    points = await client.retrieve("objects", [point_id(site, "a"), point_id(site, "b")], with_vectors=True)
    kept = {point.payload["object_id"]: point for point in points}
    assert kept["a"].vector == {"thumbnail": [1.0, 0.0, 0.0]}
    assert kept["b"].vector == {}
    assert kept["b"].payload == {"object_id": "b", "site": site, "version": 4, "deleted": True}


async def test_a_point_without_version_is_replaced(index, client, site):
    await client.upsert("objects", [models.PointStruct(id=point_id(site, "a"), vector={}, payload={"old": True})])
    await index.put(document("a"))
    assert await ids(index) == {"a"}


async def test_every_order_of_writes_ends_the_same(index):
    changes = [
        lambda name: index.put(document(name, revision=1, camera="one")),
        lambda name: index.put(document(name, revision=2, camera="two")),
        lambda name: index.bury(name, 2),
        lambda name: index.put(document(name, revision=3, camera="three")),
    ]
    for n, order in enumerate(permutations(changes)):
        for change in (*order, order[0]):
            await change(f"o{n}")
    assert {hit.camera for hit in await index.search(Query(limit=100))} == {"three"}
    assert await index.count() == 24


async def test_sites_share_a_collection_without_seeing_each_other(front):
    async with opened(front) as home, opened(front) as office:
        await home.put(document("a", camera="at home", thumbnail=vector(RED)))
        await office.put(document("a", camera="at work", thumbnail=vector(RED)))
        assert [hit.camera for hit in await home.search(Query(vector=np.asarray(RED, np.float32)))] == ["at home"]
        assert [hit.camera for hit in await office.search(Query())] == ["at work"]
        assert (await home.count(), await office.count()) == (1, 1)


@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_a_refused_document_is_poison_that_names_the_object(index, front, status):
    front.fail(Fault(status=status))
    with pytest.raises(Poison, match="refused by the index: a: injected"):
        await index.put(document("a"))


@pytest.mark.parametrize("bad", [{"o0"}, {"o6"}, {"o2", "o3"}, {"o0", "o4", "o6"}])
async def test_one_bad_document_does_not_fail_its_neighbours(index, front, bad):
    front.engine.refused = bad
    found = await outcomes(index, *(f"o{n}" for n in range(7)))
    assert {name for name, outcome in found.items() if isinstance(outcome, Poison)} == bad
    assert await ids(index) == set(found) - bad


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 504, 507])
async def test_a_server_in_trouble_is_an_outage(index, front, status):
    front.fail(Fault(status=status))
    with pytest.raises(Outage, match=f"index: HTTP {status}") as outage:
        await index.put(document("a"))
    assert outage.value.retry_after is None
    await index.put(document("a"))
    assert await ids(index) == {"a"}


async def test_a_busy_server_says_how_long_to_wait(index, front):
    front.fail(Fault(status=429, headers={"Retry-After": "7"}))
    with pytest.raises(Outage) as outage:
        await index.put(document("a"))
    assert outage.value.retry_after == 7


async def test_a_wait_that_is_no_number_is_an_outage_all_the_same(index, front):
    front.fail(Fault(status=429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}))
    with pytest.raises(Outage, match="index"):
        await index.put(document("a"))


@pytest.mark.parametrize("said", ["acknowledged", "wait_timeout"])
async def test_a_write_that_is_only_noted_is_not_taken_for_done(index, front, said):
    front.fail(Fault(update_status=said))
    with pytest.raises(Outage, match=f"the write is {said}"):
        await index.put(document("a"))


async def test_an_outage_reaches_everyone_in_the_batch(index, front):
    front.fail(Fault(status=503))
    found = await outcomes(index, "a", "b", "c")
    assert all(isinstance(outcome, Outage) for outcome in found.values())


@pytest.mark.parametrize("after", [False, True])
async def test_a_cut_connection_is_an_outage_and_the_repeat_makes_no_duplicate(index, front, after):
    front.fail(Fault(drop=True, after=after))
    with pytest.raises(Outage, match=r"RemoteProtocolError|ReadError"):
        await index.put(document("a"))
    await index.put(document("a"))
    assert await index.count() == 1


async def test_a_silent_server_is_an_outage_after_the_deadline():
    with Front() as front:  # of its own: the late write would be seen by the next test
        async with opened(front, timeout=0.5) as index:
            front.fail(Fault(delay=1.3))
            with pytest.raises(Outage, match="ReadTimeout"):
                await index.put(document("a"))


async def test_an_answer_that_is_not_qdrants_is_an_outage(index, front):
    front.fail(Fault(status=502, text="<html>Bad Gateway</html>"))
    with pytest.raises(Outage, match="HTTP 502: <html>Bad Gateway"):
        await index.put(document("a"))


async def test_a_refused_search_is_poison_and_a_failed_one_an_outage(index, front):
    with pytest.raises(Poison, match="refused by the index"):
        await index.search(Query(vector=np.ones(7, np.float32)))
    front.fail(Fault(status=503, method="POST", path="/scroll$"))
    with pytest.raises(Outage):
        await index.search(Query())


async def test_large_batches_are_split_so_that_no_request_is_too_large(front):
    text = "x" * 4_000_000
    async with opened(front) as index:
        await asyncio.gather(*(index.put(document(f"o{n}", description=text)) for n in range(7)))
        assert await index.count() == 7
    assert {call.status for call in front.asked("PUT", "/points$")} == {200}
    assert len(upserts(front)) == 2


async def test_a_document_above_the_servers_limit_is_poison_and_leaves_others_alone(index):
    huge = document("huge", description="x" * 33 * 1024 * 1024)
    refused, kept = await asyncio.gather(index.put(huge), index.put(document("b")), return_exceptions=True)
    assert isinstance(refused, Poison)
    assert kept is None


async def test_a_vector_of_another_length_never_travels(index, front):
    with pytest.raises(Poison, match="thumbnail has 2 numbers, the collection takes 3"):
        await index.put(document("a", thumbnail=vector((1.0, 0.0))))
    assert upserts(front) == []


async def test_words_of_one_model_are_not_searched_among_vectors_of_another():
    with Front() as front:
        async with opened(front) as index:
            await serve_another_model(front)
            with pytest.raises(SettingsError, match=r"objects now serves vectors of 'big'.*by 'mini'"):
                await index.search(Query(vector=np.asarray(RED, np.float32)))
            assert await index.search(Query()) == []


async def serve_another_model(front: Front) -> None:
    """Move the alias to a collection of the model `big`."""
    client = AsyncQdrantClient(url=front.url, check_compatibility=False, verify=False)
    plan = Plan(alias="others", space=Space(model="big", dim=3), site="home", indexes=INDEXES)
    create = models.CreateAlias(collection_name=await prepare(client, plan), alias_name="objects")
    delete = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="objects"))
    await client.update_collection_aliases([delete, models.CreateAliasOperation(create_alias=create)])
    await client.close()


async def test_a_point_that_people_broke_is_left_out_of_the_hits(index, client, site):
    await outcomes(index, "a", "b")
    broken = {"object_id": "a", "site": site, "start_time": "yesterday", "start_ts": 1.0, "camera": "x", "label": "y"}
    await client.upsert("objects", [models.PointStruct(id=point_id(site, "a"), vector={}, payload=broken)])
    assert await ids(index) == {"b"}


async def test_connections_are_kept_although_the_server_is_on_loopback(index, front):
    for n in range(5):
        await index.put(document(f"o{n}"))
    assert len({call.peer for call in front.asked("PUT", "/points$")}) == 1


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
async def test_the_api_key_goes_along(front):
    settings = IndexSettings(url=front.url, api_key=SecretStr("open sesame"))
    async with open_index(settings, site="home", space=SPACE, public_url=lambda _: None) as index:
        await index.put(document("a"))
    assert {call.headers["api-key"] for call in front.calls} == {"open sesame"}


async def test_many_at_once_all_arrive(index, front):
    await outcomes(index, *(f"o{n}" for n in range(500)))
    assert await index.count() == 500
    assert sum(map(len, upserts(front))) == 500
