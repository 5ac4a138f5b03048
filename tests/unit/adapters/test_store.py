"""The store over files, memory and S3: the same answers from each, and failures in our own words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from moto.server import ThreadedMotoServer

from streams.adapters.store import Store
from streams.domain.errors import Gone, Outage, Poison, SettingsError
from streams.settings import Store as StoreSettings


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 service with the bucket `pics`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.put(f"http://{host}:{port}/pics").raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


def bucket(endpoint: str, url: str = "s3://pics/nvr", **more: object) -> StoreSettings:
    access = {"access_key": "id", "secret_key": "secret", "region": "us-east-1"}
    return StoreSettings.model_validate({"url": url, "endpoint": endpoint, "max_bytes": 2000, **access, **more})


@pytest.fixture(params=["file", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    match request.param:
        case "s3":
            return Store(bucket(request.getfixturevalue("s3"), f"s3://pics/{tmp_path.name}"))
        case "file":
            return Store(StoreSettings(url=f"file:{tmp_path}/new/store", max_bytes=2000))
        case _:
            return Store(StoreSettings(url="memory:", max_bytes=2000))


async def test_what_is_written_is_read_back_by_its_uri(store) -> None:
    uri = await store.write("objects/a b/ü.jpg", b"picture")

    assert uri == store.uri("objects/a b/ü.jpg") == f"{store.location}/objects/a%20b/%C3%BC.jpg"
    assert await store.read(uri) == b"picture"
    await store.check()


async def test_the_same_name_twice_keeps_one_picture_the_latest(store) -> None:
    assert await store.write("a/1.jpg", b"old") == await store.write("a/1.jpg", b"new")

    assert await store.read(store.uri("a/1.jpg")) == b"new"
    assert await store.names("a") == ["a/1.jpg"]


async def test_a_missing_picture_is_gone(store) -> None:
    with pytest.raises(Gone) as gone:
        await store.read(store.uri("nowhere.jpg"))

    assert gone.value.uri == store.uri("nowhere.jpg")


async def test_a_picture_above_the_limit_is_refused_unread(store) -> None:
    uri = await store.write("large.jpg", bytes(2001))

    with pytest.raises(Poison, match=r"2001 bytes, store\.max_bytes is 2000"):
        await store.read(uri)
    assert await store.read(await store.write("fits.jpg", bytes(2000))) == bytes(2000)


async def test_a_prefix_is_a_folder_not_the_beginning_of_a_name(store) -> None:
    for name in ("objects/a/1.jpg", "objects/a/2.jpg", "objects/ab/1.jpg", "other/1.jpg"):
        await store.write(name, b"x")

    assert await store.names("objects/a") == ["objects/a/1.jpg", "objects/a/2.jpg"]
    assert await store.delete_prefix("objects/a") == 2
    assert await store.delete_prefix("objects/a") == 0
    assert await store.names("objects") == ["objects/ab/1.jpg"]
    assert await store.names("other") == ["other/1.jpg"]


async def test_a_full_name_removes_that_one_picture(store) -> None:
    for name in ("objects/a/1.jpg", "objects/a/2.jpg"):
        await store.write(name, b"x")

    assert await store.delete_prefix("objects/a/1.jpg") == 1
    assert await store.names("objects") == ["objects/a/2.jpg"]


async def test_removing_at_the_same_time_is_harmless(store) -> None:
    for number in range(20):
        await store.write(f"objects/a/{number}.jpg", b"x")

    await asyncio.gather(*(store.delete_prefix("objects/a") for _ in range(3)))

    assert await store.names("objects/a") == []


@pytest.mark.parametrize("prefix", ["", "/", "../x"])
async def test_the_whole_store_is_never_removed(store, prefix) -> None:
    with pytest.raises(ValueError, match="picture name"):
        await store.delete_prefix(prefix)


async def test_writing_beside_a_removal_of_the_same_folder_never_says_gone(tmp_path) -> None:
    store = Store(StoreSettings(url=f"file:{tmp_path}"))

    async def write(number: int) -> None:
        try:
            await store.write(f"objects/a/{number}.jpg", b"x")
        except Outage:
            await store.write(f"objects/a/{number}.jpg", b"x")

    for number in range(30):
        await asyncio.gather(write(number), store.delete_prefix("objects/a"))


async def test_a_reader_never_sees_half_a_picture(tmp_path) -> None:
    store = Store(StoreSettings(url=f"file:{tmp_path}"))
    sizes = {len(await store.read(await store.write("a.jpg", bytes(1_000_000))))}

    async def rewrite() -> None:
        for _ in range(10):
            await store.write("a.jpg", bytes(1_000_000))

    writing = asyncio.create_task(rewrite())
    while not writing.done():
        sizes.add(len(await store.read(store.uri("a.jpg"))))

    assert sizes == {1_000_000}


async def test_the_camera_systems_store_is_read_and_never_written(tmp_path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    (frames / "1.jpg").write_bytes(b"frame")
    store = Store(StoreSettings(url=f"file:{tmp_path}/own", read=(f"file:{frames}",)))

    assert await store.read(f"file://{frames}/1.jpg") == b"frame"
    assert (await store.write("1.jpg", b"own")).startswith(f"file://{tmp_path}/own/")
    with pytest.raises(Poison, match="outside the stores"):
        await store.read(f"file://{tmp_path}/elsewhere.jpg")


async def test_a_folder_that_vanished_is_an_outage_not_a_million_gone_pictures(tmp_path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    store = Store(StoreSettings(url="memory:", read=(f"file:{frames}",)))
    frames.rmdir()

    with pytest.raises(Outage, match="does not exist"):
        await store.read(f"file://{frames}/1.jpg")


async def test_a_bucket_that_does_not_exist_is_an_outage(s3) -> None:
    store = Store(bucket(s3, "s3://nobucket"))

    for call in (store.read("s3://nobucket/a.jpg"), store.write("a.jpg", b"x"), store.check(), store.names("a")):
        with pytest.raises(Outage, match="store: s3://nobucket"):
            await call


def test_a_store_that_cannot_be_used_is_refused_at_start(tmp_path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match="cannot be used"):
        Store(StoreSettings(url=f"file:{tmp_path}/file/store"))
    with pytest.raises(SettingsError, match="cannot be used"):
        Store(StoreSettings(url="memory:", read=(f"file:{tmp_path}/missing",)))
    assert not (tmp_path / "missing").exists()


Script = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def failing() -> AsyncIterator[Callable[[Script], Awaitable[Store]]]:
    """Makes a store whose S3 service answers as the script says."""
    servers: list[TestServer] = []

    async def make(script: Script) -> Store:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", script)
        servers.append(TestServer(app))
        await servers[-1].start_server()
        return Store(bucket(str(servers[-1].make_url("/")).rstrip("/"), timeout=timedelta(seconds=0.5)))

    yield make
    for server in servers:
        await server.close()


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_a_service_that_refuses_or_fails_is_an_outage(failing, status) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    store = await failing(refuse)

    for call in (store.read("s3://pics/nvr/a.jpg"), store.write("a.jpg", b"x"), store.check()):
        with pytest.raises(Outage, match="store: s3://pics/nvr") as outage:
            await call
        assert outage.value.what == "store"
        assert "\n" not in outage.value.detail


async def test_a_service_that_never_answers_is_an_outage_within_the_deadline(failing) -> None:
    async def hang(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    store = await failing(hang)

    with pytest.raises(Outage, match="store"):
        await asyncio.wait_for(store.read("s3://pics/nvr/a.jpg"), 2)


async def test_a_service_that_is_not_there_is_an_outage() -> None:
    store = Store(bucket("http://127.0.0.1:9", timeout=timedelta(seconds=1)))

    with pytest.raises(Outage, match="store"):
        await store.read("s3://pics/nvr/a.jpg")


async def test_a_presigned_url_opens_in_a_browser_and_expires(s3) -> None:
    store = Store(bucket(s3, presign=timedelta(minutes=5)))
    url = store.url(await store.write("a b/1.jpg", b"picture"))

    async with httpx.AsyncClient() as browser:
        assert (await browser.get(url)).content == b"picture"
    assert "X-Amz-Expires=300" in url
    assert "secret" not in url


async def test_a_public_base_url_carries_the_encoded_name(tmp_path) -> None:
    store = Store(StoreSettings(url=f"file:{tmp_path}", public_url="https://pics.example/nvr/"))

    assert store.url(await store.write("a b/1.jpg", b"x")) == "https://pics.example/nvr/a%20b/1.jpg"


async def test_pictures_that_are_not_ours_have_no_url(tmp_path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    settings = StoreSettings(url=f"file:{tmp_path}/own", read=(f"file:{frames}",), public_url="https://pics.example")

    assert Store(settings).url(f"file://{frames}/1.jpg") is None
    assert Store(StoreSettings(url="memory:")).url("memory:///1.jpg") is None


def test_where_nothing_can_be_presigned_the_documents_wait(monkeypatch) -> None:
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")  # where S3 looks for keys that nobody set
    store = Store(StoreSettings(url="s3://pics", presign=timedelta(hours=1)))

    with pytest.raises(Outage, match=r"s3://pics/1\.jpg cannot be presigned: "):
        store.url("s3://pics/1.jpg")


def test_only_bucket_stores_presign() -> None:
    with pytest.raises(SettingsError, match=r"store\.presign"):
        Store(StoreSettings(url="memory:", presign=timedelta(hours=1)))


@pytest.mark.parametrize("url", ["gs://pics/nvr", "az://account/container/nvr"])
def test_google_and_azure_stores_open_without_a_call(url) -> None:
    assert Store(StoreSettings.model_validate({"url": url, "secret_key": "c2VjcmV0"})).location == url
