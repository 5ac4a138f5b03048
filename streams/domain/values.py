"""The parts that messages are made of. Their meanings and units stand in `schemas/avro` too."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

Instant = int
"""A point in time: microseconds since the Unix epoch (Avro `timestamp-micros`)."""

SECOND: Instant = 1_000_000


@dataclass(frozen=True, slots=True)
class Box:
    """A bounding box in pixels of the camera's detect resolution, origin top left, `x2` and `y2` exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def width(self) -> int:
        return self.x2 - self.x1

    @property
    def height(self) -> int:
        return self.y2 - self.y1


class PixelFormat(StrEnum):
    """How a picture's bytes are to be read; the raw ones need the declared width and height."""

    UNKNOWN = "unknown"
    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    I420 = "i420"
    BGR = "bgr"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRef:
    """A picture in the external store, immutable; the bytes never travel in messages."""

    uri: str
    width: int
    height: int
    format: PixelFormat = PixelFormat.JPEG
    time: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """Something seen on the object in this frame: a face, a licence plate, a parcel carrier."""

    label: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class PathPoint:
    """The bottom centre of the box, relative to the frame (0..1), at a time."""

    x: float
    y: float
    time: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFrame:
    """Upstream's record of the frame that shows the object best (its `snapshot` dictionary)."""

    frame_time: Instant
    box: Box
    area: int
    region: Box | None = None
    score: float
    attributes: tuple[Attribute, ...] = ()
    current_estimated_speed: float = 0.0
    velocity_angle: float = 0.0
    path_data: tuple[PathPoint, ...] = ()
    recognized_license_plate: str | None = None
    recognized_license_plate_score: float | None = None


class Source(StrEnum):
    """What an event speaks of: an object of the tracker, or something that was never tracked."""

    OBJECT = "object"
    MANUAL = "manual"
    AUDIO = "audio"
    PLATE = "plate"


class Phase(StrEnum):
    START = "start"
    UPDATE = "update"
    END = "end"


class Severity(StrEnum):
    DETECTION = "detection"
    ALERT = "alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One tracked object in one frame."""

    object_id: str
    label: str
    score: float
    box: Box
    region: Box | None = None
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One recorded file of a camera, `start` inclusive, `end` exclusive."""

    uri: str
    start: Instant
    end: Instant
    has_audio: bool = False


class CropSource(StrEnum):
    DETECT = "detect"
    RECORDING = "recording"


class Outcome(StrEnum):
    """What became of an object when it ended."""

    OPEN = "open"
    DONE = "done"
    NO_PICTURE = "no_picture"
    FALSE_POSITIVE = "false_positive"
    ABANDONED = "abandoned"


class Reason(StrEnum):
    """What changed enough to be said."""

    SEEN = "seen"
    ZONES = "zones"
    PICTURE = "picture"
    FACTS = "facts"
    ENDED = "ended"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What upstream's tracker says about an object, at its latest event."""

    camera: str
    source: Source = Source.OBJECT
    label: str
    sub_label: str | None = None
    sub_label_score: float | None = None
    start_time: Instant
    end_time: Instant | None = None
    frame_time: Instant
    score: float = 0.0
    top_score: float = 0.0
    box: Box | None = None
    region: Box | None = None
    frame_width: int = 0
    frame_height: int = 0
    zones: tuple[str, ...] = ()
    """Entered zones, in the order of their first entry."""
    attributes: dict[str, float] = field(default_factory=dict)
    has_clip: bool = False
    has_snapshot: bool = False
    max_severity: Severity | None = None
    position_changes: int = 0
    average_estimated_speed: float = 0.0
    velocity_angle: float = 0.0
    path_data: tuple[PathPoint, ...] = ()
    recognized_license_plate: str | None = None
    recognized_license_plate_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSet:
    """References to the pictures of one object."""

    best: FrameRef | None = None
    """The best square picture so far; upstream's own thumbnail where it has one."""
    thumbnails: tuple[FrameRef, ...] = ()
    """At most ten, oldest first: the first for ever, then the newest nine."""
    snapshot: FrameRef | None = None
    """Upstream's picture of the whole frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """An embedding, L2-normalised."""

    values: bytes
    """float32, little-endian, `dim` of them."""
    dim: int
    model: str
