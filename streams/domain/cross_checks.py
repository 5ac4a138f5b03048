"""What must fit together in a camera's settings, and between cameras and the installation's switches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

from streams.domain.cameras import Camera

LONGEST_CAPTURE: Final = 60
"""Seconds of recording that may be kept before or after a review item."""

MOST_UPDATES: Final = 10
"""Significant updates that a trigger may wait for: no more thumbnails are ever kept."""

MOST_ENHANCEMENT: Final = 10
MOST_QUALITY: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What is switched on for the whole installation."""

    face: bool = False
    plate: bool = False
    transcription: bool = False


def check(camera: Camera, *, switches: Switches, cameras: Iterable[Camera] = ()) -> list[str]:
    """What is wrong with a camera's settings beside those of the other cameras, one clear line each; empty: nothing."""
    others = tuple(other for other in cameras if other.name != camera.name)
    return [
        *_switched_off(camera, switches),
        *_transcription(camera, switches, others),
        *_zone_names(camera, others),
        *_required_zones(camera),
        *_ranges(camera),
    ]


def _switched_off(camera: Camera, switches: Switches) -> Iterator[str]:
    if camera.face_recognition.enabled and not switches.face:
        yield "face_recognition.enabled: true, but face.enabled is false in the settings"
    if camera.lpr.enabled and not switches.plate:
        yield "lpr.enabled: true, but plate.enabled is false in the settings"


def _transcription(camera: Camera, switches: Switches, others: tuple[Camera, ...]) -> Iterator[str]:
    if switches.transcription:
        if not any(each.audio_enabled for each in (camera, *others)):
            yield "audio.enabled: false on every camera, but transcription.enabled is true in the settings"
    elif camera.audio_transcription.enabled and not camera.audio_enabled:
        yield "audio_transcription.enabled: true, but audio.enabled is false on this camera"


def _zone_names(camera: Camera, others: tuple[Camera, ...]) -> Iterator[str]:
    names = {camera.name, *(other.name for other in others)}
    for zone in camera.zones:
        if zone in names:
            yield f"zones: {zone!r} is the name of a camera"
    for other in others:
        if camera.name in other.zones:
            yield f"name: {camera.name!r} is the name of a zone of camera {other.name!r}"


def _required_zones(camera: Camera) -> Iterator[str]:
    required = {
        "review.alerts.required_zones": camera.review.alerts_required_zones,
        "review.detections.required_zones": camera.review.detections_required_zones,
        "genai.required_zones": camera.genai.required_zones,
        "snapshots.required_zones": camera.snapshots.required_zones,
    }
    for key, zones in required.items():
        for zone in zones:
            if zone not in camera.zones:
                known = ", ".join(camera.zones) or "no zones"
                yield f"{key}: {zone!r} is no zone of this camera, which has {known}"


def _ranges(camera: Camera) -> Iterator[str]:
    yield from _recogniser_ranges(camera)
    yield from _picture_ranges(camera)
    for kind, capture in (("alerts", camera.record.alerts), ("detections", camera.record.detections)):
        yield from _within(f"record.{kind}.pre_capture", capture.pre_capture, 0, LONGEST_CAPTURE)
        yield from _within(f"record.{kind}.post_capture", capture.post_capture, 0, LONGEST_CAPTURE)
    for label, limits in camera.objects.filters.items():
        yield from _above(f"objects.filters.{label}.threshold", limits.threshold, 0, 1)
        yield from _above(f"objects.filters.{label}.min_score", limits.min_score, 0, 1)


def _recogniser_ranges(camera: Camera) -> Iterator[str]:
    yield from _within("face_recognition.min_area", camera.face_recognition.min_area, 0)
    yield from _within("lpr.min_area", camera.lpr.min_area, 0)
    yield from _within("lpr.enhancement", camera.lpr.enhancement, 0, MOST_ENHANCEMENT)
    yield from _above("lpr.expire_time", camera.lpr.expire_time, 0)
    updates = camera.genai.send_triggers.after_significant_updates
    if updates is not None:
        yield from _within("genai.send_triggers.after_significant_updates", updates, 1, MOST_UPDATES)


def _picture_ranges(camera: Camera) -> Iterator[str]:
    for key, value in (("fps", camera.detect.fps), ("width", camera.detect.width), ("height", camera.detect.height)):
        yield from _within(f"detect.{key}", value, 1)
    yield from _within("snapshots.quality", camera.snapshots.quality, 0, MOST_QUALITY)
    yield from _within("snapshots.retain.default", camera.snapshots.retain_days, 0)


def _within(key: str, value: float, least: float, most: float = inf) -> Iterator[str]:
    if not least <= value <= most:
        yield f"{key}: {value}, expected {_range(f'at least {least}', most)}"


def _above(key: str, value: float, limit: float, most: float = inf) -> Iterator[str]:
    if not limit < value <= most:
        yield f"{key}: {value}, expected {_range(f'more than {limit}', most)}"


def _range(least: str, most: float) -> str:
    return least if most == inf else f"{least} and at most {most}"
