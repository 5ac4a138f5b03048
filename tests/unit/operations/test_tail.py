"""Every record of our topics can be shown as one JSON value, readable or not."""

from __future__ import annotations

import json

import pytest

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.domain.errors import Outage
from streams.domain.messages import ObjectRecord
from streams.operations.messages import Decoder
from streams.operations.objects import Wanted
from streams.operations.reading import Record, newest
from streams.operations.tail import shown
from tests.support.builders import OBJECT, record
from tests.support.schema_registry import MemoryRegistry, registered

OBJECTS, KEY = "nvr-objects", OBJECT.encode()


@pytest.fixture
def known() -> tuple[Codec, MemoryRegistry]:
    return registered()


@pytest.fixture
def decoder(known):
    return Decoder(Catalogue("nvr"), known[0], "mini")


def lying(value: bytes | None, *, topic=OBJECTS, key=KEY, headers=(), offset=3) -> Record:
    return Record(topic=topic, partition=1, offset=offset, time=0, key=key, value=value, headers=headers)


async def test_a_message_is_shown_with_its_place_and_headers(decoder, known):
    value = await known[0].encode(OBJECTS, record(3))
    told = await shown(decoder, lying(value, headers=(("ce_id", b"1"), ("odd", b"\xff"))))
    assert (told["topic"], told["partition"], told["offset"], told["key"]) == ("objects", 1, 3, OBJECT)
    assert told["headers"] == [["ce_id", "1"], ["odd", "\\xff"]]
    assert told["message"]["facts"]["camera"] == "porch"
    assert json.loads(json.dumps(told)) == told


async def test_a_tombstone_has_no_message(decoder):
    assert (await shown(decoder, lying(None)))["message"] is None


async def test_an_unreadable_record_says_why_and_shows_its_bytes(decoder):
    told = await shown(decoder, lying(b"rubbish"))
    assert str(told["unreadable"]).startswith("undecodable: it starts with")
    assert told["bytes"] == "cnViYmlzaA=="


async def test_dead_letters_are_shown_as_bytes_with_their_headers(decoder):
    told = await shown(decoder, lying(b"raw", topic="nvr-dead-letters", headers=(("dlt.reason", b"bug"),)))
    assert (told["headers"], told["bytes"]) == ([["dlt.reason", "bug"]], "cmF3")


async def test_an_outage_of_the_registry_is_told_not_shown(decoder, known):
    value = await known[0].encode(OBJECTS, record(3))
    known[1].down = True
    with pytest.raises(Outage, match="registry"):
        await shown(decoder, lying(value))


@pytest.mark.parametrize("name", ["objects", "nvr-objects"])
def test_a_topic_is_named_with_or_without_the_prefix(decoder, name):
    assert decoder.topic(name) == "nvr-objects"


def test_documents_are_those_of_the_embedding_model(decoder):
    assert decoder.topic("documents-mini") == "nvr-documents-mini"


def test_a_topic_that_does_not_exist_is_answered_with_those_that_do(decoder):
    with pytest.raises(LookupError, match="no topic object; there are cameras, crops, dead-letters,"):
        decoder.topic("object")


# ---- objects


def test_only_the_newest_record_of_a_key_counts():
    records = [lying(b"1"), lying(b"2"), lying(b"x", key=b"other")]
    assert [each.value for each in newest(records)] == [b"2", b"x"]


def test_a_tombstone_removes_its_key_and_a_later_record_brings_it_back():
    assert newest([lying(b"1"), lying(None)]) == []
    assert [each.value for each in newest([lying(b"1"), lying(None), lying(b"3")])] == [b"3"]


def test_a_record_without_key_counts_for_nothing():
    assert newest([lying(b"1", key=None)]) == []


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        (Wanted(), True),
        (Wanted(cameras=frozenset({"porch", "yard"})), True),
        (Wanted(cameras=frozenset({"yard"})), False),
        (Wanted(labels=frozenset({"person"})), True),
        (Wanted(labels=frozenset({"car"})), False),
    ],
)
def test_objects_are_chosen_by_camera_and_label(wanted, admitted):
    told: ObjectRecord = record(3)
    assert wanted.admits(told) is admitted
