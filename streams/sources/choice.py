"""What is chosen for a playback, and how a camera is set by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from streams.domain.cameras import Camera, Detect, ObjectFilter, Record, Snapshots, TrackedObjects
from streams.domain.errors import SettingsError
from streams.domain.tracking import object_filter
from streams.domain.values import Instant
from streams.sources.ssd import LABELS

TRACKED: Final = ("person", "bicycle", "car", "cat", "dog")
"""What a new camera tracks: the things of a street that the shipped detector tells well."""

THRESHOLD: Final = 0.4
"""The score of a true positive, for the shipped detector, which gives people, bicycles and cars 0.4 to 0.7."""

MIN_SCORE: Final = 0.3
"""The score from which something counts at all."""

FPS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """None: as the camera is set, or the default for a camera that is not."""

    fps: int | None = None
    """Frames per second that are looked at."""
    threshold: float | None = None
    """The score of a true positive."""
    labels: tuple[str, ...] | None = None
    """What is tracked."""


def new_camera(name: str, choice: Choice, *, at: Instant, size: tuple[int, int]) -> Camera:
    """The settings with which a camera is announced that nobody has set yet; `size` is its frames' width and height."""
    labels, (width, height) = choice.labels or TRACKED, size
    return Camera(
        name=name,
        at=at,
        detect=Detect(fps=choice.fps or FPS, width=width, height=height),
        objects=TrackedObjects(track=labels, filters=_filters(labels, choice.threshold or THRESHOLD)),
        snapshots=Snapshots(enabled=True),
        record=Record(enabled=True),
    )


def as_chosen(camera: Camera, choice: Choice) -> Camera:
    """A camera's own settings, with what is chosen for this playback alone."""
    objects = camera.objects
    if choice.labels is not None:
        objects = replace(objects, track=choice.labels)
    if choice.threshold is not None:
        objects = replace(objects, filters=_filters(objects.track, choice.threshold))
    return replace(camera, objects=objects, detect=replace(camera.detect, fps=choice.fps or camera.detect.fps))


def least_scores(camera: Camera) -> Mapping[str, float]:
    """What the shipped detector looks for on this camera, and the score from which each counts.

    Labels that it does not know are left out; raises `SettingsError` when none is left, or the camera is off.
    """
    if not camera.enabled:
        raise SettingsError(f"camera {camera.name} is switched off")
    known = {label: object_filter(camera, label).min_score for label in camera.objects.track if label in LABELS[1:]}
    if not known:
        tracked = ", ".join(camera.objects.track) or "nothing"
        raise SettingsError(f"camera {camera.name} tracks {tracked}; the detector knows {', '.join(LABELS[1:])}")
    return known


def _filters(labels: tuple[str, ...], threshold: float) -> dict[str, ObjectFilter]:
    return {label: ObjectFilter(threshold=threshold, min_score=min(MIN_SCORE, threshold)) for label in labels}
