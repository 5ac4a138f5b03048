"""Dead letters: which messages could not be processed, by whom, and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from streams.adapters.catalogue import Catalogue
from streams.domain.values import Instant
from streams.operations.reading import Headers, Progress, Record, whole
from streams.operations.tail import as_text
from streams.settings import Settings

PREFIX = "dlt."
"""Headers that start so tell of the failure; all others are the original record's own."""

SETTLED, HOW = f"{PREFIX}settled", f"{PREFIX}how"
"""Headers of a mark: the dead letter (`<topic>-<id>`) that is no longer open, and what became of it.

A mark lies behind its dead letter in the same partition, so that retention never deletes the mark first.
"""


class Fate(StrEnum):
    """What somebody did with a dead letter."""

    REPLAYED = "replayed"
    DISCARDED = "discarded"


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
    settled: Fate | None = None
    """None: open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which dead letters; None means any. Times are those of the original records."""

    ids: frozenset[str] | None = None
    agent: str | None = None
    reason: str | None = None
    after: Instant | None = None
    before: Instant | None = None
    settled: bool = False
    """Those too that were replayed or discarded."""

    def admits(self, letter: DeadLetter) -> bool:
        return (
            (self.settled or letter.settled is None)
            and (self.ids is None or letter.id in self.ids)
            and self.agent in {None, letter.agent}
            and self.reason in {None, letter.reason}
            and (self.after is None or letter.time >= self.after)
            and (self.before is None or letter.time < self.before)
        )


def list_letters(settings: Settings, wanted: Wanted, progress: Progress | None = None) -> list[DeadLetter]:
    """The newest first. Raises `Outage` and `LookupError` (no such topic)."""
    letters = filter(wanted.admits, _letters(settings, progress))
    return sorted(letters, key=lambda letter: (letter.time, letter.id), reverse=True)


def choose_letters(settings: Settings, wanted: Wanted, progress: Progress | None = None) -> list[DeadLetter]:
    """In the order in which their records lay in their topics.

    Raises as `list_letters`, and `LookupError` for an id that no dead letter has.
    """
    letters = _letters(settings, progress)
    for unknown in sorted((wanted.ids or frozenset()) - {letter.id for letter in letters}):
        raise LookupError(f"no dead letter {unknown}; see: nvr-streams dead-letters list")
    return sorted(filter(wanted.admits, letters), key=lambda letter: (letter.topic, letter.partition, letter.offset))


def find_letter(settings: Settings, letter_id: str, progress: Progress | None = None) -> DeadLetter:
    """One dead letter by its id, open or not. Raises `LookupError` when there is none, else as `list_letters`."""
    (found,) = choose_letters(settings, Wanted(ids=frozenset({letter_id}), settled=True), progress)
    return found


def _letters(settings: Settings, progress: Progress | None) -> Collection[DeadLetter]:
    """All of them, each with what became of it."""
    letters: dict[str, DeadLetter] = {}
    for record in whole(settings.kafka, Catalogue(settings.kafka.prefix).dead_letters, progress):
        told = dict(record.headers)
        if SETTLED not in told:
            found = letter(record)
            letters[place(record.topic, found.id)] = found
        elif open_ := letters.get(as_text(told[SETTLED]) or ""):
            letters[place(record.topic, open_.id)] = replace(open_, settled=_fate(told.get(HOW)))
    return letters.values()


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


def place(topic: str, letter_id: str) -> str:
    """Where a dead letter lies, for the headers that refer to it."""
    return f"{topic}-{letter_id}"


def _fate(how: bytes | None) -> Fate:
    """A word that a newer release wrote counts as done, or what it did would be done once more."""
    return Fate.DISCARDED if how == Fate.DISCARDED.value.encode() else Fate.REPLAYED


def _number(text: str | None) -> int:
    digits = text or ""
    return int(digits) if digits.isdecimal() else -1
