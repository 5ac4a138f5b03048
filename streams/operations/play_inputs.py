"""What a playback reads: videos by PyAV, and the shipped detector by onnxruntime."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from streams.adapters.media import duration, read_frames
from streams.adapters.model_files import model_file
from streams.adapters.onnx import Model, Session
from streams.adapters.segments import split
from streams.adapters.telemetry import ModelMeter
from streams.ports import Floats
from streams.settings import Models
from streams.sources import ssd
from streams.sources.clips import Clip
from streams.sources.detector import Network


def open_video(path: Path) -> Clip:
    """A video as a clip. Raises `Poison` (`bad video`) when it is none."""
    return Clip(
        name=path.stem,
        frames=lambda: read_frames(path),
        recordings=lambda: split(path),
        seconds=duration(path),
    )


@asynccontextmanager
async def open_network(settings: Models) -> AsyncIterator[Network]:
    """The detector, ready for use.

    Raises `SettingsError` when its file is missing or not as it was shipped, or cannot run on `models.device`.
    """
    file = await asyncio.to_thread(model_file, ssd.MODEL, settings, setting="models.folder")
    model = Model(file, device=settings.device, threads=settings.threads, meter=ModelMeter("detector"))

    async def network(pictures: Floats) -> tuple[Floats, Floats]:
        encodings, logits = await model.run({ssd.INPUT: pictures}, ssd.OUTPUTS)
        return encodings, logits

    try:
        await model.load(_warm_up)
        yield network
    finally:
        model.close()


def _warm_up(session: Session) -> None:
    session.run({ssd.INPUT: np.zeros((1, ssd.SIDE, ssd.SIDE, 3), np.float32)}, ssd.OUTPUTS)
