"""Messages on the wire: Avro behind the Confluent prefix (a zero byte and the schema's id in four)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from cachetools import TTLCache

from streams.adapters.avro import AvroForm
from streams.adapters.catalogue import Catalogue
from streams.adapters.once import Once
from streams.adapters.registry import Schemas
from streams.adapters.schema_files import SchemaFiles
from streams.domain.errors import Outage, Poison
from streams.domain.messages import Message, Tombstone, record_class
from streams.domain.values import Instant

_PREFIX = struct.Struct(">bI")
_HIGHEST_ID = 2**31 - 1
_UNKNOWN_FOR = 30.0
"""Seconds for which an unknown id is not asked for again: a flood of such messages must not flood the registry."""

Read = Callable[[bytes], Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channel:
    """A topic whose records are of one class."""

    topic: str
    record: type[Message]
    schema: str
    form: AvroForm[Message]

    @property
    def subject(self) -> str:
        return subject_of(self.topic)


def subject_of(topic: str) -> str:
    """The registry's name for the values of a topic."""
    return f"{topic}-value"


class Codec:
    """Encodes and decodes the records of a catalogue's topics.

    Both verbs raise `Outage` while the registry is asked for a schema and does not answer, and `LookupError` for a
    topic that has no schema (dead letters) or does not exist.
    """

    def __init__(self, catalogue: Catalogue, registry: Schemas, files: SchemaFiles | None = None) -> None:
        self._catalogue = catalogue
        self._registry = registry
        self.files = files or SchemaFiles()
        """Where the schemas lie, those of states too."""
        self._channel = cache(self._open)
        self._ids: Once[str, int] = Once(self._registered)
        self._readers: Once[tuple[str, int], Read] = Once(self._reader)
        self._unknown: TTLCache[int, str] = TTLCache(maxsize=1000, ttl=_UNKNOWN_FOR)

    async def encode(self, topic: str, message: Message) -> bytes | None:
        """The value of the record that carries `message` on `topic`; None for a tombstone.

        Raises `Poison` (`unencodable`) naming the field, and `TypeError` when the message is not of that topic.
        """
        channel = self._channel(topic)
        record = record_class(message)
        if record is not channel.record:
            raise TypeError(f"{topic} carries {channel.record.__name__}, not {record.__name__}")
        if isinstance(message, Tombstone):
            return None
        body = channel.form.body(message)
        return _PREFIX.pack(0, await self._ids.get(topic)) + body

    async def decode(self, topic: str, key: bytes | None, value: bytes | None, *, at: Instant = 0) -> Message:
        """The message that a record of `topic` carries; a null value is a `Tombstone` of time `at`.

        Raises `Poison`: `undecodable`, `unknown schema id`, or `key mismatch` (the record's key is not the message's).
        """
        channel = self._channel(topic)
        if value is None:
            return Tombstone(of=channel.record, name=_tombstone_key(key), at=at)
        schema_id = _schema_id(value)
        read = await self._readers.get((topic, schema_id))
        message = read(value[_PREFIX.size :])
        if key != (expected := message.key.encode()):
            raise Poison("key mismatch", f"the record's key is {key!r:.80}, its message's {expected!r:.80}")
        return message

    def _open(self, topic: str) -> _Channel:
        record = self._catalogue.message_of(topic)
        if record is None:
            raise LookupError(f"{topic} has no schema: its records are bytes of any kind")
        schema = self.files.frozen(subject_of(self._catalogue.topic(topic).subject))[-1]
        return _Channel(topic=topic, record=record, schema=schema, form=AvroForm(record, schema))

    async def _registered(self, topic: str) -> int:
        channel = self._channel(topic)
        try:
            return await self._registry.id_of(channel.subject, channel.schema)
        except LookupError as error:
            cure = "run: nvr-streams schemas register"
            raise Outage("registry", f"subject {channel.subject} is not registered as in our files; {cure}") from error

    async def _reader(self, asked: tuple[str, int]) -> Read:
        topic, schema_id = asked
        return self._channel(topic).form.reader(await self._schema(schema_id))

    async def _schema(self, schema_id: int) -> str:
        if schema_id > _HIGHEST_ID:
            raise Poison("unknown schema id", f"{schema_id}: ids end at {_HIGHEST_ID}")
        if (refusal := self._unknown.get(schema_id)) is not None:
            raise Poison("unknown schema id", refusal)
        try:
            return await self._registry.schema(schema_id)
        except LookupError as error:
            refusal = self._unknown[schema_id] = f"{schema_id}: {error}"
            raise Poison("unknown schema id", refusal) from error


def _schema_id(value: bytes) -> int:
    if len(value) < _PREFIX.size:
        raise Poison("undecodable", f"{len(value)} bytes, shorter than the prefix of {_PREFIX.size}")
    magic, schema_id = _PREFIX.unpack_from(value)
    if magic != 0:
        raise Poison("undecodable", f"it starts with {value[:5].hex(' ')}, expected 00 and the id of a schema")
    return int(schema_id)


def _tombstone_key(key: bytes | None) -> str:
    if not key:
        raise Poison("undecodable", "neither key nor value: nobody knows what was deleted")
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise Poison("undecodable", f"the key {key!r:.80} is not UTF-8") from error
