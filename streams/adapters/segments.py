"""Cuts a video into recordings: MP4 files of some seconds, as a camera system keeps them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from streams.adapters.media import USUAL_RATE, opened, timed_frames
from streams.domain.errors import Poison

SEGMENT_SECONDS = 10.0
"""How long recordings are, seconds: what camera systems cut theirs to."""

_FORMAT = "mp4"
_PICTURES = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
_SOUNDS = frozenset({"aac", "mp3", "opus", "ac3", "eac3"})
"""What may stay as it is in an MP4 file, so that players can play it."""

_CLOCK = Fraction(1, 90_000)
"""Time base of what is encoded anew: the 90 kHz of MPEG."""

Track = VideoStream | AudioStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """A part of a video as an MP4 file of its own, `start` inclusive, `end` exclusive, in seconds of the video."""

    start: float
    end: float
    data: bytes
    has_audio: bool


def split(path: Path, *, seconds: float = SEGMENT_SECONDS) -> Iterator[Cutting]:
    """Cut a video into parts of at least `seconds` (the last one may be shorter); times count from its first frame.

    Parts begin at key frames, and nothing is encoded anew, but a picture that MP4 cannot hold becomes H.264, without
    its sound. Sound that MP4 cannot hold is left out. Raises `Poison` (`bad video`).
    """
    with opened(path) as (container, video):
        if video.codec.canonical_name in _PICTURES:
            audio = next((track for track in container.streams.audio if track.codec.canonical_name in _SOUNDS), None)
            yield from _copied(container, video, audio, seconds)
        else:
            yield from _encoded(container, video, seconds)


def _copied(
    container: InputContainer, video: VideoStream, audio: AudioStream | None, seconds: float
) -> Iterator[Cutting]:
    part: _Copy | None = None
    origin = 0.0
    for packet in _packets(container, [video] if audio is None else [video, audio]):
        at = _shown(packet)
        if packet.stream is video and packet.is_keyframe:
            if part is None:
                part, origin = _Copy(video, audio, at), at
            elif at - part.start >= seconds:
                yield part.finish(at, origin)
                part = _Copy(video, audio, at)
        if part is not None:
            part.add(packet)
    if part is None:
        raise Poison("bad video", f"{container.name} has no key frame")
    yield part.finish(part.end, origin)


class _Copy:
    """A part that is written in memory, packet by packet; its own times begin at 0."""

    def __init__(self, video: VideoStream, audio: AudioStream | None, start: float) -> None:
        self.start = self.end = start
        self._file, self._has_audio = io.BytesIO(), False
        self._output = av.open(self._file, "w", format=_FORMAT)
        tracks: list[Track] = [video] if audio is None else [video, audio]
        self._tracks = {track.index: self._output.add_stream_from_template(track) for track in tracks}

    def add(self, packet: av.Packet[Stream]) -> None:
        self._has_audio = self._has_audio or isinstance(packet.stream, AudioStream)
        lasts = float((packet.duration or 0) * packet.time_base) or 1 / USUAL_RATE
        self.end = max(self.end, _shown(packet) + lasts)
        offset = round(self.start / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - offset
        packet.dts = None if packet.dts is None else packet.dts - offset
        packet.stream = self._tracks[packet.stream.index]
        self._output.mux(packet)

    def finish(self, end: float, origin: float) -> Cutting:
        self._output.close()
        data = self._file.getvalue()
        return Cutting(start=self.start - origin, end=end - origin, data=data, has_audio=self._has_audio)


def _packets(container: InputContainer, tracks: list[Track]) -> Iterator[av.Packet[Stream]]:
    """The packets that have a time; the demuxer ends with empty ones."""
    for packet in container.demux(tracks):
        if packet.size and (packet.pts, packet.dts) != (None, None):
            yield packet


def _shown(packet: av.Packet[Stream]) -> float:
    """When a packet is shown, seconds; where that is unknown, when it is decoded."""
    return float((packet.dts or 0 if packet.pts is None else packet.pts) * packet.time_base)


def _encoded(container: InputContainer, video: VideoStream, seconds: float) -> Iterator[Cutting]:
    part: _Encoding | None = None
    for at, frame in timed_frames(container, video):
        if part is not None and at - part.start >= seconds:
            yield part.finish(at)
            part = None
        part = part or _Encoding(video, at)
        part.add(at, frame)
    if part is not None:
        yield part.finish(part.end)


class _Encoding:
    """A part that is encoded anew as H.264, in memory."""

    def __init__(self, video: VideoStream, start: float) -> None:
        self.start = self.end = start
        self._rate = video.average_rate or Fraction(USUAL_RATE)
        self._file = io.BytesIO()
        self._output = av.open(self._file, "w", format=_FORMAT)
        self._track = self._output.add_stream("libx264", rate=self._rate, options={"preset": "veryfast"})
        # H.264 in this pixel format, the one that every browser plays, has even sides.
        self._track.width, self._track.height = video.width & ~1, video.height & ~1
        self._track.pix_fmt = "yuv420p"

    def add(self, at: float, frame: av.VideoFrame) -> None:
        fitted = frame.reformat(width=self._track.width, height=self._track.height, format="yuv420p")
        fitted.time_base, fitted.pts = _CLOCK, round((at - self.start) / _CLOCK)
        self._output.mux(self._track.encode(fitted))
        self.end = at + float(1 / self._rate)

    def finish(self, end: float) -> Cutting:
        self._output.mux(self._track.encode(None))
        self._output.close()
        return Cutting(start=self.start, end=end, data=self._file.getvalue(), has_audio=False)
