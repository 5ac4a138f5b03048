"""What is remembered of an object while upstream sees it, and which of its events are worth a sighting."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streams.domain.crops import last_crop
from streams.domain.messages import Crop, Event, Sighting
from streams.domain.thumbnails import Shot, best_shot, retain
from streams.domain.values import Facts, FrameRef, Instant, Outcome, Phase, PictureSet, Reason, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """An object that has not ended."""

    object_id: str
    facts: Facts
    confirmed: bool = False
    """It was a true positive at least once: from then on it is spoken of."""
    updates: int = 0
    """Significant updates so far."""
    thumbnails: tuple[FrameRef, ...] = ()
    shot: Shot | None = None
    """The best picture that was cut; it may have left `thumbnails` since."""
    thumbnail: FrameRef | None = None
    """Upstream's own."""
    snapshot: FrameRef | None = None
    crops: int = 0
    """Crops sent; an object that had one gets a last one without picture."""
    deadline: Instant
    """Without an event until then, it ended unnoticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An object that has ended: whatever still comes about it changes nothing."""

    outcome: Outcome
    deadline: Instant
    """When the end itself may be forgotten."""


def is_old(known: Tracking | None, event: Event) -> bool:
    """Whether something newer was heard already."""
    return known is not None and event.frame_time < known.facts.frame_time


def is_significant(known: Tracking | None, event: Event) -> bool:
    """Whether the event shows a moving true positive in a frame not seen yet: only then is anything cut.

    A start may be a false positive still, an end carries the box of an older frame, and what was never tracked has
    no box that moves.
    """
    return (
        event.phase is Phase.UPDATE
        and event.source is Source.OBJECT
        and not event.false_positive
        and not event.stationary
        and (known is None or event.frame_time > known.facts.frame_time)
    )


def heard(known: Tracking | None, event: Event, *, deadline: Instant) -> Tracking:
    """What is known once the event was heard, its picture apart."""
    significant = is_significant(known, event)
    if known is None:
        known = Tracking(object_id=event.object_id, facts=_facts(event), deadline=deadline)
    return replace(
        known,
        updates=known.updates + significant,
        facts=_newest(known.facts, event),
        confirmed=known.confirmed or not event.false_positive,
        thumbnail=event.thumbnail or known.thumbnail,
        snapshot=event.snapshot or known.snapshot,
        deadline=deadline,
    )


def pictured(known: Tracking, event: Event, thumbnail: FrameRef) -> Tracking:
    """What is known once a thumbnail of the event's frame was cut."""
    return replace(
        known,
        thumbnails=retain(known.thumbnails, thumbnail),
        shot=best_shot(known.shot, event, thumbnail),
    )


def news(before: Tracking | None, after: Tracking) -> Reason | None:
    """What a sighting would tell that the one before did not; None: nothing that matters changed."""
    if not after.confirmed:
        return None
    if before is None or not before.confirmed:
        return Reason.SEEN
    if before.facts.zones != after.facts.zones:
        return Reason.ZONES
    return Reason.PICTURE if pictures(before).best != pictures(after).best else None


def pictures(known: Tracking) -> PictureSet:
    """The object's pictures; the best one is upstream's own, else the best that was cut, else the snapshot."""
    own = known.shot.picture if known.shot else None
    return PictureSet(
        best=known.thumbnail or own or known.snapshot, thumbnails=known.thumbnails, snapshot=known.snapshot
    )


def sighting(known: Tracking, reason: Reason, outcome: Outcome = Outcome.OPEN) -> Sighting:
    return Sighting(
        object_id=known.object_id,
        reason=reason,
        facts=known.facts,
        pictures=pictures(known),
        updates=known.updates,
        outcome=outcome,
    )


def outcome_of(known: Tracking) -> Outcome:
    """What became of an object whose end upstream told."""
    if not known.confirmed:
        return Outcome.FALSE_POSITIVE
    return Outcome.DONE if pictures(known).best else Outcome.NO_PICTURE


def last_words(known: Tracking, outcome: Outcome) -> tuple[Sighting | Crop, ...]:
    """What is published when an object ends: its last sighting, and a last crop where it had any.

    Nothing was ever said of a false positive, and nothing is. An end of unknown time is that of the latest frame.
    """
    facts = replace(known.facts, end_time=known.facts.end_time or known.facts.frame_time)
    known = replace(known, facts=facts)
    said = (sighting(known, Reason.ENDED, outcome),) if known.confirmed else ()
    return (*said, last_crop(known.object_id, facts, attempt=known.crops)) if known.crops else said


def _newest(known: Facts, event: Event) -> Facts:
    """The facts of the newer one; what was kept once (clip, snapshot) stays kept, and an end stays an end."""
    facts = _facts(event) if event.frame_time >= known.frame_time else known
    return replace(
        facts,
        end_time=event.end_time or facts.end_time,
        has_clip=known.has_clip or event.has_clip,
        has_snapshot=known.has_snapshot or event.has_snapshot,
        frame_width=facts.frame_width or known.frame_width,
        frame_height=facts.frame_height or known.frame_height,
    )


def _facts(event: Event) -> Facts:
    return Facts(
        camera=event.camera,
        source=event.source,
        label=event.label,
        sub_label=event.sub_label,
        sub_label_score=event.sub_label_score,
        start_time=event.start_time,
        end_time=event.end_time,
        frame_time=event.frame_time,
        score=event.score,
        top_score=event.top_score,
        box=event.box,
        region=event.region,
        frame_width=event.frame.width if event.frame else 0,
        frame_height=event.frame.height if event.frame else 0,
        zones=event.entered_zones,
        attributes=event.attributes,
        has_clip=event.has_clip,
        has_snapshot=event.has_snapshot,
        max_severity=event.max_severity,
        position_changes=event.position_changes,
        average_estimated_speed=event.average_estimated_speed,
        velocity_angle=event.velocity_angle,
        path_data=event.path_data,
        recognized_license_plate=event.recognized_license_plate,
        recognized_license_plate_score=event.recognized_license_plate_score,
    )
