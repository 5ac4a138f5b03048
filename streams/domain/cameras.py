"""The configuration of one camera, sent on the compacted topic `cameras`, and the checks between its settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from streams.domain.messages import Message
from streams.domain.values import Instant


class CameraType(StrEnum):
    GENERIC = "generic"
    LPR = "lpr"


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticSearch:
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceRecognition:
    enabled: bool = False
    min_area: int = 750


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateRecognition:
    enabled: bool = False
    expire_time: float = 3.0
    min_area: int = 1000
    enhancement: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTranscription:
    enabled: bool = False
    live_enabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTriggers:
    tracked_object_end: bool = True
    after_significant_updates: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptions:
    """The camera's `genai` block."""

    enabled: bool = False
    use_snapshot: bool = False
    prompt: str | None = None
    object_prompts: dict[str, str] = field(default_factory=dict)
    objects: tuple[str, ...] = ()
    required_zones: tuple[str, ...] = ()
    debug_save_thumbnails: bool = False
    send_triggers: SendTriggers = SendTriggers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detect:
    """Detection: frames per second, frame size in pixels, and the tracker's patience in frames (None: from fps)."""

    fps: int = 5
    width: int = 1280
    height: int = 720
    min_initialized: int | None = None
    max_disappeared: int | None = None
    stationary_threshold: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    enabled: bool = False
    clean_copy: bool = True
    bounding_box: bool = True
    crop: bool = False
    timestamp: bool = False
    height: int | None = None
    quality: int = 70
    required_zones: tuple[str, ...] = ()
    retain_days: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Seconds of recording kept before and after a review item."""

    pre_capture: int = 5
    post_capture: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    enabled: bool = False
    alerts: Capture = Capture()
    detections: Capture = Capture()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFilter:
    threshold: float = 0.7
    min_score: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedObjects:
    track: tuple[str, ...] = ("person",)
    filters: dict[str, ObjectFilter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Which labels and zones make an alert or a detection; no labels for detections: all of them."""

    alerts_labels: tuple[str, ...] = ("person", "car")
    alerts_required_zones: tuple[str, ...] = ()
    detections_labels: tuple[str, ...] = ()
    detections_required_zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera(Message):
    """Topic `cameras`, key camera: one camera's configuration. Never heard of: all defaults; tombstone: removed."""

    name: str
    at: Instant = 0
    type: CameraType = CameraType.GENERIC
    enabled: bool = True
    zones: tuple[str, ...] = ()
    semantic_search: SemanticSearch = SemanticSearch()
    face_recognition: FaceRecognition = FaceRecognition()
    lpr: PlateRecognition = PlateRecognition()
    audio_enabled: bool = False
    audio_transcription: AudioTranscription = AudioTranscription()
    genai: Descriptions = Descriptions()
    detect: Detect = Detect()
    snapshots: Snapshots = Snapshots()
    record: Record = Record()
    objects: TrackedObjects = TrackedObjects()
    review: Review = Review()
    motion_mask: str = ""

    @property
    def key(self) -> str:
        return self.name

    @property
    def time(self) -> Instant:
        return self.at
