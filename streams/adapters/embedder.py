"""Pictures and words as vectors of one space, by a pair of onnxruntime models: the adapter of the port `Embedder`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from streams.adapters.batching import Batcher
from streams.adapters.model_files import model_file
from streams.adapters.onnx import Model, Session
from streams.adapters.telemetry import Telemetry, WorkMeter
from streams.adapters.towers import PictureEncoder, TextEncoder, Tower, open_tokenizer
from streams.domain.errors import Poison, SettingsError
from streams.ports import Floats, Image
from streams.settings import Embedding, Models

In = TypeVar("In")

PICTURES, TEXTS = "image_embedding", "text_embedding"
"""The two kinds of work, as metrics name them."""

_SAMPLE_TEXTS = ("a person", "a red car is parked beside the house, and a dog runs across the street")
"""Two texts of different length: padding must not change a vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Towers:
    pictures: Tower[Image]
    texts: Tower[str]


class OnnxEmbedder:
    """Both towers, loaded and tried out. Concurrent calls share batches."""

    def __init__(self, *, model: str, dim: int, pictures: Batcher[Image, Floats], texts: Batcher[str, Floats]) -> None:
        self._model, self._dim = model, dim
        self._pictures, self._texts = pictures, texts

    @property
    def model(self) -> str:
        return self._model

    @property
    def dim(self) -> int:
        return self._dim

    async def embed_picture(self, picture: Image) -> Floats:
        """The vector of a BGR picture of any size. Raises `Poison` (`bad vector`)."""
        return await self._pictures(picture)

    async def embed_text(self, text: str) -> Floats:
        """The vector of a text; what exceeds `embedding.max_tokens` is left out. Raises `Poison` (`bad vector`)."""
        return await self._texts(text)


@asynccontextmanager
async def open_embedder(settings: Embedding, models: Models, telemetry: Telemetry) -> AsyncIterator[OnnxEmbedder]:
    """Load the models, bind them to what their graphs declare, and warm them up: the embedder is ready for use.

    At the end, what waits is answered, and the models' threads are given back. Raises `SettingsError`: a file is missing or another one, the graphs don't fit, their vectors are unlike in length,
    or the device is not usable.
    """
    vision = text = _model(settings.vision_model, "embedding.vision_model", models, telemetry)
    if settings.text_model != settings.vision_model:
        text = _model(settings.text_model, "embedding.text_model", models, telemetry)
    async with AsyncExitStack() as stack:
        stack.callback(vision.close)
        stack.callback(text.close)
        towers = await _load(vision, text, settings, models)
        linger = models.linger.total_seconds()
        pictures = _batched(vision, towers.pictures, linger, telemetry.work(PICTURES))
        stack.push_async_callback(pictures.close)
        texts = _batched(text, towers.texts, linger, telemetry.work(TEXTS))
        stack.push_async_callback(texts.close)
        yield OnnxEmbedder(model=settings.model, dim=towers.pictures.dim, pictures=pictures, texts=texts)


async def _load(vision: Model, text: Model, settings: Embedding, models: Models) -> _Towers:
    """Both towers; they may be two models, or the two halves of one."""
    if text is vision:
        towers = await vision.load(lambda session: _both(session, settings, models))
    else:
        pictures = await vision.load(lambda session: _picture_tower(session, settings, models))
        texts = await text.load(lambda session: _text_tower(session, settings, models))
        towers = _Towers(pictures=pictures, texts=texts)
    if towers.pictures.dim != towers.texts.dim:
        raise SettingsError(
            f"embedding: {settings.vision_model} gives vectors of {towers.pictures.dim}, {settings.text_model} of "
            f"{towers.texts.dim}: they share no space"
        )
    return towers


def _model(name: str, setting: str, models: Models, telemetry: Telemetry) -> Model:
    file = model_file(name, models, setting=setting)
    return Model(file, device=models.device, threads=models.threads, meter=telemetry.model(name))


def _both(session: Session, settings: Embedding, models: Models) -> _Towers:
    return _Towers(pictures=_picture_tower(session, settings, models), texts=_text_tower(session, settings, models))


def _picture_tower(session: Session, settings: Embedding, models: Models) -> Tower[Image]:
    encoder = PictureEncoder(session.graph, settings)
    return Tower(session, encoder, _sample_pictures(settings.image_size), batch=models.batch)


def _text_tower(session: Session, settings: Embedding, models: Models) -> Tower[str]:
    file = model_file(settings.tokenizer, models, setting="embedding.tokenizer")
    encoder = TextEncoder(session.graph, settings, open_tokenizer(file))
    return Tower(session, encoder, _SAMPLE_TEXTS, batch=models.batch)


def _sample_pictures(side: int) -> tuple[Image, Image]:
    """Two pictures of different contrast: a gradient, and a checkerboard."""
    ramp = np.linspace(60, 180, side, dtype=np.uint8)
    gradient = np.repeat(np.repeat(ramp[None, :, None], side, axis=0), 3, axis=2)
    checks = (np.indices((side, side)).sum(axis=0) // 16 % 2 * 255).astype(np.uint8)
    return gradient, np.repeat(checks[:, :, None], 3, axis=2)


def _batched(model: Model, tower: Tower[In], linger: float, meter: WorkMeter) -> Batcher[In, Floats]:
    async def run(items: list[In]) -> list[Floats | Poison]:
        began = time.monotonic()
        vectors = await model.use(lambda session: tower.embed(session, items))
        meter.done(time.monotonic() - began, items=len(items))
        return vectors

    gathered: Callable[[list[In]], Awaitable[list[Floats | Poison]]] = run
    return Batcher(gathered, limit=tower.batch, linger=linger if tower.batch > 1 else 0.0)
