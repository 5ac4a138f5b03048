"""Who is asked: a worker that answers, else the index itself."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from streams.adapters.addresses import announced
from streams.adapters.search import Search, SearchRequest
from streams.domain.errors import Outage, Poison, SettingsError
from streams.operations.search import find
from streams.settings import Settings
from tests.support.documents import document, vector
from tests.support.fake_index import FakeIndex
from tests.support.search_server import searching

WORDS = {"red": (1.0, 0.0)}


def settings_in(folder: Path, port: int = 0) -> Settings:
    return Settings.model_validate({"worker": {"data": folder / "worker", "port": port}})


@asynccontextmanager
async def own(_: Settings) -> AsyncIterator[Search]:
    index = FakeIndex()
    await index.put(document("opened here"))
    yield Search(index, None)


@asynccontextmanager
async def never(_: Settings) -> AsyncIterator[Search]:
    raise AssertionError("the index belongs to the worker")
    yield


@pytest.fixture
async def worker() -> AsyncIterator[str]:
    index = FakeIndex()
    await index.put(document("a", thumbnail=vector((1.0, 0.0))))
    await index.put(document("b", camera="yard", thumbnail=vector((0.0, 1.0))))
    with searching(index, WORDS) as url:
        yield url


@contextmanager
def program(status: int, body: bytes) -> Iterator[int]:
    """Any other program at a port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


async def test_a_worker_at_its_address_answers(tmp_path, worker):
    settings = settings_in(tmp_path, port=int(worker.rsplit(":", 1)[1]))
    hits = await find(settings, SearchRequest(text="red", cameras=("front_door", "yard")), opener=never)
    assert [(hit.object_id, hit.score) for hit in hits] == [("a", 1.0), ("b", 0.0)]


async def test_a_proxy_for_the_outside_world_is_not_asked(tmp_path, worker, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    settings = settings_in(tmp_path, port=int(worker.rsplit(":", 1)[1]))
    assert await find(settings, SearchRequest(like="a"), opener=never)


async def test_a_worker_at_any_port_is_found_by_what_it_left_in_its_folder(tmp_path, worker):
    with announced(tmp_path / "worker", "test", worker):
        [hit] = await find(settings_in(tmp_path), SearchRequest(like="a"), opener=never)
    assert hit.object_id == "b"


async def test_without_a_worker_the_index_is_opened(tmp_path):
    with announced(tmp_path / "worker", "dead", "http://127.0.0.1:9"):
        [hit] = await find(settings_in(tmp_path, port=9), SearchRequest(), opener=own)
    assert hit.object_id == "opened here"


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<html>not here"), (200, b"hello"), (200, b'{"hits": 7}'), (404, b'{"detail": "no"}')]
)
async def test_another_program_at_the_port_is_no_worker(tmp_path, status, body):
    with program(status, body) as port:
        [hit] = await find(settings_in(tmp_path, port), SearchRequest(), opener=own)
    assert hit.object_id == "opened here"


async def test_what_the_worker_does_not_find_is_a_lookup_error(tmp_path, worker):
    settings = settings_in(tmp_path, port=int(worker.rsplit(":", 1)[1]))
    with pytest.raises(LookupError, match="no object nobody with a picture"):
        await find(settings, SearchRequest(like="nobody"), opener=never)


@pytest.mark.parametrize(
    ("status", "expected"), [(400, Poison), (404, LookupError), (500, SettingsError), (503, Outage), (504, Outage)]
)
async def test_the_workers_words_reach_the_person(tmp_path, status, expected):
    answer = json.dumps({"error": "these words"}).encode()
    with program(status, answer) as port, pytest.raises(expected, match="these words"):
        await find(settings_in(tmp_path, port), SearchRequest(), opener=never)
