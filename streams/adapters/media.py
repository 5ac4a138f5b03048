"""Videos, read by PyAV: how long they are, and their frames with times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from streams.domain.errors import Poison
from streams.ports import Image

USUAL_RATE = 25
"""Frames per second of a video that does not say (PAL's, and most cameras')."""


def duration(path: Path) -> float | None:
    """How long a video is, seconds; None where its container does not say. Raises `Poison` (`bad video`)."""
    with opened(path) as (container, _):
        return container.duration / av.time_base if container.duration else None


def read_frames(path: Path) -> Iterator[tuple[float, Image]]:
    """The frames of a video (BGR) with their times in seconds since its first frame, which never run backwards.

    Damaged frames are left out. Raises `Poison` (`bad video`) when it cannot be opened or has no frame at all.
    """
    with opened(path) as (container, stream):
        for seconds, frame in timed_frames(container, stream):
            yield seconds, np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)


def timed_frames(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float, av.VideoFrame]]:
    """The frames of an open video, as `read_frames` gives them, not yet converted."""
    step = 1 / float(stream.average_rate or USUAL_RATE)
    origin: float | None = None
    seconds = 0.0
    for frame in _decoded(container, stream):
        at = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
        if origin is None:
            origin = at or 0.0
        else:
            seconds = seconds + step if at is None else max(seconds, at - origin)
        yield seconds, frame
    if origin is None:
        raise Poison("bad video", f"{container.name} has no frame that can be decoded")


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """An open video and its first picture stream. Raises `Poison` (`bad video`), also for what is found out later."""
    try:
        with av.open(path, metadata_errors="ignore") as container:
            if not container.streams.video:
                raise Poison("bad video", f"{path} has no picture")
            yield container, container.streams.video[0]
    except (av.FFmpegError, OSError) as error:
        raise Poison("bad video", f"{path} cannot be read: {error}") from error


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            continue
