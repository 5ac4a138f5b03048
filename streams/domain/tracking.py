"""The rules by which a camera system judges a tracked object: score, movement, path, best picture, severity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import dist, hypot
from statistics import mean, median
from typing import Final

from streams.domain.cameras import Camera, Detect, ObjectFilter
from streams.domain.geometry import area, iou
from streams.domain.values import Attribute, BestFrame, Box, Instant, PathPoint, Severity

SCORES_KEPT: Final = 10
"""Frames that the computed score looks back on."""

MISS: Final = 0.0
"""The score of a frame in which the object was not found."""

PLACES_KEPT: Final = 10
"""Boxes that a new box is compared with, to tell whether the object moved."""

GONE_ELSEWHERE: Final = 0.2
"""IoU with its recent boxes below which an object has moved for certain."""

MOVING: Final = 0.8
"""IoU with its recent boxes below which an active object has moved."""

LEAVING: Final = 0.6
"""The same for a stationary object, whose box may flicker."""

PATH_STEP: Final = 0.05
"""Share of the frame's diagonal that makes a new path point."""

CLEARLY_BETTER: Final = 0.05
"""How much higher a score must be to make a better picture."""

CLEARLY_LARGER: Final = 1.1
"""How much larger a box must be to make a better picture."""

TELLING: Final = {"person": "face", "car": "license_plate", "motorcycle": "license_plate"}
"""The attribute that decides which picture of an object is best, by label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the tracker waits, in processed frames."""

    min_initialized: int
    """Hits before an object exists."""
    max_disappeared: int
    """Frames without a hit before it ends."""
    stationary_threshold: int
    """Motionless frames after which it is stationary."""


def patience(detect: Detect) -> Patience:
    """The tracker's patience for one camera: half a second, five seconds and ten seconds unless configured."""
    return Patience(
        min_initialized=max(1, detect.fps // 2 if detect.min_initialized is None else detect.min_initialized),
        max_disappeared=detect.fps * 5 if detect.max_disappeared is None else detect.max_disappeared,
        stationary_threshold=detect.fps * 10 if detect.stationary_threshold is None else detect.stationary_threshold,
    )


def remember(scores: tuple[float, ...], score: float) -> tuple[float, ...]:
    """The newest ten scores, oldest first, `score` the last of them."""
    return (*scores, score)[-SCORES_KEPT:]


def computed_score(scores: tuple[float, ...]) -> float:
    """The median of the remembered scores; a miss counts as 0."""
    return median(scores) if scores else MISS


def object_filter(camera: Camera, label: str) -> ObjectFilter:
    return camera.objects.filters.get(label, ObjectFilter())


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Where an object has been of late, and how often it left its place."""

    places: tuple[Box, ...]
    """Its boxes since it last moved, the newest ten."""
    motionless_count: int = 0
    position_changes: int = 0


def move(movement: Movement, box: Box, *, stationary_threshold: int) -> Movement:
    """What one more box says.

    The first move counts as a position change; after that only a move out of standing still does.
    """
    stationary = movement.motionless_count > stationary_threshold
    if not _left(movement.places, box, LEAVING if stationary else MOVING):
        return Movement(
            places=(*movement.places, box)[-PLACES_KEPT:],
            motionless_count=movement.motionless_count + 1,
            position_changes=movement.position_changes,
        )
    counts = stationary or movement.position_changes == 0
    return Movement(places=(box,), position_changes=movement.position_changes + int(counts))


def _left(places: tuple[Box, ...], box: Box, least: float) -> bool:
    """Compares with the mean box first, then with the median, which one wild box does not bend."""
    overlap = iou(_middle(places, mean), box)
    if overlap < GONE_ELSEWHERE:
        return True
    return overlap < least and iou(_middle(places, median), box) < least


def _middle(boxes: tuple[Box, ...], middle: Callable[[list[int]], float]) -> Box:
    return Box(
        round(middle([box.x1 for box in boxes])),
        round(middle([box.y1 for box in boxes])),
        round(middle([box.x2 for box in boxes])),
        round(middle([box.y2 for box in boxes])),
    )


def follow(path: tuple[PathPoint, ...], box: Box, *, time: Instant, width: int, height: int) -> tuple[PathPoint, ...]:
    """The path with the box's bottom centre, where that is far enough from the last point.

    The first and the second point are always taken; `width` and `height` are the frame's, in pixels.
    """
    point = PathPoint(round((box.x1 + box.x2) / 2 / width, 4), round(box.y2 / height, 4), time)
    step = PATH_STEP * hypot(width, height) / max(width, height)
    if len(path) > 1 and dist((path[-1].x, path[-1].y), (point.x, point.y)) < step:
        return path
    return (*path, point)


def better_picture(label: str, new: BestFrame, best: BestFrame, *, width: int, height: int) -> bool:
    """Whether a frame shows an object of this label better than the best one so far; the first rule that decides, decides.

    A larger face (or licence plate) wins, and one that is there is kept; a box cut by the frame's edge loses against
    a whole one; then a clearly higher score or a clearly larger box wins.
    """
    if attribute := TELLING.get(label):
        now, before = _largest(new.attributes, attribute), _largest(best.attributes, attribute)
        if now > before:
            return True
        if before:
            return False
    if _on_edge(new.box, width, height) and not _on_edge(best.box, width, height):
        return False
    return new.score > best.score + CLEARLY_BETTER or new.area > best.area * CLEARLY_LARGER


def _largest(attributes: Iterable[Attribute], label: str) -> int:
    return max((area(attribute.box) for attribute in attributes if attribute.label == label), default=0)


def _on_edge(box: Box, width: int, height: int) -> bool:
    return box.x1 <= 0 or box.y1 <= 0 or box.x2 >= width - 1 or box.y2 >= height - 1


def max_severity(camera: Camera, label: str, entered_zones: tuple[str, ...]) -> Severity | None:
    """Whether an object of this label, having been in these zones, makes an alert, a detection, or neither."""
    review = camera.review
    if label in review.alerts_labels and _entered(review.alerts_required_zones, entered_zones):
        return Severity.ALERT
    wanted = not review.detections_labels or label in review.detections_labels
    if wanted and _entered(review.detections_required_zones, entered_zones):
        return Severity.DETECTION
    return None


def has_snapshot(camera: Camera, entered_zones: tuple[str, ...]) -> bool:
    """Whether the camera keeps the whole frame of a true positive that has moved."""
    return camera.snapshots.enabled and _entered(camera.snapshots.required_zones, entered_zones)


def has_clip(camera: Camera, severity: Severity | None) -> bool:
    """Whether the camera keeps the recordings of a true positive that has moved."""
    return camera.record.enabled and severity is not None


def _entered(required: tuple[str, ...], entered: tuple[str, ...]) -> bool:
    return not required or not set(required).isdisjoint(entered)
