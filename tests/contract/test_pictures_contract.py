"""What every implementation of the port `Pictures` does: the one over a store and its in-memory twin."""

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest

from streams.adapters.pictures import StoredPictures
from streams.adapters.store import Store
from streams.domain.errors import Gone, Poison
from streams.domain.values import Box, FrameRef, PixelFormat
from streams.ports import Image, Pictures
from streams.settings import Store as StoreSettings
from tests.support.fake_pictures import FakePictures

Put = Callable[[str, Image], Awaitable[FrameRef]]
WIDTH, HEIGHT = 320, 200


def frame() -> Image:
    """Blue grows to the right, green downwards."""
    picture = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    picture[:, :, 0] = np.linspace(0, 255, WIDTH, dtype=np.uint8)
    picture[:, :, 1] = np.linspace(0, 255, HEIGHT, dtype=np.uint8)[:, None]
    return picture


@pytest.fixture(params=["store", "fake"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Pictures, Put]]:
    """The pictures, and how a frame gets into their store."""
    if request.param == "fake":
        fake = FakePictures()

        async def give(name: str, picture: Image) -> FrameRef:
            return fake.put(name, picture, time=7)

        yield fake, give
        return
    store = Store(StoreSettings(url="memory:"))

    async def write(name: str, picture: Image) -> FrameRef:
        uri = await store.write(name, cv2.imencode(".png", picture)[1].tobytes())
        return FrameRef(uri=uri, width=picture.shape[1], height=picture.shape[0], format=PixelFormat.PNG, time=7)

    with ThreadPoolExecutor(2) as threads:
        yield StoredPictures(store, threads, max_pixels=1_000_000), write


async def test_a_picture_is_loaded_as_blue_green_red_and_cannot_be_written_to(world) -> None:
    pictures, put = world

    loaded = await pictures.load(await put("frames/1", frame()))

    assert loaded.shape == (HEIGHT, WIDTH, 3)
    assert loaded.dtype == np.uint8
    assert (loaded == frame()).all()
    with pytest.raises(ValueError, match="read-only"):
        loaded[0, 0] = 0


async def test_a_cut_is_a_picture_of_its_own_with_its_real_size(world) -> None:
    pictures, put = world

    cut = await pictures.cut(await put("frames/1", frame()), Box(11, 21, 111, 71), name="objects/a/7.jpg")

    assert (cut.width, cut.height, cut.format, cut.time) == (100, 50, PixelFormat.JPEG, 7)
    assert cut.uri.endswith("/objects/a/7.jpg")
    shown = await pictures.load(cut)
    assert np.abs(shown.astype(int) - frame()[21:71, 11:111]).mean() < 2


@pytest.mark.parametrize(
    ("region", "height", "size"),
    [
        ((0, 0, 100, 100), 50, (50, 50)),
        ((0, 0, 300, 100), 50, (150, 50)),
        ((0, 0, 100, 100), 400, (400, 400)),
        ((-50, -50, 50, 50), None, (50, 50)),
        ((300, 150, 420, 270), 100, (40, 100)),
        ((0, 0, 1120, 1120), 100, (160, 100)),
        ((0, 0, 1, 200), 50, (1, 50)),
    ],
)
async def test_a_region_is_clipped_to_the_frame_and_resized_to_the_height(world, region, height, size) -> None:
    pictures, put = world

    cut = await pictures.cut(await put("frames/1", frame()), Box(*region), name="objects/a/7.jpg", height=height)

    assert (cut.width, cut.height) == size
    assert (await pictures.load(cut)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    "region", [(320, 0, 400, 100), (-10, 0, 0, 10), (0, 250, 10, 260), (5, 5, 5, 50), (50, 50, 10, 10)]
)
async def test_a_box_without_a_pixel_in_the_frame_is_refused(world, region) -> None:
    pictures, put = world
    ref = await put("frames/1", frame())

    with pytest.raises(Poison, match="bad box"):
        await pictures.cut(ref, Box(*region), name="objects/a/7.jpg")


async def test_a_frame_that_is_not_as_large_as_it_says_is_refused(world) -> None:
    pictures, put = world
    ref = await put("frames/1", frame())

    with pytest.raises(Poison, match="bad picture"):
        await pictures.cut(replace(ref, width=640, height=400), Box(0, 0, 9, 9), name="objects/a/7.jpg")
    assert (await pictures.cut(replace(ref, width=0, height=0), Box(0, 0, 9, 9), name="objects/a/7.jpg")).width == 9


async def test_the_same_cut_twice_keeps_one_picture(world) -> None:
    pictures, put = world
    ref = await put("frames/1", frame())

    one, other = [await pictures.cut(ref, Box(0, 0, 50, 50), name="objects/a/7.jpg") for _ in range(2)]

    assert one == other
    assert await pictures.remove("objects/a") == 1


async def test_removing_takes_one_objects_pictures_and_they_are_gone(world) -> None:
    pictures, put = world
    ref = await put("frames/1", frame())
    cut, kept = [await pictures.cut(ref, Box(0, 0, 9, 9), name=f"objects/{name}/7.jpg") for name in ("a", "ab")]
    await pictures.load(cut)

    assert await pictures.remove("objects/a") == 1
    assert await pictures.remove("objects/a") == 0

    with pytest.raises(Gone):
        await pictures.load(cut)
    assert (await pictures.load(kept)).shape == (9, 9, 3)


async def test_a_picture_that_never_was_is_gone(world) -> None:
    pictures, put = world
    missing = replace(await put("frames/1", frame()), uri="memory:///frames/2")

    for call in (pictures.load(missing), pictures.cut(missing, Box(0, 0, 9, 9), name="objects/a/7.jpg")):
        with pytest.raises(Gone):
            await call


async def test_a_picture_outside_the_stores_is_refused(world) -> None:
    pictures, put = world
    elsewhere = replace(await put("frames/1", frame()), uri="http://169.254.169.254/latest")

    with pytest.raises(Poison, match="outside the stores"):
        await pictures.load(elsewhere)


async def test_without_a_public_address_there_is_no_url(world) -> None:
    pictures, put = world

    assert pictures.public_url(await put("frames/1", frame())) is None
