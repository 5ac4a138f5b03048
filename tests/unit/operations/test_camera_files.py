"""Cameras are read from Frigate's YAML: its keys, its shortcuts, and nothing that is silently ignored."""

from __future__ import annotations

import pytest

from streams.domain.cameras import Camera, CameraType, Capture, Detect, ObjectFilter
from streams.domain.errors import SettingsError
from streams.operations.camera_files import read_cameras
from streams.operations.cameras import faults
from streams.settings import Settings, Switch

FULL = """
cameras:
  porch:
    type: lpr
    enabled: true
    zones:
      steps: {coordinates: "0,0,1,1"}
      path: {coordinates: "0,0,1,1"}
    detect: {fps: 10, width: 640, height: 360, stationary: {threshold: 40}}
    snapshots: {enabled: true, retain: {default: 5}, required_zones: steps}
    record: {enabled: true, alerts: {pre_capture: 7}, detections: {post_capture: 9}}
    objects:
      track: [person, car]
      filters: {person: {threshold: 0.6}, car: {min_score: 0.4}}
    review:
      alerts: {labels: [person], required_zones: [path]}
      detections: {labels: car}
    audio: {enabled: true}
    audio_transcription: {enabled: true, live_enabled: true}
    lpr: {enabled: true, expire_time: 4, min_area: 500, enhancement: 2}
    face_recognition: {enabled: true, min_area: 600}
    genai:
      enabled: true
      required_zones: steps
      object_prompts: {person: "Who is it?"}
      send_triggers: {after_significant_updates: 3}
    motion: {mask: "0,0,100,100"}
  yard:
"""


@pytest.fixture
def read(tmp_path):
    def reading(text: str):
        file = tmp_path / "cameras.yaml"
        file.write_text(text)
        return read_cameras(file, 5)

    return reading


def test_every_key_of_frigate_finds_its_place(read):
    porch, yard = read(FULL)
    assert (porch.name, porch.at, porch.type, porch.zones) == ("porch", 5, CameraType.LPR, ("steps", "path"))
    assert porch.detect == Detect(fps=10, width=640, height=360, stationary_threshold=40)
    assert (porch.snapshots.retain_days, porch.snapshots.required_zones) == (5, ("steps",))
    assert (porch.record.alerts, porch.record.detections) == (Capture(pre_capture=7), Capture(post_capture=9))
    assert porch.objects.filters == {"person": ObjectFilter(threshold=0.6), "car": ObjectFilter(min_score=0.4)}
    assert (porch.review.alerts_labels, porch.review.alerts_required_zones) == (("person",), ("path",))
    assert porch.review.detections_labels == ("car",)
    assert (porch.audio_enabled, porch.audio_transcription.live_enabled) == (True, True)
    assert (porch.lpr.expire_time, porch.lpr.enhancement) == (4, 2)
    assert porch.genai.object_prompts == {"person": "Who is it?"}
    assert porch.genai.send_triggers.after_significant_updates == 3
    assert porch.motion_mask == "0,0,100,100"
    assert yard == Camera(name="yard", at=5)


def test_one_camera_stands_alone_with_its_name(read):
    assert read("name: porch\ndetect:\n  fps: 7\n") == (Camera(name="porch", at=5, detect=Detect(fps=7)),)


def test_a_single_zone_stands_for_a_list_of_one(read):
    (camera,) = read("name: porch\nzones: [steps]\ngenai: {required_zones: steps}")
    assert camera.genai.required_zones == ("steps",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: p\nbogus: 1", "camera p: bogus: no such setting (known here: audio, "),
        (
            "name: p\ndetect: {fsp: 1}",
            "camera p: detect.fsp: no such setting (did you mean fps? known here: fps, height,",
        ),
        ("name: p\ndetect: {stationary: {x: 1}}", "detect.stationary.x: no such setting (known here: threshold)"),
        ("name: p\naudio_enabled: true", "audio_enabled: no such setting"),
        ("name: p\nat: 7", "camera p: at: no such setting"),
        ("name: p\ngenai: {bogus: 1}", "genai.bogus: no such setting"),
        ("name: p\ndetect: {fps: quick}", "camera p: Expected `int`, got `str` - at `detect.fps`"),
        ("name: p\ntype: round", "Invalid enum value 'round'"),
        ("name: p\ndetect: 5", "detect: expected settings below it: fps, height,"),
        ("detect: {fps: 5}", "name: a camera needs one"),
        ("name: 5", "name: a camera needs one"),
        ("cameras: {p: 5}", "camera p: expected `key: value` lines"),
        ("cameras: [p]", "expected either one camera with its `name`, or `cameras` alone"),
        ("cameras: {p: {}}\nmqtt: {}", "expected either one camera with its `name`, or `cameras` alone"),
        ("- p", "expected the settings of a camera"),
        ("", "expected the settings of a camera"),
        ("name: [", "is not YAML"),
    ],
)
def test_what_is_wrong_is_named(read, text, words):
    with pytest.raises(SettingsError) as refused:
        read(text)
    assert words in str(refused.value)


def test_every_unknown_key_is_named_at_once(read):
    with pytest.raises(SettingsError) as refused:
        read("name: p\na: 1\nb: {c: 2}")
    assert str(refused.value).count("no such setting") == 2


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"no settings file at .*none\.yaml"):
        read_cameras(tmp_path / "none.yaml", 0)


def test_faults_between_settings_name_the_camera(read):
    cameras = read("cameras: {porch: {lpr: {enabled: true}, zones: [yard]}, yard: {}}")
    assert faults(cameras, cameras, Settings(face=Switch(enabled=True))) == [
        "camera porch: lpr.enabled: true, but plate.enabled is false in the settings",
        "camera porch: zones: 'yard' is the name of a camera",
        "camera yard: name: 'yard' is the name of a zone of camera 'porch'",
    ]
