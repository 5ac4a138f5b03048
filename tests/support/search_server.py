"""A worker's search over HTTP with nothing behind it: an index in memory, and an embedder that knows a few words."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from streams.adapters.http import Answers, serve
from streams.adapters.search import Search
from streams.adapters.status import WorkerStatus
from streams.domain.messages import Message
from streams.ports import Floats, Image
from streams.settings import Worker
from tests.support.fake_index import FakeIndex


class WordEmbedder:
    """`ports.Embedder` for the words that a test gives it; another word, or any picture, is a `KeyError`."""

    model = "mini"

    def __init__(self, words: Mapping[str, Sequence[float]]) -> None:
        self._words = words
        self.dim = len(next(iter(words.values())))

    async def embed_picture(self, picture: Image) -> Floats:
        raise KeyError(f"no picture is known: {picture.shape}")

    async def embed_text(self, text: str) -> Floats:
        return np.asarray(self._words[text], dtype=np.float32)


@contextmanager
def searching(index: FakeIndex, words: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """A worker's HTTP server in a thread; yields its address."""
    search = Search(index, WordEmbedder(words))
    answers = Answers(
        status=lambda: WorkerStatus(name="test"), metrics=lambda: b"", search=search.answer, find_object=_nothing
    )
    loop, ready, stop, urls = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), list[str]()

    async def run() -> None:
        async with serve(Worker(name="test", port=0), answers) as url:
            urls.append(url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        ready.wait(10)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _nothing(object_id: str) -> Message:
    raise LookupError(object_id)
