"""Every message, in the order in which data meets them. The fields' meanings and units stand in `schemas/avro`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from streams.domain.values import (
    Attribute,
    BestFrame,
    Box,
    CropSource,
    Detection,
    Facts,
    FrameRef,
    Instant,
    Outcome,
    PathPoint,
    Phase,
    PictureSet,
    Reason,
    Segment,
    Severity,
    Source,
    Vector,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(ABC):
    """What travels on a topic: one record class per topic."""

    @property
    @abstractmethod
    def key(self) -> str:
        """The record's key: messages of one key are handled strictly in order."""

    @property
    @abstractmethod
    def time(self) -> Instant:
        """When it happened (event time, not processing time)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone(Message):
    """A record with a null value: what `of` said about this key is deleted."""

    of: type[Message]
    name: str
    at: Instant = 0

    @property
    def key(self) -> str:
        return self.name

    @property
    def time(self) -> Instant:
        return self.at


def record_class(message: Message) -> type[Message]:
    """What lies on the message's topic: its own class, or the class of what a tombstone deletes."""
    return message.of if isinstance(message, Tombstone) else type(message)


# ---- events: what the camera system says about one object


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Message):
    """Topic `events`, key object id: upstream's message about a tracked object."""

    object_id: str
    camera: str
    source: Source = Source.OBJECT
    phase: Phase = Phase.UPDATE
    label: str
    sub_label: str | None = None
    sub_label_score: float | None = None
    frame: FrameRef | None = None
    frame_time: Instant
    start_time: Instant
    end_time: Instant | None = None
    score: float = 0.0
    top_score: float = 0.0
    false_positive: bool = False
    box: Box | None = None
    area: int = 0
    ratio: float = 0.0
    region: Box | None = None
    active: bool = True
    stationary: bool = False
    motionless_count: int = 0
    position_changes: int = 0
    current_zones: tuple[str, ...] = ()
    entered_zones: tuple[str, ...] = ()
    has_clip: bool = False
    has_snapshot: bool = False
    attributes: dict[str, float] = field(default_factory=dict)
    current_attributes: tuple[Attribute, ...] = ()
    pending_loitering: bool = False
    max_severity: Severity | None = None
    current_estimated_speed: float = 0.0
    average_estimated_speed: float = 0.0
    velocity_angle: float = 0.0
    path_data: tuple[PathPoint, ...] = ()
    recognized_license_plate: str | None = None
    recognized_license_plate_score: float | None = None
    best: BestFrame | None = None
    thumbnail: FrameRef | None = None
    snapshot: FrameRef | None = None

    @property
    def key(self) -> str:
        return self.object_id

    @property
    def time(self) -> Instant:
        return self.frame_time


# ---- detections and recordings: what the camera saw, and how far its recordings reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections(Message):
    """Topic `detections`, key camera: everything a camera saw in one frame."""

    camera: str
    frame: FrameRef | None = None
    frame_time: Instant
    objects: tuple[Detection, ...] = ()
    motion_boxes: tuple[Box, ...] = ()
    regions: tuple[Box, ...] = ()

    @property
    def key(self) -> str:
        return self.camera

    @property
    def time(self) -> Instant:
        return self.frame_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Recordings(Message):
    """Topic `recordings`, key camera: how far a camera's recordings reach, and which segments are new."""

    camera: str
    at: Instant
    available_through: Instant | None = None
    segments: tuple[Segment, ...] = ()

    @property
    def key(self) -> str:
        return self.camera

    @property
    def time(self) -> Instant:
        return self.at


# ---- crops and sightings: what `track` passes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop(Message):
    """Topic `crops`, key object id: the object's own picture out of one frame. Without a picture: the object's end."""

    object_id: str
    camera: str
    label: str
    frame_time: Instant
    picture: FrameRef | None = None
    box: Box | None = None
    """The object inside the picture."""
    frame_box: Box | None = None
    """The picture inside the frame."""
    frame_width: int = 0
    frame_height: int = 0
    mask: str = ""
    attributes: tuple[Attribute, ...] = ()
    attempt: int = 0
    source: CropSource = CropSource.DETECT
    ended: bool = False

    @property
    def key(self) -> str:
        return self.object_id

    @property
    def time(self) -> Instant:
        return self.frame_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting(Message):
    """Topic `sightings`, key object id: something that matters changed."""

    object_id: str
    reason: Reason
    facts: Facts
    pictures: PictureSet = PictureSet()
    updates: int = 0
    """Significant updates so far (moving true positives)."""
    outcome: Outcome = Outcome.OPEN

    @property
    def key(self) -> str:
        return self.object_id

    @property
    def time(self) -> Instant:
        return self.facts.frame_time


# ---- objects: everything known about one object


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord(Message):
    """Topic `objects`, key object id: the merged record, compacted, one current version per object."""

    object_id: str
    revision: int
    """µs, strictly growing per object; a lower one never replaces a higher one."""
    facts: Facts
    pictures: PictureSet = PictureSet()
    updates: int = 0
    outcome: Outcome = Outcome.OPEN
    description: str | None = None

    @property
    def key(self) -> str:
        return self.object_id

    @property
    def time(self) -> Instant:
        return self.facts.frame_time


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedObjectUpdate(Message):
    """Topic `tracked-object-updates`, key object id: Frigate's shape of the same name, plus the reason."""

    type: str
    """`object` for changes of the record itself; the kinds of findings follow with their recognisers."""
    id: str
    camera: str
    timestamp: Instant
    reason: Reason
    revision: int
    label: str | None = None
    sub_label: str | None = None
    score: float | None = None
    zones: tuple[str, ...] = ()
    outcome: Outcome = Outcome.OPEN

    @property
    def key(self) -> str:
        return self.id

    @property
    def time(self) -> Instant:
        return self.timestamp


# ---- documents: exactly what the index holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Message):
    """Topic `documents-<model>`, key object id: an object record plus its vectors."""

    record: ObjectRecord
    thumbnail: Vector | None = None
    description: Vector | None = None

    @property
    def key(self) -> str:
        return self.record.object_id

    @property
    def time(self) -> Instant:
        return self.record.time
