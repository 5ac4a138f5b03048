"""What every implementation of the port `Embedder` does: the one over the shipped models and its in-memory twin."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from streams.adapters.embedder import open_embedder
from streams.adapters.media import read_frames
from streams.adapters.telemetry import Telemetry
from streams.files import shipped
from streams.ports import Embedder, Image
from streams.settings import Embedding, Models
from tests.support.fake_embedder import FakeEmbedder

BIKES: Path = shipped("infra", "demo", "bikes.mp4")
TEXTS = (
    "a man riding a bicycle",
    "a car",
    "two people walk past a parked white van in the rain",
    "",
    "ü 🚲 \ud800",
    "x" * 9999,
)


@pytest.fixture(scope="module")
def crops() -> list[Image]:
    """Eight different views of a street."""
    frames = [picture for _, picture in read_frames(BIKES)][::80]
    return [frame[:, x : x + 272] for frame in frames for x in (0, 300)]


@pytest.fixture(params=["onnx", "fake"])
async def embedder(request: pytest.FixtureRequest) -> AsyncIterator[Embedder]:
    if request.param == "fake":
        yield FakeEmbedder()
        return
    async with open_embedder(Embedding(), Models(), Telemetry("test")) as embedder:
        yield embedder


async def test_vectors_are_float32_of_the_models_dimension_and_unit_length(embedder, crops) -> None:
    vectors = [await embedder.embed_picture(crops[0]), *[await embedder.embed_text(text) for text in TEXTS]]

    assert embedder.model == "mini"
    assert all(vector.dtype == np.float32 and vector.shape == (embedder.dim,) for vector in vectors)
    assert [float(np.linalg.norm(vector)) for vector in vectors] == pytest.approx([1.0] * len(vectors), abs=1e-5)


async def test_32_calls_at_once_give_the_vectors_of_one_after_another(embedder, crops) -> None:
    texts, pictures = TEXTS[:4], crops[:4]
    serial = [await embedder.embed_text(text) for text in texts] * 5
    serial += [await embedder.embed_picture(picture) for picture in pictures] * 3

    parallel = await asyncio.gather(*map(embedder.embed_text, texts * 5), *map(embedder.embed_picture, pictures * 3))

    assert len(parallel) == 32
    assert max(float(np.abs(one - other).max()) for one, other in zip(parallel, serial, strict=True)) <= 1e-5


async def test_the_same_gives_the_same_and_another_another(embedder, crops) -> None:
    one, again, other = [await embedder.embed_picture(crop) for crop in (crops[0], crops[0].copy(), crops[3])]
    text, same, different = [await embedder.embed_text(text) for text in ("a car", "a car", "a bird")]

    assert one @ again == pytest.approx(1.0, abs=1e-5)
    assert text @ same == pytest.approx(1.0, abs=1e-5)
    assert one @ other < 0.999
    assert text @ different < 0.999


async def test_pictures_of_any_size_and_read_only_ones_are_taken(embedder) -> None:
    for shape in ((1, 1, 3), (7, 900, 3), (500, 500, 3)):
        picture = np.full(shape, 120, np.uint8)
        picture.flags.writeable = False
        assert (await embedder.embed_picture(picture)).shape == (embedder.dim,)
