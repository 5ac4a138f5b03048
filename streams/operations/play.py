"""Plays videos into the topics of this installation: what `nvr-streams play` and the demo do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from streams.adapters.publisher import Publisher
from streams.adapters.store import Store
from streams.domain.cameras import Camera
from streams.domain.values import Instant
from streams.operations.cameras import list_cameras
from streams.operations.messages import publishing
from streams.operations.play_inputs import open_network, open_video
from streams.settings import Settings
from streams.sources.choice import FPS, Choice, as_chosen, least_scores, new_camera
from streams.sources.detector import Detector, Network
from streams.sources.feed import Tally
from streams.sources.player import Pace, Player
from streams.sources.playlist import Playlist, frame_size, playlists

Progress = Callable[[str, Tally, int], None]
"""Hears of every frame: the camera, what it has seen so far, and how many messages were published in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """How it is played."""

    start: Instant
    """The time of the first frame."""
    camera: str | None = None
    """None: each video is a camera of its own."""
    speed: float = 1.0
    """Times real time; 0: as fast as possible."""
    loop: bool = False
    choice: Choice = Choice()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayReport:
    """What became of a playback. All messages are acknowledged."""

    cameras: Mapping[str, Tally]
    messages: int
    stopped: bool
    """Whether it was told to stop before the end."""


async def play(
    settings: Settings, videos: Sequence[Path], options: PlayOptions, *, stop: asyncio.Event, progress: Progress
) -> PlayReport:
    """Play videos and folders until their end or until `stop` is set; then all open objects end.

    What is wrong with the videos or the settings is said before anything is published. Raises `FileNotFoundError`,
    `Poison` (`bad video`), `SettingsError`, and `Outage` when store, registry or brokers do not answer.
    """
    shows = playlists(videos, camera=options.camera, fps=options.choice.fps or FPS, open_video=open_video)
    cast = await _cast(settings, shows, options)
    store = Store(settings.store)
    await store.check()
    async with open_network(settings.models) as network, publishing(settings, "player") as publisher:
        for camera in cast.new:
            await publisher.publish(camera)
        stage = _Stage(
            options=options,
            network=network,
            store=store,
            publisher=publisher,
            pace=Pace(speed=options.speed, stop=stop),
            progress=progress,
        )
        tallies = await _together(stage.play(show, cast.cameras[show.camera]) for show in shows)
    return PlayReport(
        cameras={show.camera: tally for show, tally in zip(shows, tallies, strict=True)},
        messages=publisher.published,
        stopped=stop.is_set(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cast:
    """The cameras of a playback, as they play, by name; and those that nobody has announced yet."""

    cameras: Mapping[str, Camera]
    new: tuple[Camera, ...]


async def _cast(settings: Settings, shows: Sequence[Playlist], options: PlayOptions) -> _Cast:
    sizes = [[await asyncio.to_thread(frame_size, clip) for clip in show.clips] for show in shows]
    known = {camera.name: camera for camera in await list_cameras(settings)}
    new = {
        show.camera: new_camera(show.camera, options.choice, at=options.start, size=size)
        for show, (size, *_) in zip(shows, sizes, strict=True)
        if show.camera not in known
    }
    cameras = {name: as_chosen(camera, options.choice) for name, camera in (known | new).items()}
    for show in shows:
        least_scores(cameras[show.camera])
    return _Cast(cameras=cameras, new=tuple(new.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """What all cameras of a playback share."""

    options: PlayOptions
    network: Network
    store: Store
    publisher: Publisher
    pace: Pace
    progress: Progress

    async def play(self, show: Playlist, camera: Camera) -> Tally:
        player = Player(
            camera=camera,
            eye=Detector(network=self.network, least=least_scores(camera)),
            store=self.store,
            outlet=self.publisher,
            pace=self.pace,
            started=self.options.start,
            progress=lambda name, tally: self.progress(name, tally, self.publisher.published),
        )
        return await player.play(cycle(show.clips) if self.options.loop else show.clips)


async def _together(plays: Iterable[Coroutine[None, None, Tally]]) -> list[Tally]:
    """Run all of them; when one fails, the others are ended and its error is the caller's."""
    tasks = [asyncio.ensure_future(play) for play in plays]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
