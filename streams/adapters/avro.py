"""One dataclass and its Avro schema: from an instance to the bare Avro body, and back from any writer's version."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Generic, TypeVar

import fastavro
import msgspec
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, UnknownType, parse_schema, to_parsing_canonical_form
from fastavro.types import Schema

from streams.adapters.encodable import encodable
from streams.domain.errors import Poison

T = TypeVar("T")

_READING_FAILS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    SchemaResolutionError,
    StopIteration,
    TypeError,
    ValueError,
)
"""What fastavro raises on bytes that are not what the schema says; msgspec's `ValidationError` is a `ValueError`."""


class AvroForm(Generic[T]):
    """How instances of `record` are written by `schema`, the newest version, and read from any version."""

    def __init__(self, record: type[T], schema: str) -> None:
        self._record = record
        self._schema = wire_schema(schema)
        self._encodable = encodable(parse_schema(json.loads(schema)))

    def body(self, value: T) -> bytes:
        """The bare Avro body. Raises `Poison` (`unencodable`) naming the field that cannot be written."""
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, self._schema, self._encodable(value))
        return buffer.getvalue()

    def reader(self, schema: str) -> Callable[[bytes], T]:
        """A function that reads bodies written by `schema`, resolved to the newest version.

        Both this method and the function raise `Poison` (`undecodable`).
        """
        writer = _parsed(schema)
        if _name(writer) != _name(self._schema):
            raise Poison("undecodable", f"a {_name(writer)}, expected a {_name(self._schema)}")
        same = to_parsing_canonical_form(writer) == to_parsing_canonical_form(self._schema)
        resolve = None if same else self._schema
        record = self._record

        def read(body: bytes) -> T:
            buffer = io.BytesIO(body)
            try:
                value = msgspec.convert(fastavro.schemaless_reader(buffer, writer, resolve), record)
            except _READING_FAILS as error:
                raise Poison("undecodable", f"{type(error).__name__}: {error!s:.200}") from error
            if left := len(body) - buffer.tell():
                raise Poison("undecodable", f"{left} bytes behind the record")
            return value

        return read


def wire_schema(schema: str) -> Schema:
    """Parse a schema without its logical types: times stay the integers that travel on the wire."""
    return parse_schema(json.loads(schema, object_hook=_plain))


def _parsed(schema: str) -> Schema:
    try:
        return wire_schema(schema)
    except (SchemaParseException, UnknownType, ValueError, TypeError, LookupError) as error:
        raise Poison("undecodable", f"its schema is no Avro schema: {error}") from error


def _plain(node: dict[str, object]) -> object:
    """A node of a schema, with a type such as `timestamp-micros` replaced by the primitive that carries it."""
    return node["type"] if "logicalType" in node and node["type"] != "fixed" else node


def _name(schema: Schema) -> str:
    return str(schema.get("name", schema["type"])) if isinstance(schema, dict) else str(schema)
