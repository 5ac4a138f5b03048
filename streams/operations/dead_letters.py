"""Dead letters: which messages could not be processed, by whom, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streams.adapters.catalogue import Catalogue
from streams.domain.values import Instant
from streams.operations.reading import Headers, Progress, Record, whole
from streams.operations.tail import as_text
from streams.settings import Settings

PREFIX = "dlt."
"""Headers that start so tell of the failure; all others are the original record's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """`id` is where it lies in the topic of dead letters; `key` and `value` are the original bytes."""

    id: str
    time: Instant
    """Of the original record."""
    agent: str
    reason: str
    message: str
    topic: str
    partition: int
    offset: int
    attempt: int
    traceback: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which dead letters; None means any. Times are those of the original records."""

    agent: str | None = None
    reason: str | None = None
    after: Instant | None = None
    before: Instant | None = None

    def admits(self, letter: DeadLetter) -> bool:
        return (
            self.agent in {None, letter.agent}
            and self.reason in {None, letter.reason}
            and (self.after is None or letter.time >= self.after)
            and (self.before is None or letter.time < self.before)
        )


def list_letters(settings: Settings, wanted: Wanted, progress: Progress | None = None) -> list[DeadLetter]:
    """The newest first. Raises `Outage` and `LookupError` (no such topic)."""
    letters = filter(wanted.admits, _letters(settings, progress))
    return sorted(letters, key=lambda letter: (letter.time, letter.id), reverse=True)


def find_letter(settings: Settings, letter_id: str, progress: Progress | None = None) -> DeadLetter:
    """One dead letter by its id. Raises `LookupError` when there is none, else as `list_letters`."""
    for letter in _letters(settings, progress):
        if letter.id == letter_id:
            return letter
    raise LookupError(f"no dead letter {letter_id}; see: nvr-streams dead-letters list")


def _letters(settings: Settings, progress: Progress | None) -> Iterator[DeadLetter]:
    return map(letter, whole(settings.kafka, Catalogue(settings.kafka.prefix).dead_letters, progress))


def letter(record: Record) -> DeadLetter:
    """A record of the topic as what it tells; what a header leaves out is empty or -1."""
    told = {
        name.removeprefix(PREFIX): as_text(value) or "" for name, value in record.headers if name.startswith(PREFIX)
    }
    return DeadLetter(
        id=f"{record.partition}-{record.offset}",
        time=record.time,
        agent=told.get("agent", ""),
        reason=told.get("reason", ""),
        message=told.get("message", ""),
        topic=told.get("topic", ""),
        partition=_number(told.get("partition")),
        offset=_number(told.get("offset")),
        attempt=_number(told.get("attempt")),
        traceback=told.get("traceback", ""),
        key=record.key,
        value=record.value,
        headers=tuple((name, value) for name, value in record.headers if not name.startswith(PREFIX)),
    )


def _number(text: str | None) -> int:
    digits = text or ""
    return int(digits) if digits.isdecimal() else -1
