"""What every index does: the one in memory, the embedded one, and Qdrant over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from streams.adapters.qdrant import open_index
from streams.adapters.qdrant_points import Space
from streams.domain.values import SECOND, FrameRef
from streams.ports import Index, Query
from streams.settings import Index as IndexSettings
from tests.support.documents import MODEL, NOON, document, picture, vector
from tests.support.fake_index import FakeIndex
from tests.support.qdrant_front import Front

SPACE = Space(model=MODEL, dim=3)
RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def nowhere(_: FrameRef) -> None:
    return None


@pytest.fixture(scope="module")
def front():
    with Front() as front:
        yield front


@pytest.fixture(params=["fake", "embedded", "server"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Index]:
    if request.param == "fake":
        yield FakeIndex()
        return
    site = "home"
    settings = IndexSettings(path=tmp_path / "index")
    if request.param == "server":
        front = request.getfixturevalue("front")
        settings = IndexSettings(url=front.url, timeout=timedelta(seconds=5))
        site = f"site-{len(front.calls)}"  # one collection for all tests: sites don't see each other
    async with open_index(settings, site=site, space=SPACE, public_url=nowhere) as index:
        yield index


async def found(index: Index, **query) -> list[str]:
    return [hit.object_id for hit in await index.search(Query(**query))]


async def cameras(index: Index) -> list[str]:
    return [hit.camera for hit in await index.search(Query())]


def towards(numbers) -> np.ndarray:
    return np.asarray(numbers, dtype=np.float32)


async def test_an_empty_index_finds_and_counts_nothing(index):
    assert await index.search(Query()) == []
    assert await index.search(Query(vector=towards(RED))) == []
    assert await index.count() == 0


async def test_a_document_comes_back_as_it_was_put(index):
    await index.put(
        document(
            "a",
            sub_label="Alice",
            zones=("porch", "street"),
            start_time=NOON + 123_456,
            end_time=NOON + 9 * SECOND,
            description="A person at the door",
            thumbnail=vector(RED),
            best=picture("memory:///a.jpg"),
        )
    )
    [hit] = await index.search(Query(vector=towards(RED)))
    assert hit.score == pytest.approx(1.0, abs=1e-6)
    assert (hit.object_id, hit.camera, hit.label, hit.sub_label) == ("a", "front_door", "person", "Alice")
    assert (hit.zones, hit.start_time, hit.end_time) == (("porch", "street"), NOON + 123_456, NOON + 9 * SECOND)
    assert (hit.top_score, hit.description, hit.thumbnail) == (0.875, "A person at the door", "memory:///a.jpg")


async def test_an_object_that_has_not_ended_and_was_never_pictured_is_found_too(index):
    await index.put(document("a"))
    [hit] = await index.search(Query())
    assert (hit.end_time, hit.thumbnail, hit.description, hit.score) == (None, None, None, None)


async def test_the_same_document_twice_is_one_object(index):
    await index.put(document("a", thumbnail=vector(RED)))
    await index.put(document("a", thumbnail=vector(RED)))
    assert await index.count() == 1


async def test_a_newer_revision_replaces_the_whole_object(index):
    await index.put(document("a", revision=1, sub_label="Alice", thumbnail=vector(RED)))
    await index.put(document("a", revision=2, camera="yard"))
    [hit] = await index.search(Query())
    assert (hit.camera, hit.sub_label) == ("yard", None)
    assert await index.search(Query(vector=towards(RED))) == []


async def test_an_older_revision_never_replaces_a_newer_one(index):
    await index.put(document("a", revision=1_764_072_000_000_002, camera="new"))
    await index.put(document("a", revision=1_764_072_000_000_001, camera="old"))
    assert await cameras(index) == ["new"]


async def test_the_newest_of_many_at_once_wins(index):
    revisions = [3, 9, 1, 7, 9, 2]
    await asyncio.gather(*(index.put(document("a", revision=n, camera=f"v{n}")) for n in revisions))
    assert await cameras(index) == ["v9"]


async def test_the_newest_of_many_at_once_wins_over_what_was_there(index):
    await index.put(document("a", revision=5, camera="v5"))
    await asyncio.gather(*(index.put(document("a", revision=n, camera=f"v{n}")) for n in (9, 7, 4)))
    assert await cameras(index) == ["v9"]


async def test_many_objects_at_once_are_all_kept(index):
    await asyncio.gather(*(index.put(document(f"o{n}", thumbnail=vector(RED))) for n in range(150)))
    assert await index.count() == 150


async def test_a_buried_object_is_not_found_and_not_counted(index):
    await index.put(document("a", revision=1, thumbnail=vector(RED)))
    await index.put(document("b", revision=1, thumbnail=vector(RED)))
    await index.bury("a", 2)
    assert await found(index) == ["b"]
    assert await found(index, vector=towards(RED)) == ["b"]
    assert await index.count() == 1


async def test_no_late_document_brings_a_buried_object_back(index):
    await index.bury("a", 5)
    await index.put(document("a", revision=4))
    await index.put(document("a", revision=5))
    assert await index.count() == 0


async def test_burying_with_the_revision_of_the_document_buries_it(index):
    await index.put(document("a", revision=5))
    await index.bury("a", 5)
    assert await index.count() == 0


async def test_a_late_burial_leaves_a_newer_document_alone(index):
    await index.put(document("a", revision=6))
    await index.bury("a", 5)
    assert await found(index) == ["a"]


async def test_a_burial_and_a_newer_document_at_once_leave_the_document(index):
    await asyncio.gather(index.put(document("a", revision=6)), index.bury("a", 5))
    assert await found(index) == ["a"]


async def test_a_burial_and_its_own_document_at_once_leave_nothing(index):
    await asyncio.gather(index.bury("a", 5), index.put(document("a", revision=5)))
    assert await index.count() == 0


@pytest.mark.parametrize(
    "object_id", ["1764072000.123456-abc123", "x" * 10_000, "a/b?c#d%e", "Tür 🚪", " ", "../../etc", '{"a":1}', "NULL"]
)
async def test_any_object_id_is_kept_as_it_is(index, object_id):
    await index.put(document(object_id, thumbnail=vector(RED)))
    await index.put(document("other", thumbnail=vector(GREEN)))
    assert await found(index, like="other") == [object_id]
    await index.bury(object_id, 2)
    assert await found(index) == ["other"]


async def test_nearest_pictures_come_first_and_the_limit_holds(index):
    await index.put(document("green", thumbnail=vector(GREEN)))
    await index.put(document("reddish", thumbnail=vector((0.8, 0.2, 0.0))))
    await index.put(document("red", thumbnail=vector(RED)))
    await index.put(document("blind"))
    assert await found(index, vector=towards(RED)) == ["red", "reddish", "green"]
    assert await found(index, vector=towards(RED), limit=2) == ["red", "reddish"]


async def test_without_a_question_the_newest_come_first(index):
    for n in (2, 1, 3):
        await index.put(document(f"o{n}", start_time=NOON + n))
    assert await found(index) == ["o3", "o2", "o1"]
    assert await found(index, limit=1) == ["o3"]


async def test_like_finds_what_looks_like_an_object_but_not_itself(index):
    await index.put(document("red", thumbnail=vector(RED)))
    await index.put(document("reddish", thumbnail=vector((0.8, 0.2, 0.0)), camera="yard"))
    await index.put(document("blue", thumbnail=vector(BLUE), camera="yard"))
    assert await found(index, like="red") == ["reddish", "blue"]
    assert await found(index, like="red", cameras=("yard",), limit=1) == ["reddish"]


async def test_like_an_object_without_a_vector_is_an_error_that_names_it(index):
    await index.put(document("blind"))
    await index.put(document("gone", revision=1, thumbnail=vector(RED)))
    await index.bury("gone", 2)
    for object_id in ("blind", "gone", "never heard of"):
        with pytest.raises(LookupError, match=object_id):
            await index.search(Query(like=object_id))


FILTERS = [
    ({"cameras": ("yard",)}, {"b", "c"}),
    ({"cameras": ("yard", "front_door")}, {"a", "b", "c"}),
    ({"labels": ("car",)}, {"c"}),
    ({"labels": ("car", "person"), "cameras": ("yard",)}, {"b", "c"}),
    ({"sub_labels": ("Alice",)}, {"a"}),
    ({"plates": ("AB 123",)}, {"c"}),
    ({"zones": ("street",)}, {"a", "b"}),
    ({"zones": ("porch", "street"), "labels": ("person",)}, {"a", "b"}),
    ({"after": NOON + 1}, {"b", "c"}),
    ({"before": NOON + 1}, {"a"}),
    ({"after": NOON + 1, "before": NOON + 2}, {"b"}),
    ({"cameras": ("nowhere",)}, set()),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
async def test_filters_hold_with_and_without_a_question(index, filters, expected):
    await index.put(document("a", sub_label="Alice", zones=("porch", "street"), thumbnail=vector(RED)))
    await index.put(document("b", camera="yard", zones=("street",), start_time=NOON + 1, thumbnail=vector(GREEN)))
    await index.put(
        document("c", camera="yard", label="car", plate="AB 123", start_time=NOON + 2, thumbnail=vector(BLUE))
    )
    assert set(await found(index, **filters)) == expected
    assert set(await found(index, vector=towards(RED), **filters)) == expected


async def test_filters_are_applied_before_ranking_so_that_a_rare_camera_is_found(index):
    crowd = [document(f"o{n}", thumbnail=vector((1.0, n / 1000, 0.0))) for n in range(60)]
    rare = document("rare", camera="shed", thumbnail=vector(BLUE))
    await asyncio.gather(*map(index.put, [*crowd, rare]))
    assert await found(index, vector=towards(RED), cameras=("shed",), limit=5) == ["rare"]
