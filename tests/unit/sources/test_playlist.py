import cv2
import numpy as np
import pytest

from streams.domain.errors import Poison
from streams.sources.clips import Clip
from streams.sources.playlist import frame_size, playlists
from tests.support.outlets import clip


def open_video(path):
    return Clip(name=path.stem, frames=lambda: iter(()))


def listed(*paths, camera=None, fps=5):
    return playlists(paths, camera=camera, fps=fps, open_video=open_video)


def names(found):
    return [(playlist.camera, [clip.name for clip in playlist.clips]) for playlist in found]


@pytest.fixture
def folder(tmp_path):
    for name in ("b.mp4", "a.MKV", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    for number in (2, 10, 1):
        cv2.imwrite(str(tmp_path / f"shot-{number:02}.jpg"), np.full((20, 30, 3), number, np.uint8))
    (tmp_path / "inner.mp4").mkdir()
    return tmp_path


def test_each_video_is_a_camera_called_like_its_file(tmp_path):
    (tmp_path / "front door.mp4").touch()
    (tmp_path / "yard").touch()
    assert names(listed(tmp_path / "front door.mp4", tmp_path / "yard")) == [
        ("front-door", ["front door"]),
        ("yard", ["yard"]),
    ]


def test_a_named_camera_plays_everything_one_after_another(folder):
    assert names(listed(folder, camera="porch")) == [("porch", ["a", "b", folder.name])]


def test_a_folder_gives_its_videos_by_name_and_its_pictures_as_one_clip(folder):
    found = listed(folder)
    assert [playlist.camera for playlist in found][:2] == ["a", "b"]
    (slides,) = found[2].clips
    frames = list(slides.frames())
    assert [round(int(picture[0, 0, 0])) for _, picture in frames] == [1, 2, 10]
    assert [seconds for seconds, _ in frames] == [0, 0.2, 0.4]
    assert slides.seconds == pytest.approx(0.6)
    assert list(slides.recordings()) == []


def test_one_picture_can_be_played_too(folder):
    ((_, [name]),) = names(listed(folder / "shot-10.jpg"))
    assert name == "shot-10"


def test_cameras_of_one_name_are_numbered(tmp_path):
    for inner in ("one", "two"):
        (tmp_path / inner).mkdir()
        (tmp_path / inner / "yard.mp4").touch()
    assert [found.camera for found in listed(tmp_path / "one", tmp_path / "two")] == ["yard", "yard-2"]


def test_a_name_of_signs_only_becomes_camera(tmp_path):
    (tmp_path / "ж&.mp4").touch()
    assert [found.camera for found in listed(tmp_path / "ж&.mp4")] == ["camera"]


def test_what_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4: no such file or folder"):
        listed(tmp_path / "gone.mp4")


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no videos and no pictures in this folder"):
        listed(tmp_path)


def test_the_size_is_that_of_the_frames_as_they_are_played():
    assert frame_size(clip([0])) == (320, 240)
    large = Clip(name="large", frames=lambda: iter([(0.0, np.zeros((1080, 1920, 3), np.uint8))]))
    assert frame_size(large) == (1280, 720)


def test_a_clip_without_frames_is_bad():
    with pytest.raises(Poison, match="bad video: empty has no frames"):
        frame_size(Clip(name="empty", frames=lambda: iter(())))
