"""Record headers: CloudEvents attributes in binary mode, and the trace context that is passed through."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

from streams.domain.messages import Message, Tombstone
from streams.domain.times import rfc3339

Headers = list[tuple[str, bytes]]

TRACE_CONTEXT: Final = frozenset({"traceparent", "tracestate"})
"""The headers of W3C Trace Context; a record that follows from another carries them on."""

_IDS: Final = UUID("9f1c2a4e-52a3-5b1d-8f0e-6d1b7a3c4e90")
"""Our namespace of CloudEvents ids: fixed for ever, so that a replayed record keeps its id."""


def cloud_event(message: Message, *, topic: str, source: str, body: bytes | None) -> Headers:
    """The CloudEvents 1.0 headers (Kafka protocol binding, binary mode) of one record.

    The id is derived from topic, key and body: the same record published again has the same id. `body` is the
    record's value, None for a tombstone; `source` names who publishes (`nvr-streams/<site>/<agent>`).
    """
    attributes = {
        "ce_specversion": "1.0",
        "ce_type": f"nvr.streams.{_type_name(message)}",
        "ce_source": source,
        "ce_id": str(_event_id(topic, message.key, body)),
        "ce_time": rfc3339(message.time),
        "content-type": "application/avro",
    }
    return [(name, value.encode()) for name, value in attributes.items()]


def passed_on(headers: Iterable[tuple[str, bytes]]) -> Headers:
    """The trace context among a consumed record's headers, for the records that follow from it."""
    return [(name, value) for name, value in headers if name.lower() in TRACE_CONTEXT]


def _type_name(message: Message) -> str:
    if isinstance(message, Tombstone):
        return f"{message.of.__name__}.deleted"
    return type(message).__name__


def _event_id(topic: str, key: str, body: bytes | None) -> UUID:
    content = sha256(body).hexdigest() if body is not None else "deleted"
    return uuid5(_IDS, f"{topic}\0{key}\0{content}")
