"""Pictures are read and decoded once for all who ask, and cut as the thumbnails' rules say."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from streams.adapters import pictures as module
from streams.adapters.media import read_frames
from streams.adapters.pictures import StoredPictures
from streams.adapters.store import Store
from streams.domain.errors import Gone, Outage, Poison
from streams.domain.naming import object_prefix
from streams.domain.thumbnails import THUMBNAIL_HEIGHT, thumbnail_region
from streams.domain.values import Box, FrameRef, PixelFormat
from streams.files import shipped
from streams.ports import Image
from streams.settings import Store as StoreSettings


class CountingStore(Store):
    """Counts its reads; fails while `failure` is set; waits for `gate`."""

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__(settings)
        self.reads: Counter[str] = Counter()
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reading = self.most_reading = 0

    async def read(self, uri: str) -> bytes:
        self.reads[uri] += 1
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        try:
            await self.gate.wait()
            if self.failure is not None:
                raise self.failure
            return await super().read(uri)
        finally:
            self.reading -= 1


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def store() -> CountingStore:
    return CountingStore(StoreSettings(url="memory:", public_url="https://pics.example"))


@pytest.fixture
def pictures(store, threads) -> StoredPictures:
    return StoredPictures(store, threads, max_pixels=4_000_000)


@pytest.fixture(scope="module")
def street() -> Image:
    """A real frame, 640 x 272."""
    return next(picture for seconds, picture in read_frames(shipped("infra", "demo", "bikes.mp4")) if seconds > 2)


async def put(store: Store, name: str, picture: Image, extension: str = ".jpg") -> FrameRef:
    uri = await store.write(name, cv2.imencode(extension, picture)[1].tobytes())
    return FrameRef(uri=uri, width=picture.shape[1], height=picture.shape[0], time=7)


async def test_all_who_ask_at_once_and_soon_after_share_one_decoded_picture(pictures, store, street) -> None:
    ref = await put(store, "frames/1.jpg", street)

    loaded = await asyncio.gather(*(pictures.load(ref) for _ in range(8)))
    later = await pictures.load(ref)
    await pictures.cut(ref, Box(0, 0, 50, 50), name="objects/a/1.jpg")

    assert store.reads[ref.uri] == 1
    assert all(image is later for image in loaded)


async def test_a_shared_picture_is_forgotten_after_its_seconds(pictures, store, street, monkeypatch, threads) -> None:
    monkeypatch.setattr(module, "SHARED_SECONDS", 0.05)
    pictures = StoredPictures(store, threads, max_pixels=4_000_000)
    ref = await put(store, "frames/1.jpg", street)

    await pictures.load(ref)
    await asyncio.sleep(0.06)
    await pictures.load(ref)

    assert store.reads[ref.uri] == 2


async def test_shared_pictures_stay_within_their_memory(store, street, monkeypatch, threads) -> None:
    monkeypatch.setattr(module, "SHARED_BYTES", 2 * street.nbytes)
    pictures = StoredPictures(store, threads, max_pixels=4_000_000)
    refs = [await put(store, f"frames/{number}.jpg", street) for number in range(3)]
    large = await put(store, "frames/large.jpg", cv2.resize(street, (1280, 800)))

    for ref in [*refs, refs[2], refs[0], large, large]:
        await pictures.load(ref)

    assert [store.reads[ref.uri] for ref in refs] == [2, 1, 1]
    assert store.reads[large.uri] == 2


async def test_a_failure_reaches_all_who_wait_and_is_not_remembered(pictures, store, street) -> None:
    ref = await put(store, "frames/1.jpg", street)
    store.failure = Outage("store", "503")

    answers = await asyncio.gather(*(pictures.load(ref) for _ in range(3)), return_exceptions=True)
    store.failure = None

    assert [type(answer) for answer in answers] == [Outage] * 3
    assert (await pictures.load(ref)).shape == street.shape


async def test_a_caller_that_gives_up_stops_no_other(pictures, store, street) -> None:
    ref = await put(store, "frames/1.jpg", street)
    store.gate.clear()
    impatient, patient = (asyncio.create_task(pictures.load(ref)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    store.gate.set()

    assert (await patient).shape == street.shape
    assert store.reads[ref.uri] == 1


async def test_a_failure_that_nobody_waits_for_makes_no_noise(pictures, store, street) -> None:
    ref = await put(store, "frames/1.jpg", street)
    store.gate.clear()
    store.failure = Outage("store")
    task = asyncio.create_task(pictures.load(ref))
    await asyncio.sleep(0)
    task.cancel()
    store.gate.set()
    await asyncio.sleep(0.01)

    store.failure = None
    assert (await pictures.load(ref)).shape == street.shape


async def test_only_a_few_pictures_are_read_at_a_time(pictures, store, street) -> None:
    small = street[:16, :16]
    refs = [await put(store, f"frames/{number}.jpg", small) for number in range(40)]

    await asyncio.gather(*map(pictures.load, refs))

    assert 1 < store.most_reading <= module.AT_ONCE


async def test_a_thumbnail_of_a_real_frame_shows_the_region_at_500_pixels(pictures, store, street) -> None:
    ref = await put(store, "frames/1.jpg", street)
    region = thumbnail_region(Box(100, 100, 200, 200), ref)

    cut = await pictures.cut(ref, region, name=f"{object_prefix('1.5-abc')}/7.jpg", height=THUMBNAIL_HEIGHT)

    assert region == Box(0, 0, 500, 500)
    assert (cut.width, cut.height) == (919, 500)
    assert cut.uri == "memory:///objects/1.5-abc/7.jpg"
    shown = cv2.imdecode(np.frombuffer(await store.read(cut.uri), np.uint8), cv2.IMREAD_COLOR)
    wanted = cv2.resize((await pictures.load(ref))[:272, :500], (919, 500), interpolation=cv2.INTER_AREA)
    assert np.abs(shown.astype(int) - wanted).max() <= 12
    assert np.abs(shown.astype(int) - wanted).mean() < 1


@pytest.mark.parametrize("pixel_format", [PixelFormat.I420, PixelFormat.BGR])
async def test_raw_frames_give_the_same_thumbnail_as_converting_all_of_them(
    pictures, store, street, pixel_format
) -> None:
    yuv = cv2.cvtColor(street, cv2.COLOR_BGR2YUV_I420)
    full = cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR_I420) if pixel_format is PixelFormat.I420 else street
    uri = await store.write("frames/1", (yuv if pixel_format is PixelFormat.I420 else street).tobytes())
    ref = FrameRef(uri=uri, width=640, height=272, format=pixel_format, time=7)

    cut = await pictures.cut(ref, Box(101, 33, 320, 272), name="objects/a/7.jpg", height=120)
    shown = await pictures.load(cut)

    wanted = cv2.resize(full[33:272, 101:320], (cut.width, cut.height), interpolation=cv2.INTER_AREA)
    assert (cut.width, cut.height) == (109, 120)
    assert np.abs(shown.astype(int) - wanted).mean() < 1
    assert (await pictures.load(ref) == full).all()


@pytest.mark.parametrize(
    ("region", "height"), [((0, 100, 640, 101), 20_000), ((0, 0, 640, 1), 500), ((0, 0, 1, 272), 70_000)]
)
async def test_a_box_that_would_become_a_giant_picture_is_refused(pictures, store, street, region, height) -> None:
    ref = await put(store, "frames/1.jpg", street)

    with pytest.raises(Poison, match="bad box"):
        await pictures.cut(ref, Box(*region), name="objects/a/7.jpg", height=height)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "bad picture"), (b"a text file", "bad picture"), (bytes(33 * 1024 * 1024), "picture too large")],
)
async def test_a_bad_picture_is_named_and_the_next_one_works(pictures, store, street, data, reason) -> None:
    bad = FrameRef(uri=await store.write("frames/bad.jpg", data), width=640, height=272, time=7)

    with pytest.raises(Poison, match=rf"{reason}: memory:///frames/bad\.jpg"):
        await pictures.load(bad)
    assert (await pictures.load(await put(store, "frames/1.jpg", street))).shape == street.shape


async def test_a_raw_frame_of_an_impossible_size_is_never_read(pictures, store) -> None:
    ref = FrameRef(uri="memory:///frames/1", width=100_000, height=100_000, format=PixelFormat.I420, time=7)

    with pytest.raises(Poison, match="picture too large"):
        await pictures.load(ref)
    assert not store.reads


async def test_a_removed_picture_is_gone_also_for_those_who_just_saw_it(pictures, store, street) -> None:
    one, other = [await put(store, f"objects/{name}/1.jpg", street) for name in ("a", "b")]
    await pictures.load(one)
    await pictures.load(other)

    assert await pictures.remove("objects/a/1.jpg") == 1

    with pytest.raises(Gone):
        await pictures.load(one)
    await pictures.load(other)
    assert store.reads[other.uri] == 1


async def test_an_object_with_a_wild_id_has_its_pictures_in_one_safe_folder(pictures, store, street) -> None:
    ref = await put(store, "frames/1.jpg", street)
    wild = "../../etc/passwd\x00🚲" + "x" * 10_000

    cut = await pictures.cut(ref, Box(0, 0, 50, 50), name=f"{object_prefix(wild)}/7.jpg")

    assert (await pictures.load(cut)).shape == (50, 50, 3)
    assert await pictures.remove(object_prefix(wild)) == 1


async def test_a_cut_picture_has_an_address_for_browsers(pictures, store, street) -> None:
    ref = await put(store, "frames/1.jpg", street)
    cut = await pictures.cut(ref, Box(0, 0, 50, 50), name="objects/a b/7.jpg")

    assert pictures.public_url(cut) == "https://pics.example/objects/a%20b/7.jpg"
