"""What a point holds: names, times, pictures; and which point an object is."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.documents import payload, point_id, tombstone
from streams.domain.errors import Poison
from streams.domain.messages import Document
from streams.domain.values import SECOND, FrameRef
from tests.support.documents import NOON, document, picture, vector


def published(ref: FrameRef) -> str:
    return f"https://pictures.example/{ref.uri.rsplit('/', 1)[1]}"


def unpublished(_: FrameRef) -> None:
    return None


def held(given_document: Document, public_url=unpublished):
    return payload(given_document, site="home", public_url=public_url)


def test_an_object_is_always_the_same_point():
    assert point_id("home", "1764072000.123456-abc123") == "d124f403-829e-5821-8cd4-64701984e192"


def test_sites_may_share_object_ids():
    assert point_id("home", "a") != point_id("office", "a")


@given(st.text(max_size=50))
def test_any_object_id_makes_a_uuid(object_id):
    assert UUID(point_id("home", object_id)).version == 5


def test_people_see_the_object_id_first_then_the_site():
    assert list(held(document("a")))[:2] == ["object_id", "site"]


def test_the_payload_is_flat_and_json():
    flat = held(document(zones=("porch",), best=picture(), thumbnail=vector((1.0, 0.0))))
    assert json.loads(json.dumps(flat)) == flat
    assert not any(isinstance(value, dict) for value in flat.values())


def test_facts_are_taken_over():
    flat = held(document(sub_label="Alice", plate="AB 123", description="A person", revision=7))
    expected = {
        "camera": "front_door",
        "label": "person",
        "sub_label": "Alice",
        "plate": "AB 123",
        "description": "A person",
        "score": 0.75,
        "top_score": 0.875,
        "source": "object",
        "outcome": "done",
        "version": 7,
        "deleted": False,
    }
    assert {name: flat[name] for name in expected} == expected


def test_what_is_unknown_is_an_explicit_null_that_people_can_search_for():
    flat = held(document())
    unknown = ("sub_label", "zone", "description", "plate", "end_time", "thumbnail_url", "snapshot_url")
    assert [flat[name] for name in unknown] == [None] * len(unknown)


def test_all_zones_are_listed_and_the_first_entered_stands_alone():
    flat = held(document(zones=("street", "porch")))
    assert (flat["zones"], flat["zone"]) == (["street", "porch"], "street")


def test_the_start_is_told_once_for_each_way_to_ask():
    flat = held(document(start_time=NOON + 123_456, end_time=NOON + 5 * SECOND))
    assert flat["start_time"] == "2025-11-25T12:00:00.123456Z"
    assert flat["end_time"] == "2025-11-25T12:00:05.000000Z"
    assert (flat["date"], flat["hour"], flat["weekday"]) == ("2025-11-25", 12, "tuesday")
    assert flat["start_ts"] == pytest.approx(1_764_072_000.123456, abs=1e-6)


def test_a_time_that_no_calendar_has_is_poison():
    with pytest.raises(Poison, match=r"bad time: 9{18} µs"):
        held(document(start_time=10**18 - 1))


def test_pictures_are_addresses_that_a_browser_opens():
    flat = held(document(best=picture("s3://b/thumb.jpg"), snapshot=picture("s3://b/snap.jpg")), published)
    assert flat["thumbnail_url"] == "https://pictures.example/thumb.jpg"
    assert flat["snapshot_url"] == "https://pictures.example/snap.jpg"
    assert "thumbnail" not in flat


def test_a_picture_without_a_public_address_keeps_the_one_in_the_store():
    flat = held(document(best=picture("file:///store/thumb.jpg"), snapshot=picture("file:///store/snap.jpg")))
    assert (flat["thumbnail_url"], flat["thumbnail"]) == (None, "file:///store/thumb.jpg")
    assert (flat["snapshot_url"], flat["snapshot"]) == (None, "file:///store/snap.jpg")


def test_each_vectors_model_is_named():
    both = replace(document(thumbnail=vector((1.0, 0.0), model="one")), description=vector((1.0,), model="two"))
    assert (held(both)["model_thumbnail"], held(both)["model_description"]) == ("one", "two")
    assert held(document())["model_thumbnail"] is None


def test_a_tombstone_says_whose_it_is_and_since_when():
    assert tombstone("a", 9, site="home") == {"object_id": "a", "site": "home", "version": 9, "deleted": True}
