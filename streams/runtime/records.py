"""A record as Kafka has it, on the way in and on the way out; and the dead letter that a record can become."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from streams.domain.values import Instant

Headers = tuple[tuple[str, bytes], ...]

MESSAGE_CHARACTERS, TRACEBACK_CHARACTERS = 1_000, 8_000
"""Bounds of what a dead letter says about its cause."""


@dataclass(frozen=True, slots=True)
class Incoming:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    time: Instant
    """The record's timestamp."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    time: Instant
    """Inherited from the record that it follows from, so that a replay writes the same."""


def dead_letter(record: Incoming, *, topic: str, agent: str, reason: str, error: Exception) -> Outgoing:
    """Key, value and headers untouched, and beside them all that is known about the failure."""
    cause = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.time,
        "agent": agent,
        "reason": reason,
        "message": str(error)[:MESSAGE_CHARACTERS],
        "attempt": attempt_of(record.headers),
        "traceback": "".join(traceback.format_exception(error))[-TRACEBACK_CHARACTERS:],
    }
    headers = tuple((name, value) for name, value in record.headers if not name.startswith("dlt."))
    said = tuple((f"dlt.{name}", str(value).encode()) for name, value in cause.items())
    return Outgoing(topic, record.key, record.value, headers + said, record.time)


def attempt_of(headers: Headers) -> int:
    """How many times this record was tried, this time included: a replayed dead letter carries its count."""
    tried = dict(headers).get("dlt.attempt", b"0")
    return int(tried) + 1 if tried.isdigit() else 1


def is_for_another(headers: Headers, agent: str) -> bool:
    """Whether this is a replayed dead letter of another agent, which alone has not seen it."""
    told = dict(headers)
    return "dlt.replay" in told and told.get("dlt.agent") != agent.encode()
