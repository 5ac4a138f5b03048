"""The schema files and the dataclasses say the same."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterator
from enum import StrEnum

import msgspec
import pytest

from streams.adapters.schema_files import NAMESPACE, STATES
from tests.support.schema_samples import FILES, Released, everything

EVERYTHING = everything()
PRIMITIVES = {"string": str, "int": int, "long": int, "double": float, "boolean": bool, "bytes": bytes}


def parts_of(record: type) -> Iterator[type]:
    """A dataclass or enum, and all those that it is made of."""
    yield record
    if dataclasses.is_dataclass(record):
        for hint in typing.get_type_hints(record).values():
            for inner in (hint, *typing.get_args(hint)):
                if isinstance(inner, type) and (dataclasses.is_dataclass(inner) or issubclass(inner, StrEnum)):
                    yield from parts_of(inner)


PARTS = sorted({part for released in EVERYTHING for part in parts_of(released.record)}, key=lambda part: part.__name__)


def find(name: str) -> dict[str, object]:
    """The definition of a named type, wherever it stands in a complete schema."""
    for released in EVERYTHING:
        for node in nodes(json.loads(released.schema)):
            if str(node.get("name", "")).rpartition(".")[2] == name and node.get("type") in {"record", "enum"}:
                return node
    raise LookupError(name)


def nodes(tree: object) -> Iterator[dict[str, object]]:
    match tree:
        case dict():
            yield tree
            for value in tree.values():
                yield from nodes(value)
        case list():
            for value in tree:
                yield from nodes(value)


def avro_type(hint: object) -> object:
    """The Avro type that a type hint calls for, with named types shortened to their names."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        return ["null", *(avro_type(argument) for argument in arguments if argument is not types.NoneType)]
    if origin is tuple:
        return {"array": avro_type(arguments[0])}
    if origin is dict:
        return {"map": avro_type(arguments[1])}
    assert isinstance(hint, type)
    return hint if hint in PRIMITIVES.values() else hint.__name__


def told_type(schema: object) -> object:
    """The same for a schema's type."""
    match schema:
        case list():
            return [told_type(branch) for branch in schema]
        case {"type": "array", "items": inner}:
            return {"array": told_type(inner)}
        case {"type": "map", "values": inner}:
            return {"map": told_type(inner)}
        case {"name": name} | {"type": name}:
            return told_type(name)
    return PRIMITIVES.get(str(schema), str(schema).rpartition(".")[2])


@pytest.mark.parametrize(
    "part", [part for part in PARTS if dataclasses.is_dataclass(part)], ids=lambda part: part.__name__
)
class TestEveryRecord:
    def test_has_the_fields_of_its_class_in_the_same_order(self, part: type) -> None:
        assert [field["name"] for field in find(part.__name__)["fields"]] == [
            field.name for field in dataclasses.fields(part)
        ]

    def test_has_the_types_of_its_class(self, part: type) -> None:
        hints = typing.get_type_hints(part)
        told = {field["name"]: told_type(field["type"]) for field in find(part.__name__)["fields"]}
        assert told == {field.name: avro_type(hints[field.name]) for field in dataclasses.fields(part)}

    def test_has_the_defaults_of_its_class(self, part: type) -> None:
        told = {field["name"]: field["default"] for field in find(part.__name__)["fields"] if "default" in field}
        assert told == dict(defaults(part))

    def test_says_of_every_instant_that_it_is_one(self, part: type) -> None:
        logical = {
            field["name"]: any(node.get("logicalType") == "timestamp-micros" for node in nodes(field["type"]))
            for field in find(part.__name__)["fields"]
            if told_type(field["type"]) in (int, ["null", int])
        }
        assert logical == {
            field.name: "Instant" in str(field.type) for field in dataclasses.fields(part) if field.name in logical
        }


def as_json(value: object) -> object:
    return json.loads(msgspec.json.encode(value))


def defaults(part: type) -> Iterator[tuple[str, object]]:
    for field in dataclasses.fields(part):
        if field.default is not dataclasses.MISSING:
            yield field.name, as_json(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            yield field.name, as_json(field.default_factory())


@pytest.mark.parametrize("part", [part for part in PARTS if issubclass(part, StrEnum)], ids=lambda part: part.__name__)
def test_every_enum_has_the_symbols_of_its_class(part: type[StrEnum]) -> None:
    assert find(part.__name__)["symbols"] == [symbol.value for symbol in part]


@pytest.mark.parametrize("released", EVERYTHING, ids=lambda released: released.name)
def test_every_named_type_stands_in_our_namespace(released: Released) -> None:
    names = {str(node["name"]) for node in nodes(json.loads(released.schema)) if node.get("type") in ("record", "enum")}
    assert {name.rpartition(".")[0] for name in names} <= {NAMESPACE, STATES}


def test_every_schema_file_is_used() -> None:
    used = {
        str(node["name"])
        for released in EVERYTHING
        for node in nodes(json.loads(released.schema))
        if node.get("type") in ("record", "enum")
    }
    files = {f"{NAMESPACE}.{file.stem}" for file in (FILES.folder / "avro").glob("*")}
    files |= {f"{STATES}.{file.stem}" for file in (FILES.folder / "state").glob("*")}
    assert files - used == set()


def test_every_file_defines_the_one_type_that_it_is_named_after() -> None:
    for file in [*(FILES.folder / "avro").glob("*"), *(FILES.folder / "state").glob("*")]:
        assert json.loads(file.read_text())["name"] == file.stem
        assert file.suffix == ".avsc"
