"""Keeps the object record: merges what is known of an object, issues its revisions, and deletes it in the end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streams.domain.agent import Agent, Step
from streams.domain.messages import Message, ObjectRecord, Sighting, Tombstone, TrackedObjectUpdate
from streams.domain.records import Deleted, Settled, announcement, merge, next_revision
from streams.domain.retention import Retention
from streams.domain.values import Instant, Outcome, Reason

State = Settled | Deleted


def settle(*, retention: Retention) -> Agent[State]:
    """Sightings become object records, and updates for people's automations."""
    keeper = _Keeper(retention=retention)
    return Agent(
        name="settle",
        consumes=(Sighting,),
        produces=(ObjectRecord, TrackedObjectUpdate),
        state=(Settled, Deleted),
        handle=keeper.handle,
        expire=keeper.expire,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keeper:
    retention: Retention

    async def handle(self, state: State | None, message: Message, at: Instant) -> Step[State]:
        if isinstance(state, Deleted) or not isinstance(message, Sighting):
            return Step(state)
        known = state.record if state else None
        record = merge(known, message, at)
        if record is known:
            return Step(state)
        deadline = None if record.outcome is Outcome.OPEN else at + self.retention.objects
        return Step(Settled(record=record, deadline=deadline), (record, announcement(record, message.reason)))

    def expire(self, state: State, now: Instant) -> Step[State]:
        if isinstance(state, Deleted):
            return Step(None)
        gone = replace(state.record, revision=next_revision(state.record, now))
        return Step(
            Deleted(revision=gone.revision, deadline=now + self.retention.ended),
            (Tombstone(of=ObjectRecord, name=gone.object_id, at=now), announcement(gone, Reason.DELETED)),
        )
