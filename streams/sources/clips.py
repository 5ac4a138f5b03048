"""What can be played: videos and folders of pictures, as frames with their times, at most a few per second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np

from streams.domain.errors import Poison
from streams.ports import Image

LONGEST: Final = 1280
"""Frames are made smaller until their long side is this, pixels: the usual detect size of a camera system."""

ROUNDING: Final = 0.0005
"""Seconds by which containers round their times."""

TimedFrame = tuple[float, Image]
"""Seconds since the start of the clip, and the picture (BGR)."""


class Cut(Protocol):
    """A part of a recording, as a file of its own."""

    @property
    def start(self) -> float:
        """Seconds since the start of the clip, inclusive."""
        ...

    @property
    def end(self) -> float:
        """Seconds since the start of the clip, exclusive."""
        ...

    @property
    def data(self) -> bytes:
        """The MP4 file."""
        ...

    @property
    def has_audio(self) -> bool: ...


def _nothing() -> Iterator[Cut]:
    return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One video, or one folder of pictures. It can be played again and again."""

    name: str
    frames: Callable[[], Iterator[TimedFrame]]
    """Opens it; raises `Poison` (`bad video`) when it cannot be read."""
    recordings: Callable[[], Iterator[Cut]] = _nothing
    """Its recording, cut into parts; a folder of pictures has none."""
    seconds: float | None = None
    """How long it is, where that is known beforehand."""


def sample(frames: Iterable[TimedFrame], fps: float) -> Iterator[TimedFrame]:
    """At most `fps` frames per second of video, evenly spread, all of the size in which the first one is played.

    Cameras that are set anew in the middle of a recording change its size, which boxes and backgrounds could not follow.
    """
    due = 0.0
    size: tuple[int, int] | None = None
    for seconds, picture in frames:
        if seconds + ROUNDING < due:
            continue
        due = (due if seconds - due < 1 / fps else seconds) + 1 / fps
        size = size or played_size(picture)
        yield seconds, _resized(picture, size)


def played_size(picture: Image) -> tuple[int, int]:
    """Width and height in which a picture is played: its own, or smaller where its long side exceeds `LONGEST`."""
    height, width = picture.shape[:2]
    scale = min(1.0, LONGEST / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _resized(picture: Image, size: tuple[int, int]) -> Image:
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def slide_show(files: Sequence[Path], fps: float) -> Iterator[TimedFrame]:
    """Pictures as frames of a video, `fps` of them per second.

    Raises `Poison` (`bad picture`) naming the file that cannot be read.
    """
    for number, file in enumerate(files):
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if picture is None:
            raise Poison("bad picture", f"{file} cannot be read")
        yield number / fps, np.asarray(picture, dtype=np.uint8)
