"""Released bytes stay readable for ever, and every schema can grow under the rules that see to that."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import avro.io
import avro.schema
import fastavro
import msgspec
import pytest

from streams.adapters.avro import AvroForm, wire_schema
from streams.operations.schema_rules import breaks, flaws, same
from tests.support.schema_samples import Released, everything, messages

Schema = dict[str, Any]
EVERYTHING = everything()
MESSAGES = tuple(messages())

released = pytest.mark.parametrize("released", EVERYTHING, ids=lambda released: released.name)
message = pytest.mark.parametrize("released", MESSAGES, ids=lambda released: released.name)


@released
class TestEverythingReleased:
    def test_follows_the_rules_by_itself(self, released: Released) -> None:
        assert flaws(released.schema) == []

    def test_is_fully_compatible_with_every_version(self, released: Released) -> None:
        assert [problem for version in released.versions for problem in breaks(released.schema, version)] == []

    def test_is_frozen_as_it_is(self, released: Released) -> None:
        assert same(released.schema, released.versions[-1])

    def test_reads_the_golden_bytes_of_every_version(self, released: Released) -> None:
        form = AvroForm(released.record, released.schema)
        for number, version in enumerate(released.versions, start=1):
            read = msgspec.to_builtins(form.reader(version)(released.golden(number).read_bytes()))
            assert contains(read, json.loads(released.told(number).read_text()))

    def test_is_read_by_readers_of_every_version(self, released: Released) -> None:
        form = AvroForm(released.record, released.schema)
        for version in released.versions:
            for example in released.examples().values():
                body = io.BytesIO(form.body(example))
                assert fastavro.schemaless_reader(body, wire_schema(released.schema), wire_schema(version))

    def test_examples_come_back_as_they_were(self, released: Released) -> None:
        form = AvroForm(released.record, released.schema)
        read = form.reader(released.schema)
        for example in released.examples().values():
            assert read(form.body(example)) == example


@message
def test_bodies_are_plain_avro_to_the_reference_library(released: Released) -> None:
    form = AvroForm(released.record, released.schema)
    reader = avro.io.DatumReader(avro.schema.parse(json.dumps(wire_schema(released.schema))))
    for example in released.examples().values():
        read = reader.read(avro.io.BinaryDecoder(io.BytesIO(form.body(example))))
        assert list(read) == [field["name"] for field in json.loads(released.schema)["fields"]]
        assert msgspec.convert(read, released.record) == example


def contains(whole: object, part: object) -> bool:
    """Whether everything that `part` tells stands in `whole` too, which may have grown."""
    match whole, part:
        case dict(), dict():
            return all(key in whole and contains(whole[key], value) for key, value in part.items())
        case ((list() | tuple()), list()):
            return len(whole) == len(part) and all(map(contains, whole, part))
        case _:
            return whole == part


# ---- what may change


def grown(change: Callable[[Schema], None], schema: str) -> str:
    tree = json.loads(schema)
    change(tree)
    return json.dumps(tree)


def enum_in(tree: object) -> Schema | None:
    """The first enum of a schema, if it has one."""
    match tree:
        case {"type": "enum"}:
            return tree
        case dict():
            return next(filter(None, map(enum_in, tree.values())), None)
        case list():
            return next(filter(None, map(enum_in, tree)), None)
        case _:
            return None


def add_nullable_field(tree: Schema) -> None:
    tree["fields"].append({"name": "added", "type": ["null", "string"], "default": None, "doc": "New."})


def add_record_field(tree: Schema) -> None:
    added = {"type": "record", "name": "nvr.streams.Added", "doc": "New.", "fields": []}
    tree["fields"].append({"name": "added", "type": ["null", added], "default": None, "doc": "New."})


def add_symbol(tree: Schema) -> None:
    if enum := enum_in(tree):
        enum["symbols"].append("added")


def drop_defaulted_field(tree: Schema) -> None:
    tree["fields"] = [field for field in tree["fields"] if "default" not in field]


@message
@pytest.mark.parametrize("change", [add_nullable_field, add_record_field, add_symbol, drop_defaulted_field])
def test_every_topic_can_grow(released: Released, change: Callable[[Schema], None]) -> None:
    new = grown(change, released.schema)
    assert breaks(new, released.schema) == []
    assert flaws(new) == []


@message
def test_old_code_reads_what_grown_code_writes_and_the_other_way(released: Released) -> None:
    """A producer with one more field, and an enum with one more symbol, stops no consumer; nor the reverse."""
    old = AvroForm(released.record, released.schema)
    new = grown(add_symbol, grown(add_nullable_field, released.schema))
    for example in released.examples().values():
        body = old.body(example)
        as_new = fastavro.schemaless_reader(io.BytesIO(body), wire_schema(released.schema), wire_schema(new))
        assert as_new["added"] is None
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, wire_schema(new), {**as_new, "added": "something new"})
        assert old.reader(new)(buffer.getvalue()) == example


def test_a_symbol_that_old_code_does_not_know_becomes_the_default() -> None:
    events = next(each for each in MESSAGES if each.name == "events")
    old = AvroForm(events.record, events.schema)
    new = wire_schema(grown(lambda tree: field(tree, "source")["type"]["symbols"].append("radar"), events.schema))
    written = fastavro.schemaless_reader(io.BytesIO(old.body(events.examples()["start"])), old_schema(events), new)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, new, {**written, "source": "radar"})
    assert old.reader(json.dumps(new))(buffer.getvalue()) == events.examples()["start"]


def test_kinds_of_updates_are_strings_so_that_any_may_be_added() -> None:
    updates = next(each for each in MESSAGES if each.name == "tracked-object-updates")
    assert field(json.loads(updates.schema), "type")["type"] == "string"


def old_schema(released: Released) -> Any:
    return wire_schema(released.schema)


def field(tree: Schema, name: str) -> Schema:
    return next(each for each in tree["fields"] if each["name"] == name)


# ---- what may not change


def drop_required(tree: Schema) -> None:
    required = next(each for each in tree["fields"] if "default" not in each)
    tree["fields"].remove(required)


def change_logical_type(tree: Schema) -> None:
    field(tree, "frame_time")["type"]["logicalType"] = "timestamp-millis"


def drop_logical_type(tree: Schema) -> None:
    field(tree, "frame_time")["type"] = "long"


def change_namespace(tree: Schema) -> None:
    tree["name"] = "nvr.streams.v2.Event"


VIOLATIONS: dict[str, tuple[Callable[[Schema], None], str]] = {
    "a field without default": (
        lambda tree: tree["fields"].append({"name": "added", "type": "string", "doc": "New."}),
        "reader field missing default value",
    ),
    "a required field removed": (drop_required, "reader field missing default value"),
    "another unit of time": (change_logical_type, "was long (timestamp-micros), is long (timestamp-millis)"),
    "a time that is a number": (drop_logical_type, "was long (timestamp-micros), is long"),
    "another namespace": (change_namespace, "nvr.streams.v2.Event"),
    "a string turned bytes": (lambda tree: field(tree, "camera").update(type="bytes"), "was string, is bytes"),
    "a field renamed": (lambda tree: field(tree, "label").update(name="class"), "missing default value"),
    "a number turned string": (lambda tree: field(tree, "area").update(type="string", default=""), "type mismatch"),
    "a field made nullable": (lambda tree: field(tree, "camera").update(type=["null", "string"]), "old readers fail"),
}


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_a_change_that_breaks_readers_is_refused(violation: str) -> None:
    change, expected = VIOLATIONS[violation]
    events = next(each for each in MESSAGES if each.name == "events")
    problems = breaks(grown(change, events.schema), events.schema)
    assert any(expected in problem for problem in problems), problems


def test_an_enum_without_default_is_refused() -> None:
    events = next(each for each in MESSAGES if each.name == "events")
    new = grown(lambda tree: field(tree, "source")["type"].pop("default"), events.schema)
    assert flaws(new) == [".source: the enum Source has no default, so it can never get another symbol"]


def test_a_field_without_documentation_is_refused() -> None:
    events = next(each for each in MESSAGES if each.name == "events")
    assert flaws(grown(lambda tree: field(tree, "source").pop("doc"), events.schema)) == [".source: no doc"]


def test_documentation_alone_makes_no_new_version() -> None:
    events = next(each for each in MESSAGES if each.name == "events")
    assert same(grown(lambda tree: field(tree, "source").update(doc="Other words."), events.schema), events.schema)
    assert not same(grown(add_nullable_field, events.schema), events.schema)
