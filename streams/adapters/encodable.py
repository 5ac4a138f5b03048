"""Turns dataclasses into what an Avro schema can hold, and refuses what it cannot, by the field's name.

Plain Avro code writes NaN and overflowing integers without a word and stumbles over numpy values in nullable fields.
Here every schema is compiled once into functions that walk the dataclass and check each value.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import numpy as np
from fastavro.types import Schema

from streams.domain.errors import Poison
from streams.domain.times import EPOCH

Convert = Callable[[object], object]
"""From a value of a dataclass to what fastavro writes. Raises `Poison`."""

_BITS = {"int": 31, "long": 63}

_EARLIEST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
_LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
"""What stock deserializers can turn into a date: any other time would fail in the hands of every consumer."""


def encodable(schema: Schema) -> Convert:
    """Compile `schema` (parsed by fastavro) into a function.

    The function raises `Poison` such as `unencodable: facts.score: nan, expected a finite double`.
    """
    return _compile(schema, "", {})


def _compile(schema: Schema, path: str, names: dict[str, Schema]) -> Convert:
    match names.get(schema, schema) if isinstance(schema, str) else schema:
        case ["null", inner]:
            return _nullable(_branch(inner), _compile(inner, path, names))
        case {"type": "record", "name": str(name), "fields": list(fields)} as record:
            names[name] = record
            dot = f"{path}." if path else ""
            steps = [(each["name"], _compile(each["type"], f"{dot}{each['name']}", names)) for each in fields]
            return _record(name, steps, path)
        case {"type": "enum", "name": str(name), "symbols": list(symbols)} as enum:
            names[name] = enum
            return _enum(symbols, path)
        case {"type": "array", "items": items}:
            return _array(_compile(items, f"{path}[]", names), path)
        case {"type": "map", "values": values}:
            return _map(_compile(values, f"{path}{{}}", names), path)
        case other:
            return _leaf(other, path)


def _branch(schema: Schema) -> str:
    """The name by which fastavro knows a branch of a union."""
    return str(schema.get("name", schema["type"])) if isinstance(schema, dict) else str(schema)


def _leaf(schema: Schema, path: str) -> Convert:
    match schema:
        case "int" | "long" as kind:
            limit = 1 << _BITS[kind]
            return _integer(-limit, limit - 1, path, f"an integer that fits {kind}")
        case {"type": "long", "logicalType": "timestamp-micros"}:
            return _integer(_EARLIEST, _LATEST, path, "a time (µs) between the years 1 and 9999")
        case "double":
            return _double(path)
        case "boolean":
            return _boolean(path)
        case "string":
            return _string(path)
        case "bytes":
            return _bytes(path)
        case _:
            raise TypeError(f"{path}: no support for the schema {schema}")


def _integer(low: int, high: int, path: str, expected: str) -> Convert:
    def convert(value: object) -> object:
        if type(value) is int and low <= value <= high:
            return value
        plain = _without_numpy(value)
        if isinstance(plain, int) and not isinstance(plain, bool) and low <= plain <= high:
            return int(plain)
        raise _misfit(path, value, expected)

    return convert


def _double(path: str) -> Convert:
    def convert(value: object) -> object:
        if type(value) is float and math.isfinite(value):
            return value
        plain = _without_numpy(value)
        if isinstance(plain, int | float) and not isinstance(plain, bool) and _is_finite(plain):
            return float(plain)
        raise _misfit(path, value, "a finite double")

    return convert


def _boolean(path: str) -> Convert:
    def convert(value: object) -> object:
        plain = value if type(value) is bool else _without_numpy(value)
        if isinstance(plain, bool):
            return plain
        raise _misfit(path, value, "a boolean")

    return convert


def _string(path: str) -> Convert:
    def convert(value: object) -> object:
        if isinstance(value, str) and (value.isascii() or _is_unicode(value)):
            return str(value)
        raise _misfit(path, value, "a Unicode string")

    return convert


def _bytes(path: str) -> Convert:
    def convert(value: object) -> object:
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        raise _misfit(path, value, "bytes")

    return convert


def _enum(symbols: Sequence[str], path: str) -> Convert:
    known = {symbol: symbol for symbol in symbols}

    def convert(value: object) -> object:
        if isinstance(value, StrEnum | str) and value in known:
            return known[value]
        raise _misfit(path, value, f"one of {', '.join(symbols)}")

    return convert


def _nullable(branch: str, convert: Convert) -> Convert:
    # The pair tells fastavro which branch is meant: finding out by itself means validating the value against each.
    def convert_nullable(value: object) -> object:
        return None if value is None else (branch, convert(value))

    return convert_nullable


def _array(item: Convert, path: str) -> Convert:
    def convert(value: object) -> object:
        if isinstance(value, np.ndarray) and value.ndim == 1:
            return [item(each) for each in value.tolist()]
        if isinstance(value, tuple | list):
            return [item(each) for each in value]
        raise _misfit(path, value, "a sequence")

    return convert


def _map(item: Convert, path: str) -> Convert:
    key = _string(f"{path} key")

    def convert(value: object) -> object:
        if isinstance(value, dict):
            return {key(name): item(each) for name, each in value.items()}
        raise _misfit(path, value, "a dictionary")

    return convert


def _record(record: str, steps: Sequence[tuple[str, Convert]], path: str) -> Convert:
    # `attrgetter` gives a tuple only for several names: asking for the class keeps it one even for a single field.
    get = operator.attrgetter("__class__", *(name for name, _ in steps))

    def convert(value: object) -> object:
        try:
            _, *values = get(value)
        except AttributeError as error:
            raise _misfit(path or "message", value, f"a {record}") from error
        return {name: step(each) for (name, step), each in zip(steps, values, strict=True)}

    return convert


def _without_numpy(value: object) -> object:
    """A numpy scalar or 0-d array as Python's own number; anything else as it is."""
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
        return value.item()
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a double
        return False


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _misfit(path: str, value: object, expected: str) -> Poison:
    return Poison("unencodable", f"{path}: {value!s:.80}, expected {expected}")
