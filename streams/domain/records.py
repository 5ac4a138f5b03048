"""The object record: what it is merged from, its revisions, and what is said about each change."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streams.domain.messages import ObjectRecord, Sighting, TrackedObjectUpdate
from streams.domain.values import Instant, Outcome, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An object that has a record."""

    record: ObjectRecord
    deadline: Instant | None = None
    """When the record is deleted; None while the object has not ended (its end will come, `track` sees to that)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """An object whose record was deleted: whatever still comes about it changes nothing."""

    revision: int
    deadline: Instant
    """When the deletion itself may be forgotten."""


def merge(known: ObjectRecord | None, sighting: Sighting, at: Instant) -> ObjectRecord:
    """The record once a sighting has come; the known one itself when that tells nothing new.

    `at` is the time of the sighting's record in µs, the least revision that it may get.
    """
    if known and _is_late(known, sighting):
        return known
    merged = ObjectRecord(
        object_id=sighting.object_id,
        revision=known.revision if known else 0,
        facts=sighting.facts,
        pictures=sighting.pictures,
        updates=sighting.updates,
        outcome=sighting.outcome,
        description=known.description if known else None,
    )
    return known if known == merged else replace(merged, revision=next_revision(known, at))


def next_revision(known: ObjectRecord | None, at: Instant) -> int:
    """A revision above all that the object had: the record's time in µs, or one more than the last where clocks lag."""
    return max(known.revision + 1, at) if known else at


def announcement(record: ObjectRecord, reason: Reason) -> TrackedObjectUpdate:
    """What people's automations hear of a new version of the record."""
    facts = record.facts
    return TrackedObjectUpdate(
        type="object",
        id=record.object_id,
        camera=facts.camera,
        timestamp=record.time,
        reason=reason,
        revision=record.revision,
        label=facts.label,
        sub_label=facts.sub_label,
        score=facts.top_score,
        zones=facts.zones,
        outcome=record.outcome,
    )


def _is_late(known: ObjectRecord, sighting: Sighting) -> bool:
    """An end stays an end, and an older sighting never replaces a newer one."""
    if sighting.outcome is not Outcome.OPEN:
        return False
    return known.outcome is not Outcome.OPEN or sighting.facts.frame_time < known.facts.frame_time
