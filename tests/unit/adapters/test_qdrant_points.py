"""Points before they travel: vectors that fit, the newest of each id, requests that are not too large."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters.qdrant_points import Point, Space, loads, newest, older, point_of, tombstone_of
from streams.domain.errors import Poison
from streams.domain.values import Vector
from tests.support.documents import document, vector

SPACE = Space(model="mini", dim=3)


def made(thumbnail: Vector | None, description: Vector | None = None) -> Point:
    full = replace(document("a", revision=5, thumbnail=thumbnail), description=description)
    return point_of(full, SPACE, site="home", public_url=lambda _: None)


def point(name: str, version: int, *, deleted: bool = False, text: str = "") -> Point:
    return Point(id=name, version=version, vectors={}, payload={"description": text}, deleted=deleted)


def test_a_point_carries_the_vectors_that_there_are():
    assert made(None).vectors == {}
    assert made(vector((0.0, 2.0, 0.0))).vectors == {"thumbnail": [0.0, 1.0, 0.0]}
    assert set(made(vector((1.0, 0.0, 0.0)), vector((0.0, 1.0, 0.0))).vectors) == {"thumbnail", "description"}


def test_a_vector_of_another_length_is_poison_with_both_numbers():
    with pytest.raises(Poison, match="thumbnail has 4 numbers, the collection takes 3"):
        made(vector((1.0, 0.0, 0.0, 0.0)))


def test_a_vector_of_another_model_is_poison_with_both_names():
    with pytest.raises(Poison, match="description was made by big, the collection holds mini"):
        made(None, vector((1.0, 0.0, 0.0), model="big"))


def test_a_vector_with_bytes_missing_is_poison():
    with pytest.raises(Poison, match="11 bytes for 3 numbers"):
        made(replace(vector((1.0, 0.0, 0.0)), values=b"\0" * 11))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_no_number_is_poison(bad):
    values = np.asarray([bad, 0.0, 0.0], dtype="<f4").tobytes()
    with pytest.raises(Poison, match="infinite or undefined"):
        made(Vector(values=values, dim=3, model="mini"))


def test_a_tombstone_has_no_vectors_and_replaces_its_equal():
    tombstone = tombstone_of("a", 5, site="home")
    assert (tombstone.vectors, tombstone.bound, tombstone.id) == ({}, 6, made(None).id)
    assert made(None).bound == 5


@given(st.permutations([point("a", 1), point("a", 3), point("a", 2), point("b", 9)]))
def test_of_each_id_the_newest_is_left_whatever_the_order(points):
    assert {(p.id, p.version) for p in newest(points)} == {("a", 3), ("b", 9)}


@given(st.permutations([point("a", 3), point("a", 3, deleted=True), point("a", 2, deleted=True)]))
def test_of_equals_the_tombstone_is_left(points):
    assert [(p.version, p.deleted) for p in newest(points)] == [(3, True)]


def test_a_newer_document_is_left_beside_an_older_tombstone():
    assert [p.deleted for p in newest([point("a", 6), point("a", 5, deleted=True)])] == [False]


def test_requests_stay_below_the_limit():
    points = [point(str(n), 1, text="x" * 1000) for n in range(10)]
    requests = list(loads(points, limit=3 * points[0].size))
    assert [len(load) for load in requests] == [3, 3, 3, 1]
    assert [p for load in requests for p in load] == points


def test_a_point_above_the_limit_travels_alone():
    points = [point("a", 1), point("b", 1, text="x" * 10_000), point("c", 1)]
    assert [[p.id for p in load] for load in loads(points, limit=2000)] == [["a"], ["b"], ["c"]]


def test_nothing_makes_no_request():
    assert list(loads([])) == []


def test_the_size_is_never_underestimated():
    numbers = tuple(np.random.default_rng(0).standard_normal(768))
    full = document("x" * 10_000, thumbnail=vector(numbers), description="Tür\n" * 500)
    it = point_of(full, Space(model="mini", dim=768), site="home", public_url=lambda _: None)
    on_the_wire = len(it.struct().model_dump_json()) + len(older([it]).model_dump_json(exclude_none=True))
    assert on_the_wire <= it.size <= 2 * on_the_wire
