import pytest

from streams.domain.cameras import (
    AudioTranscription,
    Camera,
    Capture,
    Descriptions,
    Detect,
    FaceRecognition,
    ObjectFilter,
    PlateRecognition,
    Record,
    Review,
    SendTriggers,
    Snapshots,
    TrackedObjects,
)
from streams.domain.cross_checks import Switches, check

OFF = Switches()


def problems(switches: Switches = OFF, cameras: tuple[Camera, ...] = (), **parts) -> list[str]:
    return check(Camera(name="porch", **parts), switches=switches, cameras=cameras)


def test_a_camera_of_defaults_has_no_problems():
    assert problems() == []


def test_face_recognition_needs_the_switch_of_the_installation():
    wanted = {"face_recognition": FaceRecognition(enabled=True)}
    assert problems(**wanted) == ["face_recognition.enabled: true, but face.enabled is false in the settings"]
    assert problems(Switches(face=True), **wanted) == []


def test_plates_need_the_switch_of_the_installation():
    wanted = {"lpr": PlateRecognition(enabled=True)}
    assert problems(**wanted) == ["lpr.enabled: true, but plate.enabled is false in the settings"]
    assert problems(Switches(plate=True), **wanted) == []


def test_transcription_for_all_needs_one_camera_with_audio():
    on = Switches(transcription=True)
    assert problems(on) == ["audio.enabled: false on every camera, but transcription.enabled is true in the settings"]
    assert problems(on, audio_enabled=True) == []
    assert problems(on, (Camera(name="yard", audio_enabled=True),)) == []


def test_the_camera_itself_counts_as_it_is_put_and_not_as_it_was():
    before = Camera(name="porch", audio_enabled=True)
    assert len(problems(Switches(transcription=True), (before,))) == 1


def test_transcription_on_one_camera_needs_its_own_audio():
    wanted = {"audio_transcription": AudioTranscription(enabled=True)}
    assert problems(**wanted) == ["audio_transcription.enabled: true, but audio.enabled is false on this camera"]
    assert problems(audio_enabled=True, **wanted) == []


def test_no_zone_has_the_name_of_a_camera():
    yard = Camera(name="yard")
    assert problems(zones=("porch",)) == ["zones: 'porch' is the name of a camera"]
    assert problems(cameras=(yard,), zones=("street", "yard")) == ["zones: 'yard' is the name of a camera"]


def test_no_camera_has_the_name_of_another_ones_zone():
    yard = Camera(name="yard", zones=("porch",))
    assert problems(cameras=(yard,)) == ["name: 'porch' is the name of a zone of camera 'yard'"]


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("review.alerts.required_zones", {"review": Review(alerts_required_zones=("street",))}),
        ("review.detections.required_zones", {"review": Review(detections_required_zones=("street",))}),
        ("genai.required_zones", {"genai": Descriptions(required_zones=("street",))}),
        ("snapshots.required_zones", {"snapshots": Snapshots(required_zones=("street",))}),
    ],
)
def test_required_zones_are_zones_of_the_camera(key, parts):
    assert problems(**parts) == [f"{key}: 'street' is no zone of this camera, which has no zones"]
    assert problems(zones=("lawn",), **parts) == [f"{key}: 'street' is no zone of this camera, which has lawn"]
    assert problems(zones=("street",), **parts) == []


@pytest.mark.parametrize(
    ("problem", "parts"),
    [
        ("face_recognition.min_area: -1, expected at least 0", {"face_recognition": FaceRecognition(min_area=-1)}),
        ("lpr.min_area: -1, expected at least 0", {"lpr": PlateRecognition(min_area=-1)}),
        ("lpr.enhancement: 11, expected at least 0 and at most 10", {"lpr": PlateRecognition(enhancement=11)}),
        ("lpr.expire_time: 0.0, expected more than 0", {"lpr": PlateRecognition(expire_time=0.0)}),
        ("detect.fps: 0, expected at least 1", {"detect": Detect(fps=0)}),
        ("snapshots.quality: 101, expected at least 0 and at most 100", {"snapshots": Snapshots(quality=101)}),
        (
            "record.alerts.pre_capture: 61, expected at least 0 and at most 60",
            {"record": Record(alerts=Capture(pre_capture=61))},
        ),
        (
            "record.detections.post_capture: 61, expected at least 0 and at most 60",
            {"record": Record(detections=Capture(post_capture=61))},
        ),
        (
            "genai.send_triggers.after_significant_updates: 11, expected at least 1 and at most 10",
            {"genai": Descriptions(send_triggers=SendTriggers(after_significant_updates=11))},
        ),
        (
            "objects.filters.dog.threshold: 0, expected more than 0 and at most 1",
            {"objects": TrackedObjects(filters={"dog": ObjectFilter(threshold=0)})},
        ),
        (
            "objects.filters.dog.min_score: nan, expected more than 0 and at most 1",
            {"objects": TrackedObjects(filters={"dog": ObjectFilter(min_score=float("nan"))})},
        ),
    ],
)
def test_numbers_out_of_range_are_named_with_what_is_allowed(problem, parts):
    assert problems(**parts) == [problem]


def test_every_problem_is_told_at_once():
    assert len(problems(zones=("porch",), lpr=PlateRecognition(enabled=True, enhancement=-1, expire_time=-3))) == 4
