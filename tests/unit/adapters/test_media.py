"""Videos give frames with times and recordings; bad files are named, damaged frames are left out."""

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from streams.adapters.media import duration, read_frames
from streams.adapters.segments import split
from streams.domain.errors import Poison
from streams.files import shipped

BIKES = shipped("infra", "demo", "bikes.mp4")
RATE = 10


def grey(level: int, size: tuple[int, int]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((*size, 3), level, np.uint8), format="bgr24")


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """Makes a video of grey frames, each ten levels lighter than the one before."""

    def make(
        name: str = "film.mp4", *, codec: str = "libx264", frames: int = 20, sound: str = "", size=(48, 64)
    ) -> Path:
        path = tmp_path / name
        with av.open(path, "w") as output:
            video = output.add_stream(codec, rate=RATE, options={"g": "10", "bf": "0"})
            video.height, video.width = size
            video.pix_fmt = "yuv420p"
            audio = output.add_stream(sound, rate=8000) if sound else None
            for number in range(frames):
                output.mux(video.encode(grey(number * 10, size)))
                if audio is not None:
                    silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
                    silence.sample_rate, silence.pts, silence.time_base = 8000, number * 800, Fraction(1, 8000)
                    output.mux(audio.encode(silence))
            for stream in filter(None, (video, audio)):
                output.mux(stream.encode(None))
        return path

    return make


def played(data: bytes, path: Path) -> list[tuple[float, int]]:
    """Times and levels of a recording."""
    path.write_bytes(data)
    return [(seconds, round(float(picture.mean()))) for seconds, picture in read_frames(path)]


def test_a_real_video_gives_its_frames_with_times() -> None:
    frames = read_frames(BIKES)
    seconds, picture = next(frames)

    assert (seconds, picture.shape, picture.dtype) == (0.0, (272, 640, 3), np.uint8)
    assert next(frames)[0] == pytest.approx(0.04)
    assert duration(BIKES) == pytest.approx(10.0)


def test_frames_come_in_order_with_growing_times(film) -> None:
    frames = [(seconds, round(float(picture.mean()))) for seconds, picture in read_frames(film())]

    assert [seconds for seconds, _ in frames] == pytest.approx([number / RATE for number in range(20)])
    assert all(abs(level - number * 10) <= 6 for number, (_, level) in enumerate(frames))


def test_a_video_can_be_read_again_and_left_early(film) -> None:
    path = film()
    for _ in range(3):
        frames = read_frames(path)
        assert next(frames)[0] == 0.0
        frames.close()


def test_recordings_begin_at_key_frames_and_hold_every_frame_once(film, tmp_path) -> None:
    parts = list(split(film(frames=25), seconds=0.8))

    assert [(part.start, part.end) for part in parts] == [
        (0.0, pytest.approx(1.0)),
        (pytest.approx(1.0), pytest.approx(2.0)),
        (pytest.approx(2.0), pytest.approx(2.5)),
    ]
    contents = [played(part.data, tmp_path / "part.mp4") for part in parts]
    assert [len(frames) for frames in contents] == [10, 10, 5]
    assert all(frames[0][0] == 0.0 for frames in contents)
    assert abs(contents[1][0][1] - 100) <= 6


def test_recordings_of_a_real_video_follow_each_other_without_gaps() -> None:
    parts = list(split(BIKES, seconds=2))

    assert len(parts) == 5
    assert all(one.end == other.start for one, other in pairwise(parts))
    assert (parts[0].start, parts[-1].end) == (0.0, pytest.approx(10.0))
    assert not any(part.has_audio for part in parts)


@pytest.mark.parametrize(("sound", "kept"), [("aac", True), ("pcm_s16le", False)])
def test_sound_goes_along_where_mp4_can_hold_it(film, sound, kept) -> None:
    parts = list(split(film("film.mkv", sound=sound), seconds=1))

    assert [part.has_audio for part in parts] == [kept, kept]


def test_a_picture_that_mp4_cannot_hold_is_encoded_anew(film, tmp_path) -> None:
    parts = list(split(film("film.avi", codec="msmpeg4"), seconds=1))

    assert [(part.start, part.end) for part in parts] == [
        (0.0, pytest.approx(1.0)),
        (pytest.approx(1.0), pytest.approx(2.0)),
    ]
    frames = played(parts[1].data, tmp_path / "part.mp4")
    assert [seconds for seconds, _ in frames] == pytest.approx([number / RATE for number in range(10)], abs=1e-3)
    assert abs(frames[0][1] - 100) <= 6


def test_damaged_frames_are_left_out(film) -> None:
    path = film(frames=20)
    data = bytearray(path.read_bytes())
    with av.open(path) as container:
        fifth = list(container.demux())[4]
    data[fifth.pos : fifth.pos + fifth.size] = bytes(fifth.size)
    path.write_bytes(data)

    assert len(list(read_frames(path))) == 19


@pytest.mark.parametrize("content", [b"", b"this is no video", bytes(5000)])
def test_a_file_that_is_no_video_is_named(tmp_path, content) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)

    for read in (read_frames, split):
        with pytest.raises(Poison, match=r"bad video: .*notes\.mp4"):
            next(read(path))
    with pytest.raises(Poison, match="bad video"):
        duration(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path) -> None:
    for path in (tmp_path / "missing.mp4", tmp_path):
        with pytest.raises(Poison, match=f"bad video: {path}"):
            next(read_frames(path))


def test_sound_alone_is_no_video(tmp_path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(path, "w") as output:
        audio = output.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        output.mux(audio.encode(silence))
        output.mux(audio.encode(None))

    with pytest.raises(Poison, match="has no picture"):
        next(read_frames(path))


def test_a_truncated_video_is_an_error_or_shorter_never_a_crash(tmp_path) -> None:
    data = BIKES.read_bytes()
    path = tmp_path / "short.mp4"
    path.write_bytes(data[: int(len(data) * 0.5)])

    with suppress(Poison):
        assert len(list(read_frames(path))) < 250
