"""How Qdrant is reached: a server over HTTP, or the embedded index in a folder, behind one face."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import httpx
from qdrant_client import AsyncQdrantClient, models

from streams.adapters.qdrant_errors import REFUSED, translated
from streams.adapters.qdrant_points import Point, older
from streams.adapters.qdrant_schema import check_server
from streams.domain.errors import Outage, Poison, SettingsError
from streams.settings import Index as IndexSettings

T = TypeVar("T")
Call = Callable[[AsyncQdrantClient], Awaitable[T]]


class Link(Protocol):
    """A way to Qdrant. Whatever the client raises comes out as `Outage` or `Poison`."""

    @property
    def embedded(self) -> bool: ...

    async def open(self) -> None: ...

    async def run(self, call: Call[T]) -> T: ...

    async def write(self, collection: str, points: Sequence[Point]) -> None:
        """Store whole points of distinct ids, each unless a newer one is there; returns when they are durable."""
        ...

    async def close(self) -> None: ...


@asynccontextmanager
async def connect(settings: IndexSettings) -> AsyncIterator[Link]:
    """The way to Qdrant that the settings name.

    Raises `SettingsError` for a folder that is in use, an address that is none, or a server that is too old.
    """
    link = Embedded(settings.path) if settings.url is None else Server(settings, settings.url)
    try:
        await link.open()
        yield link
    finally:
        await link.close()


class Server:
    """A Qdrant server; many calls at a time."""

    embedded = False

    def __init__(self, settings: IndexSettings, url: str) -> None:
        try:
            self._client = AsyncQdrantClient(
                url=url,
                api_key=None if settings.api_key is None else settings.api_key.get_secret_value(),
                timeout=math.ceil(settings.timeout.total_seconds()),
                # The client opens a connection per call to loopback unless told otherwise: 156 instead of 257 calls/s.
                limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
                check_compatibility=False,  # it only warns, from a thread; `open` looks itself
            )
        except ValueError as error:
            raise SettingsError(f"index.url: {error} (given: {url!r}; such as http://127.0.0.1:6333)") from error

    async def open(self) -> None:
        await self.run(check_server)

    async def run(self, call: Call[T]) -> T:
        with translated():
            return await call(self._client)

    async def write(self, collection: str, points: Sequence[Point]) -> None:
        structs = [point.struct() for point in points]
        # Two workers may write one point around a rebalance: replicas have to agree on the order.
        ordering = models.WriteOrdering.MEDIUM
        result = await self.run(
            lambda client: client.upsert(collection, structs, wait=True, update_filter=older(points), ordering=ordering)
        )
        if result.status is not models.UpdateStatus.COMPLETED:
            raise Outage("index", f"the write is {result.status.value}, not yet durable and visible")

    async def close(self) -> None:
        await self._client.close()


class Embedded:
    """The embedded index. It blocks, and bears one thread only: calls run one after another in a thread of its own."""

    embedded = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._loop = asyncio.Runner()
        self._client: AsyncQdrantClient | None = None

    async def open(self) -> None:
        await self._in_thread(self._connect)

    async def run(self, call: Call[T]) -> T:
        return await self._in_thread(lambda: self._answer(call))

    async def write(self, collection: str, points: Sequence[Point]) -> None:
        # Nobody else writes between the two; a conditional upsert would look at every clause for every point.
        await self.run(lambda client: _write_newer(client, collection, points))

    async def close(self) -> None:
        if self._client is not None:
            await self.run(lambda client: client.close())
        await self._in_thread(self._loop.close)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _connect(self) -> None:
        try:
            self._client = AsyncQdrantClient(path=str(self._path))
        except RuntimeError as error:
            cure = "stop that, or set index.url to a Qdrant server"
            raise SettingsError(f"index.path: {self._path} is in use by another process; {cure}") from error
        except OSError as error:
            raise SettingsError(f"index.path: {error}") from error

    def _answer(self, call: Call[T]) -> T:
        client = self._client
        assert client is not None

        async def answer() -> T:
            return await call(client)

        try:
            return self._loop.run(answer())
        except ValueError as error:
            raise Poison(REFUSED, str(error)) from error
        except (OSError, sqlite3.Error) as error:
            raise Outage("index", f"{self._path}: {error}") from error


async def _write_newer(client: AsyncQdrantClient, collection: str, points: Sequence[Point]) -> None:
    stored = await client.retrieve(collection, [point.id for point in points], with_payload=["version"])
    versions = {record.id: (record.payload or {}).get("version") for record in stored}
    newer = [point.struct() for point in points if _precedes(versions.get(point.id), point)]
    if newer:
        await client.upsert(collection, newer)


def _precedes(version: object, point: Point) -> bool:
    return not isinstance(version, int) or version < point.bound
