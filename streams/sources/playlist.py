"""Finds what is to be played: videos, and folders of videos and pictures, each for its camera."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

from streams.domain.errors import Poison
from streams.sources.clips import Clip, sample, slide_show

VIDEOS: Final = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm"})
PICTURES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})
"""What is looked for in a folder; a file that is named itself may be called as it likes."""

OpenVideo = Callable[[Path], Clip]


@dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """What one camera plays, one clip after the other."""

    camera: str
    clips: tuple[Clip, ...]


def playlists(paths: Iterable[Path], *, camera: str | None, fps: int, open_video: OpenVideo) -> tuple[Playlist, ...]:
    """One playlist for all of it when `camera` is named, else one camera for each clip, called like the clip.

    The pictures of a folder make one clip, `fps` pictures per second. Raises `FileNotFoundError`.
    """
    clips = [clip for path in paths for clip in _clips(path, fps, open_video)]
    if camera is not None:
        return (Playlist(camera=camera, clips=tuple(clips)),)
    return tuple(Playlist(camera=name, clips=(clip,)) for name, clip in zip(_camera_names(clips), clips, strict=True))


def frame_size(clip: Clip) -> tuple[int, int]:
    """Width and height of the clip's frames as they are played. Raises `Poison` (`bad video`) when it has none."""
    for _, picture in sample(clip.frames(), fps=1):
        return picture.shape[1], picture.shape[0]
    raise Poison("bad video", f"{clip.name} has no frames")


def _clips(path: Path, fps: int, open_video: OpenVideo) -> Iterator[Clip]:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if path.is_file():
        yield _slides(path.stem, [path], fps) if path.suffix.lower() in PICTURES else open_video(path)
        return
    files = sorted(file for file in path.iterdir() if file.is_file())
    videos = [file for file in files if file.suffix.lower() in VIDEOS]
    pictures = [file for file in files if file.suffix.lower() in PICTURES]
    if not videos and not pictures:
        raise FileNotFoundError(f"{path}: no videos and no pictures in this folder")
    yield from map(open_video, videos)
    if pictures:
        yield _slides(path.resolve().name, pictures, fps)


def _slides(name: str, files: Sequence[Path], fps: int) -> Clip:
    return Clip(name=name, frames=partial(slide_show, files, fps), seconds=len(files) / fps)


def _camera_names(clips: Iterable[Clip]) -> Iterator[str]:
    """The clips' names as names of cameras; a number follows where two are the same."""
    taken: set[str] = set()
    for clip in clips:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", clip.name).strip("-") or "camera"
        name = next(name for name in _numbered(plain) if name not in taken)
        taken.add(name)
        yield name


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))
