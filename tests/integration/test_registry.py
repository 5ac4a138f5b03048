"""Schemas on the real registry, and our records in the hands of programs that know nothing of us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from typer.testing import CliRunner

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec, subject_of
from streams.adapters.registry import Refused, Registry
from streams.adapters.schema_files import SchemaFiles
from streams.cli import program
from streams.domain.errors import Outage, Poison
from streams.domain.messages import Message
from streams.operations.schemas import LEVEL, compare, register
from streams.settings import Registry as RegistrySettings
from tests.support.builders import OBJECT, event
from tests.support.schema_samples import Released, messages
from tests.support.services import Services

FILES = SchemaFiles()


@pytest.fixture
def registry(services: Services) -> Iterator[Registry]:
    with Registry(RegistrySettings(url=services.registry_url)) as there:
        yield there


@pytest.fixture
def stock(services: Services) -> Iterator[AvroDeserializer]:
    """The deserializer that other people's Python programs use."""
    with SchemaRegistryClient({"url": services.registry_url}) as client:
        yield AvroDeserializer(client)


@pytest.fixture
def catalogue(prefix: str) -> Catalogue:
    return Catalogue(prefix)


async def test_registering_twice_changes_nothing_and_leaves_no_difference(
    registry: Registry, catalogue: Catalogue
) -> None:
    topics = catalogue.topics(["mini"])
    assert await compare(registry, topics, FILES) == [
        f"{subject_of(topic.name)}: not registered; run: nvr-streams schemas register"
        for topic in topics
        if topic.message
    ]
    first = await register(registry, topics, FILES)
    assert all(done.new for done in first)
    assert await compare(registry, topics, FILES) == []
    second = await register(registry, topics, FILES)
    assert not any(done.new for done in second)
    assert [done.id for done in second] == [done.id for done in first]


async def test_every_subject_promises_full_transitive_and_keeps_it(registry: Registry, catalogue: Catalogue) -> None:
    await register(registry, catalogue.topics(["mini"]), FILES)
    subject = subject_of(catalogue.topic_name(type(event())))
    assert await registry.compatibility(subject) == LEVEL
    schema = json.loads(FILES.frozen("events-value")[-1])
    without_label = {**schema, "fields": [field for field in schema["fields"] if field["name"] != "label"]}
    with pytest.raises(Refused):
        await registry.register(subject, json.dumps(without_label))
    grown = {**schema, "fields": [*schema["fields"], {"name": "added", "type": "string", "default": ""}]}
    await registry.register(subject, json.dumps(grown))
    assert await compare(registry, catalogue.topics(["mini"]), FILES) == [
        f"{subject}: the registry's version 2 is none of ours"
    ]


async def test_a_lowered_promise_is_a_difference(registry: Registry, catalogue: Catalogue) -> None:
    topics = catalogue.topics(["mini"])
    await register(registry, topics, FILES)
    subject = subject_of(topics[0].name)
    await registry.set_compatibility(subject, "NONE")
    assert await compare(registry, topics, FILES) == [f"{subject}: compatibility is NONE, expected {LEVEL}"]
    await register(registry, topics, FILES)
    assert await compare(registry, topics, FILES) == []


async def test_nothing_is_registered_by_the_way(registry: Registry, catalogue: Catalogue) -> None:
    with pytest.raises(Outage, match="run: nvr-streams schemas register"):
        await Codec(catalogue, registry).encode(catalogue.topic_name(type(event())), event())
    assert await registry.versions(subject_of(catalogue.topic_name(type(event())))) == []


async def test_ids_that_the_registry_does_not_know_are_poison(registry: Registry, catalogue: Catalogue) -> None:
    topic = catalogue.topic_name(type(event()))
    for schema_id in (b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"):
        with pytest.raises(Poison) as caught:
            await Codec(catalogue, registry).decode(topic, OBJECT.encode(), b"\x00" + schema_id + b"body")
        assert caught.value.reason == "unknown schema id"


@pytest.mark.parametrize("released", list(messages()), ids=lambda released: released.name)
async def test_our_records_are_plain_avro_to_the_stock_deserializer(
    registry: Registry, catalogue: Catalogue, stock: AvroDeserializer, released: Released
) -> None:
    await register(registry, catalogue.topics(["mini"]), FILES)
    topic = catalogue.topic_name(released.record, model="mini")
    codec = Codec(catalogue, registry)
    for example in released.examples().values():
        assert isinstance(example, Message)
        value = await codec.encode(topic, example)
        read = stock(value, SerializationContext(topic, MessageField.VALUE))
        assert list(read) == [field["name"] for field in json.loads(released.schema)["fields"]]
        assert await codec.decode(topic, example.key.encode(), value) == example


async def test_the_stock_deserializer_sees_times_as_times_and_enums_as_words(
    registry: Registry, catalogue: Catalogue, stock: AvroDeserializer
) -> None:
    await register(registry, catalogue.topics(["mini"]), FILES)
    topic = catalogue.topic_name(type(event()))
    read = stock(
        await Codec(catalogue, registry).encode(topic, event(1)), SerializationContext(topic, MessageField.VALUE)
    )
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert read["frame_time"] == epoch + timedelta(microseconds=event(1).frame_time)
    assert (read["phase"], read["source"], read["object_id"]) == ("update", "object", OBJECT)


def test_the_commands_register_and_check(services: Services, prefix: str) -> None:
    env = {"NVR_STREAMS__REGISTRY__URL": services.registry_url, "NVR_STREAMS__KAFKA__PREFIX": prefix}
    run = CliRunner(env=env).invoke
    before = run(program(), ["schemas", "check"])
    assert (before.exit_code, before.output.count("not registered")) == (1, 9)
    registered = run(program(), ["schemas", "register"])
    assert (registered.exit_code, registered.output.count("registered ")) == (0, 9)
    assert run(program(), ["schemas", "register"]).output == "all schemas are registered\n"
    after = run(program(), ["schemas", "check", "--json"])
    assert (after.exit_code, json.loads(after.output)) == (0, {"differences": []})
