"""`nvr-streams play` as people type it, where it says no; what it plays is seen against the real broker."""

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from streams.cli import program

NOBODY = "127.0.0.1:1"


@pytest.fixture
def run(tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text(f"kafka: {{bootstrap: '{NOBODY}'}}\nstore: {{url: 'file:{tmp_path}/store'}}")
    return lambda *words: CliRunner().invoke(program(), ["--config", str(config), "play", *map(str, words)])


def refused(result, *words):
    assert result.exit_code == 1, result.output
    assert len(result.stderr.splitlines()) == 1
    assert all(word in result.stderr for word in ("error: ", *words))


def wrong(result, *words):
    assert result.exit_code == 2, result.output
    assert all(word in result.stderr for word in words)


def test_help_names_what_can_be_chosen(run):
    result = run("--help")
    assert result.exit_code == 0
    for option in ("--camera", "--speed", "--loop", "--fps", "--threshold", "--label", "--start", "--json"):
        assert option in result.stdout


def test_a_video_must_be_named(run):
    wrong(run(), "Missing argument", "VIDEO")


@pytest.mark.parametrize("choice", [("--speed", "-1"), ("--fps", "0"), ("--threshold", "1.5"), ("--fps", "many")])
def test_what_cannot_be_chosen_is_wrong_use(run, choice):
    wrong(run("a.mp4", *choice), choice[0])


@pytest.mark.parametrize("name", ["", "front door", "../yard", "x" * 65])
def test_a_camera_has_a_plain_name(run, name):
    wrong(run("a.mp4", "--camera", name), "is no name of a camera")


def test_a_start_is_a_time(run):
    wrong(run("a.mp4", "--start", "tomorrow"), "is no time")


def test_a_missing_file_is_named(run, tmp_path):
    refused(run(tmp_path / "gone.mp4"), "gone.mp4: no such file or folder")


def test_an_empty_folder_is_named(run, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(run(tmp_path / "empty"), "empty: no videos and no pictures in this folder")


def test_a_file_that_is_no_video_is_named(run, tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    refused(run(tmp_path / "notes.mp4"), "bad video", "notes.mp4")


def test_a_video_without_frames_is_named(run, tmp_path):
    (tmp_path / "empty.mp4").touch()
    refused(run(tmp_path / "empty.mp4"), "bad video", "empty.mp4")


def test_a_picture_that_is_none_is_named(run, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    refused(run(tmp_path / "bad.jpg"), "bad picture", "bad.jpg")


def test_without_a_broker_it_says_so(run, tmp_path, monkeypatch):
    monkeypatch.setattr("streams.operations.reading.ANSWER_SECONDS", 0.3)
    cv2.imwrite(str(tmp_path / "shot.jpg"), np.zeros((20, 20, 3), np.uint8))
    refused(run(tmp_path / "shot.jpg"), f"no broker answers at {NOBODY}")
