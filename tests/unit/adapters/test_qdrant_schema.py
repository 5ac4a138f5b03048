"""What is made when missing, and what is refused at start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from streams.adapters.qdrant import open_index
from streams.adapters.qdrant_points import Space
from streams.adapters.qdrant_schema import INDEXES, Plan, prepare
from streams.domain.documents import payload
from streams.domain.errors import Outage, SettingsError
from streams.ports import Query
from streams.settings import Index as IndexSettings
from tests.support.documents import document, picture
from tests.support.qdrant_front import Fault, Front

PLAN = Plan(alias="objects", space=Space(model="mini", dim=3), site="home", indexes=INDEXES)
COSINE = models.VectorParams(size=3, distance=models.Distance.COSINE)
FITTING = {"thumbnail": COSINE, "description": COSINE}
METADATA = {"model": "mini", "dim": 3, "schema": 1, "site": "home"}


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as front:
        yield front


@pytest.fixture
async def client(front):
    client = AsyncQdrantClient(url=front.url, check_compatibility=False, verify=False)
    yield client
    await client.close()


async def point(client: AsyncQdrantClient, alias: str, collection: str) -> None:
    create = models.CreateAlias(collection_name=collection, alias_name=alias)
    await client.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])


async def test_the_first_start_makes_collection_indexes_and_alias(client):
    assert await prepare(client, PLAN) == "objects_mini_1"
    info = await client.get_collection("objects")
    assert info.config.metadata == METADATA
    assert info.config.params.vectors == FITTING
    assert {name: found.data_type.value for name, found in info.payload_schema.items()} == {
        name: getattr(schema, "type", schema).value for name, schema in INDEXES.items()
    }


async def test_indexes_come_before_the_alias_that_readers_go_to(client, front):
    await prepare(client, PLAN)
    written = [call.path.removeprefix("/collections/") for call in front.calls if call.method != "GET"]
    assert written == ["objects_mini_1", *["objects_mini_1/index"] * len(INDEXES), "aliases"]


async def test_the_second_start_only_looks(client, front):
    await prepare(client, PLAN)
    seen = len(front.calls)
    assert await prepare(client, PLAN) == "objects_mini_1"
    assert {call.method for call in front.calls[seen:]} == {"GET"}


async def test_two_workers_that_start_at_once_agree(client):
    assert await asyncio.gather(*(prepare(client, PLAN) for _ in range(5))) == ["objects_mini_1"] * 5


async def test_a_start_that_broke_off_is_taken_up(client, front):
    front.fail(Fault(status=500, path="/index$"))
    with pytest.raises(UnexpectedResponse):
        await prepare(client, PLAN)
    assert await prepare(client, PLAN) == "objects_mini_1"
    assert set((await client.get_collection("objects")).payload_schema) == set(INDEXES)


async def test_without_an_alias_the_latest_collection_is_taken(client):
    for number in (2, 10, 9):
        await client.create_collection(f"objects_mini_{number}", vectors_config=FITTING, metadata=METADATA)
    await client.create_collection("objects_mini_x_11", vectors_config=FITTING, metadata=METADATA)
    assert await prepare(client, PLAN) == "objects_mini_10"


async def test_what_the_alias_points_to_is_written_to(client):
    for number in (1, 2):
        await client.create_collection(f"objects_mini_{number}", vectors_config=FITTING, metadata=METADATA)
    await point(client, "objects", "objects_mini_1")
    assert await prepare(client, PLAN) == "objects_mini_1"


async def test_a_change_of_model_is_refused_with_both_names(client):
    await prepare(client, PLAN)
    with pytest.raises(SettingsError, match=r"objects_mini_1 holds vectors of the model 'mini'.*need 'big'"):
        await prepare(client, replace(PLAN, space=Space(model="big", dim=768)))


async def test_another_length_under_the_same_name_is_refused_with_both_numbers(client):
    await prepare(client, PLAN)
    with pytest.raises(SettingsError, match=r"takes 3 numbers.*need 768 \(model 'mini'\)"):
        await prepare(client, replace(PLAN, space=Space(model="mini", dim=768)))


@pytest.mark.parametrize(
    ("vectors", "metadata", "said"),
    [
        (COSINE, METADATA, "has no named vectors"),
        ({"thumbnail": COSINE}, METADATA, r"has the vectors \[thumbnail\], the settings need description"),
        (FITTING | {"thumbnail": models.VectorParams(size=3, distance=models.Distance.DOT)}, METADATA, "by Dot"),
        (FITTING, {"model": "mini"}, "payloads of version None"),
        (FITTING, METADATA | {"schema": 2}, "payloads of version 2"),
        (FITTING, None, "model None"),
    ],
)
async def test_a_collection_that_does_not_fit_is_refused_with_the_cure(client, vectors, metadata, said):
    await client.create_collection("objects_mini_1", vectors_config=vectors, metadata=metadata)
    with pytest.raises(SettingsError, match=said) as refused:
        await prepare(client, PLAN)
    assert "index.collection" in str(refused.value)


async def test_a_collection_by_the_name_of_the_alias_is_refused(client):
    await client.create_collection("objects", vectors_config=FITTING, metadata=METADATA)
    with pytest.raises(SettingsError, match="objects is a collection, not an alias"):
        await prepare(client, PLAN)


async def test_an_index_of_another_kind_is_refused(client):
    await client.create_collection("objects_mini_1", vectors_config=FITTING, metadata=METADATA)
    await client.create_payload_index("objects_mini_1", "hour", models.PayloadSchemaType.KEYWORD)
    with pytest.raises(SettingsError, match="keyword index on hour, it has to be integer"):
        await prepare(client, PLAN)


async def test_strict_mode_refuses_filters_and_facets_without_an_index(client):
    await prepare(client, PLAN)
    unindexed = models.Filter(
        must=[models.FieldCondition(key="model_thumbnail", match=models.MatchValue(value="mini"))]
    )
    with pytest.raises(UnexpectedResponse, match="Index required"):
        await client.count("objects", count_filter=unindexed)
    with pytest.raises(UnexpectedResponse, match="Index required"):
        await client.facet("objects", "model_thumbnail")


def test_everything_that_people_filter_on_is_indexed():
    full = payload(document(best=picture()), site="home", public_url=lambda _: None)
    pictures_and_models = {"thumbnail", "thumbnail_url", "snapshot_url", "model_thumbnail", "model_description"}
    assert set(full) - pictures_and_models == set(INDEXES)


def opened(settings: IndexSettings, space: Space = PLAN.space):
    return open_index(settings, site="home", space=space, public_url=lambda _: None)


@pytest.mark.parametrize("version", ["1.18.2", "1.9.0", "0.11.0", "dev"])
async def test_a_server_that_is_too_old_is_refused(version):
    with Front(version=version) as front, pytest.raises(SettingsError, match=f"{version}.*1.19 or newer"):
        async with opened(IndexSettings(url=front.url)):
            pass


@pytest.mark.parametrize("version", ["1.19.0", "1.20.1-dev", "2.0.0"])
async def test_a_server_that_is_new_enough_is_taken(version):
    with Front(version=version) as front:
        async with opened(IndexSettings(url=front.url)) as index:
            assert index.collection == "objects_mini_1"


async def test_a_server_that_is_down_at_start_is_an_outage():
    with pytest.raises(Outage, match="index: ConnectError"):
        async with opened(IndexSettings(url="http://127.0.0.1:9")):
            pass


@pytest.mark.parametrize("url", ["ftp://somewhere", "not a url at all://"])
async def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(SettingsError, match=r"index\.url"):
        async with opened(IndexSettings(url=url)):
            pass


@pytest.mark.parametrize("where", [lambda front, _: {"url": front.url}, lambda _, path: {"path": path}])
async def test_without_embedding_objects_are_kept_and_found_by_filters(
    front: Front, tmp_path: Path, where: Callable[[Front, Path], dict[str, object]]
):
    settings = IndexSettings.model_validate(where(front, tmp_path))
    async with opened(settings, Space(model="mini", dim=0)) as index:
        await index.put(document("a"))
        assert [hit.object_id for hit in await index.search(Query(cameras=("front_door",)))] == ["a"]
    with pytest.raises(SettingsError, match=r"has the vectors \[\], the settings need thumbnail"):
        async with opened(settings):
            pass
