"""The life of a tracked object, from its first frame to its end, and which of its moments are worth an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from streams.domain.cameras import Camera
from streams.domain.geometry import area
from streams.domain.messages import Event
from streams.domain.tracking import (
    MISS,
    Movement,
    better_picture,
    computed_score,
    follow,
    has_clip,
    has_snapshot,
    max_severity,
    move,
    object_filter,
    patience,
    remember,
)
from streams.domain.values import SECOND, BestFrame, Detection, FrameRef, Instant, PathPoint, Phase

PICTURE_PAUSE: Final[Instant] = 5 * SECOND
"""A better picture alone is worth an update no sooner than this after the last one."""

SILENCE: Final[Instant] = 60 * SECOND
"""An object that is still seen is spoken of after this long at the latest."""

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the tracker knows after one frame. Who is neither seen nor gone was missed in this frame."""

    time: Instant
    frame: FrameRef | None = None
    seen: tuple[Detection, ...] = ()
    gone: tuple[str, ...] = ()
    zones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The zones that each seen object is in, by object id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What is known of one object while it is tracked."""

    detection: Detection
    """The last time that it was found."""
    frame: FrameRef | None
    frame_time: Instant
    start_time: Instant
    scores: tuple[float, ...]
    movement: Movement
    active: bool = True
    top_score: float = 0.0
    false_positive: bool = True
    path: tuple[PathPoint, ...] = ()
    best: BestFrame | None = None
    published_at: Instant
    zones: tuple[str, ...] = ()
    entered_zones: tuple[str, ...] = ()
    attributes: Mapping[str, float] = field(default_factory=dict)
    """The best score of each attribute."""


Lives = Mapping[str, Life]
"""The objects that a camera tracks, by id."""


def object_id(camera: str, playback: Instant, started: Instant, number: int) -> str:
    """`<first-frame time in seconds>-<6 characters>`, the same for the same camera, playback and track number."""
    digest = int.from_bytes(sha256(f"{camera}\0{playback}\0{number}".encode()).digest())
    letters = "".join(_LETTERS[digest // len(_LETTERS) ** place % len(_LETTERS)] for place in range(6))
    return f"{started // SECOND}.{started % SECOND:06d}-{letters}"


def observe(lives: Lives, look: Look, camera: Camera) -> tuple[Lives, tuple[Event, ...]]:
    """The objects after one frame, and the events that the frame is worth.

    A new object always makes a start and one that is gone always an end; a false positive never makes an update.
    """
    after: dict[str, Life] = {}
    events: list[Event] = []
    found = {detection.object_id: detection for detection in look.seen}
    for name, before in lives.items():
        if name in look.gone:
            events.append(_event(before, camera, Phase.END, end_time=look.time))
            continue
        after[name] = life = _after(before, found.get(name), look, camera)
        if _worth_an_update(before, life, look.time):
            after[name] = replace(life, published_at=look.time)
            events.append(_event(life, camera, Phase.UPDATE))
    for name in (name for name in found if name not in lives):
        after[name] = _born(found[name], look)
        events.append(_event(after[name], camera, Phase.START))
    return after, tuple(events)


def close(lives: Lives, time: Instant, camera: Camera) -> tuple[Event, ...]:
    """The ends of all objects: the playback is over, or the camera was switched off."""
    return observe(lives, Look(time=time, gone=tuple(lives)), camera)[1]


def _born(detection: Detection, look: Look) -> Life:
    zones = look.zones.get(detection.object_id, ())
    return Life(
        detection=detection,
        frame=look.frame,
        frame_time=look.time,
        start_time=look.time,
        scores=(detection.score,),
        movement=Movement(places=(detection.box,)),
        published_at=look.time,
        zones=zones,
        entered_zones=zones,
        attributes=_best_scores({}, detection),
    )


def _after(life: Life, detection: Detection | None, look: Look, camera: Camera) -> Life:
    if detection is None:
        return _judged(life, MISS, camera)
    threshold = patience(camera.detect).stationary_threshold
    movement = move(life.movement, detection.box, stationary_threshold=threshold)
    zones = look.zones.get(detection.object_id, ())
    found = replace(
        life,
        detection=detection,
        frame=look.frame,
        frame_time=look.time,
        movement=movement,
        active=movement.motionless_count <= threshold,
        zones=zones,
        entered_zones=tuple(dict.fromkeys((*life.entered_zones, *zones))),
        attributes=_best_scores(life.attributes, detection),
    )
    judged = _judged(found, detection.score, camera)
    return judged if judged.false_positive else _followed(judged, camera)


def _judged(life: Life, score: float, camera: Camera) -> Life:
    """With one more score. Once a true positive, always a true positive."""
    scores = remember(life.scores, score)
    computed = computed_score(scores)
    return replace(
        life,
        scores=scores,
        top_score=max(life.top_score, computed),
        false_positive=life.false_positive and computed < object_filter(camera, life.detection.label).threshold,
    )


def _followed(life: Life, camera: Camera) -> Life:
    """With its path and its best picture, which only true positives have."""
    size = camera.detect
    detection, best = life.detection, life.best
    path = follow(life.path, detection.box, time=life.frame_time, width=size.width, height=size.height)
    new = _best_frame(detection, life.frame_time, path)
    if best is None or better_picture(detection.label, new, best, width=size.width, height=size.height):
        best = new
    return replace(life, path=path, best=best)


def _best_frame(detection: Detection, time: Instant, path: tuple[PathPoint, ...]) -> BestFrame:
    return BestFrame(
        frame_time=time,
        box=detection.box,
        area=area(detection.box),
        region=detection.region,
        score=detection.score,
        attributes=detection.attributes,
        path_data=path,
    )


def _best_scores(known: Mapping[str, float], detection: Detection) -> Mapping[str, float]:
    best = dict(known)
    for attribute in detection.attributes:
        best[attribute.label] = max(attribute.score, best.get(attribute.label, 0.0))
    return best


def _worth_an_update(before: Life, life: Life, now: Instant) -> bool:
    if life.false_positive:
        return False
    better = life.best is not None and life.best.frame_time > life.published_at
    return (
        changed_significantly(before, life)
        or len(life.path) > len(before.path)
        or (better and now - life.published_at > PICTURE_PAUSE)
    )


def changed_significantly(before: Life, life: Life) -> bool:
    """Whether zones, place, attributes or rest changed, or a minute has passed since the last message."""
    return (
        set(life.zones) != set(before.zones)
        or life.movement.position_changes != before.movement.position_changes
        or life.detection.attributes != before.detection.attributes
        or life.active != before.active
        or life.frame_time - life.published_at > SILENCE
    )


def _event(life: Life, camera: Camera, phase: Phase, *, end_time: Instant | None = None) -> Event:
    seen, movement = life.detection, life.movement
    severity = max_severity(camera, seen.label, life.entered_zones)
    keepable = not life.false_positive and movement.position_changes > 0
    return Event(
        object_id=seen.object_id,
        camera=camera.name,
        phase=phase,
        label=seen.label,
        frame=life.frame,
        frame_time=life.frame_time,
        start_time=life.start_time,
        end_time=end_time,
        score=seen.score,
        top_score=life.top_score,
        false_positive=life.false_positive,
        box=seen.box,
        area=area(seen.box),
        ratio=seen.box.width / max(1, seen.box.height),
        region=seen.region,
        active=life.active,
        stationary=not life.active,
        motionless_count=movement.motionless_count,
        position_changes=movement.position_changes,
        current_zones=life.zones,
        entered_zones=life.entered_zones,
        has_snapshot=keepable and has_snapshot(camera, life.entered_zones),
        has_clip=keepable and has_clip(camera, severity),
        attributes=dict(life.attributes),
        current_attributes=seen.attributes,
        max_severity=severity,
        path_data=life.path,
        best=life.best,
    )
