"""Messages on the wire, and everything that can be wrong with them."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.adapters.avro import AvroForm
from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.schema_files import SchemaFiles
from streams.domain.cameras import Camera
from streams.domain.errors import Outage, Poison
from streams.domain.messages import Event, ObjectRecord, Sighting, Tombstone
from tests.support.builders import OBJECT, end, event, life, sighting
from tests.support.schema_registry import MemoryRegistry, registered

EVENTS = "nvr-events"
KEY = OBJECT.encode()
EVENT_SCHEMA = SchemaFiles().frozen("events-value")[-1]


async def encoded(codec: Codec) -> bytes:
    value = await codec.encode(EVENTS, event(1))
    assert value is not None
    return value


def complaint(read: Callable[[bytes], Event], body: bytes) -> str:
    """Why a body cannot be read; empty when it can."""
    try:
        read(body)
    except Poison as poison:
        return poison.reason
    return ""


class TestRoundTrip:
    async def test_every_event_of_a_life_comes_back_as_it_was(self) -> None:
        codec, _ = registered()
        for each in life(updates=3):
            assert await codec.decode(EVENTS, KEY, await codec.encode(EVENTS, each)) == each

    async def test_a_value_starts_with_a_zero_byte_and_the_id_in_network_order(self) -> None:
        codec, registry = registered()
        schema_id = registry.subjects["nvr-events-value", EVENT_SCHEMA]
        assert (await encoded(codec))[:5] == struct.pack(">bI", 0, schema_id)

    async def test_the_body_behind_the_prefix_is_bare_avro(self) -> None:
        codec, _ = registered()
        assert (await encoded(codec))[5:] == AvroForm(Event, EVENT_SCHEMA).body(event(1))

    async def test_the_topic_of_documents_is_found_for_any_model(self) -> None:
        codec, _ = registered(prefix="home", model="jina-clip-v2")
        with pytest.raises(TypeError, match="home-documents-jina-clip-v2 carries Document, not Event"):
            await codec.encode("home-documents-jina-clip-v2", event())


class TestTombstones:
    async def test_a_null_value_is_a_tombstone_of_the_topic_s_class(self) -> None:
        codec, _ = registered()
        read = await codec.decode("nvr-objects", KEY, None, at=7)
        assert read == Tombstone(of=ObjectRecord, name=OBJECT, at=7)

    async def test_a_tombstone_is_written_as_a_null_value_and_asks_no_registry(self) -> None:
        codec, registry = registered()
        assert await codec.encode("nvr-objects", Tombstone(of=ObjectRecord, name=OBJECT)) is None
        assert registry.asked == []

    @pytest.mark.parametrize("key", [None, b"", b"\xff\xfe"])
    async def test_a_tombstone_without_a_readable_key_is_poison(self, key: bytes | None) -> None:
        codec, _ = registered()
        with pytest.raises(Poison) as caught:
            await codec.decode("nvr-objects", key, None)
        assert caught.value.reason == "undecodable"

    async def test_a_tombstone_of_another_class_does_not_belong_on_the_topic(self) -> None:
        codec, _ = registered()
        with pytest.raises(TypeError, match="carries ObjectRecord, not Camera"):
            await codec.encode("nvr-objects", Tombstone(of=Camera, name="porch"))


class TestWhatCannotBeDecoded:
    @pytest.mark.parametrize(
        ("value", "detail"),
        [
            (b"", "shorter than the prefix"),
            (b"\x00\x00\x00", "shorter than the prefix"),
            (b'{"id": 1}', "it starts with 7b 22 69 64 22, expected 00"),
            (b"\x01\x00\x00\x00\x01rest", "expected 00"),
        ],
    )
    async def test_other_framing_is_undecodable(self, value: bytes, detail: str) -> None:
        codec, _ = registered()
        with pytest.raises(Poison, match=detail) as caught:
            await codec.decode(EVENTS, KEY, value)
        assert caught.value.reason == "undecodable"

    async def test_every_truncation_is_undecodable(self) -> None:
        codec, _ = registered()
        value = await encoded(codec)
        for length in range(len(value)):
            with pytest.raises(Poison) as caught:
                await codec.decode(EVENTS, KEY, value[:length])
            assert caught.value.reason == "undecodable"

    async def test_bytes_behind_the_record_are_undecodable(self) -> None:
        codec, _ = registered()
        with pytest.raises(Poison, match="undecodable: 2 bytes behind the record"):
            await codec.decode(EVENTS, KEY, await encoded(codec) + b"xx")

    async def test_a_record_of_another_topic_is_undecodable(self) -> None:
        codec, _ = registered()
        value = await codec.encode("nvr-sightings", sighting())
        with pytest.raises(Poison, match=r"a nvr\.streams\.Sighting, expected a nvr\.streams\.Event"):
            await codec.decode(EVENTS, KEY, value)

    @pytest.mark.parametrize("schema", ["{", '"strange"', '{"type": "record", "name": "A"}', "[]", "null", '"string"'])
    async def test_a_schema_that_is_none_is_undecodable(self, schema: str) -> None:
        codec, registry = registered()
        schema_id = registry.put("other-value", schema)
        with pytest.raises(Poison) as caught:
            await codec.decode(EVENTS, KEY, struct.pack(">bI", 0, schema_id) + b"body")
        assert caught.value.reason == "undecodable"

    @pytest.mark.parametrize("key", [None, b"", b"another", b"\xff"])
    async def test_a_key_that_is_not_the_message_s_own_is_a_mismatch(self, key: bytes | None) -> None:
        codec, _ = registered()
        with pytest.raises(Poison, match=f"its message's b'{OBJECT}'") as caught:
            await codec.decode(EVENTS, key, await encoded(codec))
        assert caught.value.reason == "key mismatch"

    @given(body=st.binary(max_size=300))
    @settings(max_examples=300, deadline=None)
    def test_random_bodies_are_poison_and_never_anything_else(self, body: bytes) -> None:
        read = AvroForm(Event, EVENT_SCHEMA).reader(EVENT_SCHEMA)
        assert complaint(read, body) in {"", "undecodable"}

    @given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
    @settings(max_examples=300, deadline=None)
    def test_flipped_bytes_are_poison_and_never_anything_else(self, place: int, byte: int) -> None:
        form = AvroForm(Event, EVENT_SCHEMA)
        body = bytearray(form.body(end(3)))
        body[place % len(body)] = byte
        assert complaint(form.reader(EVENT_SCHEMA), bytes(body)) in {"", "undecodable"}

    @given(value=st.binary(max_size=64), key=st.none() | st.binary(max_size=8))
    @settings(max_examples=100, deadline=None)
    def test_random_records_are_poison_and_never_anything_else(self, value: bytes, key: bytes | None) -> None:
        codec, _ = registered()
        with pytest.raises(Poison):
            asyncio.run(codec.decode(EVENTS, key, value))


class TestTheRegistry:
    async def test_is_asked_once_for_the_id_of_our_schema(self) -> None:
        codec, registry = registered()
        await asyncio.gather(*(codec.encode(EVENTS, each) for each in life(updates=20)))
        assert registry.asked == ["nvr-events-value"]

    async def test_is_asked_once_for_a_schema_however_many_wait_for_it(self) -> None:
        codec, registry = registered()
        value = await encoded(codec)
        registry.asked.clear()
        await asyncio.gather(*(codec.decode(EVENTS, KEY, value) for _ in range(50)))
        assert len(registry.asked) == 1

    async def test_one_who_stops_waiting_does_not_stop_the_others(self) -> None:
        codec, _ = registered()
        value = await encoded(codec)
        hasty = asyncio.ensure_future(codec.decode(EVENTS, KEY, value))
        patient = asyncio.ensure_future(codec.decode(EVENTS, KEY, value))
        await asyncio.sleep(0)
        hasty.cancel()
        assert await patient == event(1)

    async def test_that_is_down_is_an_outage_and_asked_again(self) -> None:
        codec, registry = registered()
        registry.down = True
        with pytest.raises(Outage, match="registry"):
            await codec.encode(EVENTS, event(1))
        registry.down = False
        value = await encoded(codec)
        registry.down = True
        with pytest.raises(Outage, match="registry"):
            await codec.decode(EVENTS, KEY, value)
        registry.down = False
        assert await codec.decode(EVENTS, KEY, value) == event(1)

    async def test_that_is_down_does_no_harm_once_the_schemas_are_known(self) -> None:
        codec, registry = registered()
        await codec.decode(EVENTS, KEY, await encoded(codec))
        registry.down = True
        assert await codec.decode(EVENTS, KEY, await encoded(codec)) == event(1)

    async def test_that_does_not_know_an_id_makes_poison_and_is_not_flooded(self) -> None:
        codec, registry = registered()
        for _ in range(3):
            with pytest.raises(Poison) as caught:
                await codec.decode(EVENTS, KEY, struct.pack(">bI", 0, 999) + b"body")
            assert caught.value.reason == "unknown schema id"
        assert registry.asked == [999]

    async def test_is_not_asked_for_ids_that_cannot_be(self) -> None:
        codec, registry = registered()
        with pytest.raises(Poison) as caught:
            await codec.decode(EVENTS, KEY, b"\x00\xff\xff\xff\xffbody")
        assert caught.value.reason == "unknown schema id"
        assert registry.asked == []

    async def test_without_our_schema_is_an_outage_that_names_the_cure(self) -> None:
        codec = Codec(Catalogue("nvr"), MemoryRegistry())
        with pytest.raises(
            Outage, match=r"subject nvr-events-value is not registered.*run: nvr-streams schemas register"
        ):
            await codec.encode(EVENTS, event())


class TestOtherVersions:
    """Producers and consumers are replaced one by one, in any order."""

    async def test_a_field_that_we_do_not_know_is_passed_over(self) -> None:
        codec, registry = registered()
        newer = json.loads(EVENT_SCHEMA)
        newer["fields"].insert(1, {"name": "mood", "type": "string", "default": ""})
        value = struct.pack(">bI", 0, registry.put("nvr-events-value", json.dumps(newer)))
        body = AvroForm(Event, EVENT_SCHEMA).body(event(1))
        behind_the_id = 1 + len(OBJECT)
        body = body[:behind_the_id] + b"\x0ahappy" + body[behind_the_id:]
        assert await codec.decode(EVENTS, KEY, value + body) == event(1)

    async def test_a_field_that_the_writer_does_not_know_gets_its_default(self) -> None:
        codec, registry = registered()
        older = json.loads(EVENT_SCHEMA)
        last = older["fields"].pop()
        assert last["name"] == "snapshot"
        body = AvroForm(Event, json.dumps(older)).body(event(1))
        value = struct.pack(">bI", 0, registry.put("nvr-events-value", json.dumps(older))) + body
        assert await codec.decode(EVENTS, KEY, value) == event(1)


class TestWrongUse:
    async def test_dead_letters_have_no_schema(self) -> None:
        codec, _ = registered()
        with pytest.raises(LookupError, match="no schema"):
            await codec.decode("nvr-dead-letters", KEY, b"whatever")

    @pytest.mark.parametrize("topic", ["nvr-unheard-of", "other-events", "events"])
    async def test_a_topic_that_is_none_of_ours_is_refused(self, topic: str) -> None:
        codec, _ = registered()
        with pytest.raises(LookupError):
            await codec.encode(topic, event())

    async def test_a_message_of_another_topic_is_refused(self) -> None:
        codec, _ = registered()
        with pytest.raises(TypeError, match="nvr-events carries Event, not Sighting"):
            await codec.encode(EVENTS, sighting())

    async def test_what_cannot_be_written_is_poison_before_any_registry_is_asked(self) -> None:
        codec, registry = registered()
        broken: Sighting = replace(sighting(), facts=replace(sighting().facts, score=float("nan")))
        with pytest.raises(Poison, match=r"unencodable: facts\.score: nan, expected a finite double"):
            await codec.encode("nvr-sightings", broken)
        assert registry.asked == []
