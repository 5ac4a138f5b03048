"""The rules that keep topics readable for ever: what may change between two versions of a schema, and what may not.

`avro.compatibility` decides most of it; it is blind to names, logical types, strings turned bytes, and documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import ArraySchema, EnumSchema, Field, MapSchema, NamedSchema, RecordSchema, Schema, UnionSchema, parse

Part = Schema | Field


def breaks(new: str, old: str) -> list[str]:
    """What makes `new` unfit to stand beside `old`, in both directions (FULL); empty: all readers read both."""
    newer, older = parse(new), parse(old)
    return [
        *(f"new readers fail on old records: {problem}" for problem in _incompatible(newer, older)),
        *(f"old readers fail on new records: {problem}" for problem in _incompatible(older, newer)),
        *_misunderstood(_meanings(newer), _meanings(older)),
    ]


def flaws(schema: str) -> list[str]:
    """What a schema lacks by itself: documentation, or a default that lets an enum grow; empty: nothing."""
    parts = list(_walk(parse(schema), ""))
    undocumented = [
        f"{path or '(record)'}: no doc"
        for path, part in parts
        if isinstance(part, NamedSchema | Field) and not part.get_prop("doc")
    ]
    stiff = [
        f"{path}: the enum {part.name} has no default, so it can never get another symbol"
        for path, part in parts
        if isinstance(part, EnumSchema) and part.get_prop("default") not in part.symbols
    ]
    return undocumented + stiff


def same(new: str, old: str) -> bool:
    """Whether two schemas differ in their documentation at most, and so need no version of their own."""
    return bool(_undocumented(new) == _undocumented(old))


def _undocumented(schema: str) -> object:
    return json.loads(schema, object_hook=lambda node: {key: value for key, value in node.items() if key != "doc"})


def _incompatible(reader: Schema, writer: Schema) -> list[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # avro types only some of its methods
    result = checker.get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    kinds = ", ".join(kind.value.replace("_", " ") for kind in result.incompatibilities)
    return [f"{kinds} at {max(result.locations, key=len, default='/')}: {'; '.join(sorted(result.messages))}"]


def _misunderstood(new: dict[str, str], old: dict[str, str]) -> list[str]:
    """Changes that readers bear without complaint and understand wrongly, in what both versions have."""
    return [
        f"{path or '(record)'}: was {before}, is {new[path]}"
        for path, before in old.items()
        if new.get(path, before) != before
    ]


def _meanings(schema: Schema) -> dict[str, str]:
    """Every type of a schema by its path: its name, and its logical type."""
    return {path: _meaning(part) for path, part in _walk(schema, "") if isinstance(part, Schema)}


def _meaning(schema: Schema) -> str:
    name = schema.fullname if isinstance(schema, NamedSchema) else schema.type
    logical = schema.get_prop("logicalType")
    return f"{name} ({logical})" if logical else str(name)


def _walk(schema: Schema, path: str) -> Iterator[tuple[str, Part]]:
    """Every field and type of a schema with its path: `.name` of a field and its type, `[]` items, `{}` values."""
    match schema:
        case UnionSchema():  # the only ones in use are nullable: they go by what they hold
            for branch in schema.schemas:
                yield from _walk(branch, path)
            return
        case RecordSchema():
            for field in schema.fields:
                yield f"{path}.{field.name}", field
                yield from _walk(field.type, f"{path}.{field.name}")
        case ArraySchema():
            yield from _walk(schema.items, f"{path}[]")
        case MapSchema():
            yield from _walk(schema.values, f"{path}{{}}")
    if schema.type != "null":
        yield path, schema
