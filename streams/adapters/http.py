"""The worker's HTTP server: health, readiness, metrics, status, search and single objects, on loopback by default."""

from __future__ import annotations

import asyncio
import errno
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeAlias

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from streams.adapters.addresses import announced, url_of
from streams.adapters.rendering import line
from streams.adapters.status import WorkerStatus, report
from streams.domain.errors import Outage, Poison, SettingsError
from streams.domain.messages import Message
from streams.ports import Hit
from streams.setting_errors import without_credentials
from streams.settings import Worker

Parameters: TypeAlias = Mapping[str, tuple[str, ...]]
"""A query string: all values of each name."""

PATIENCE = 30.0
"""Seconds after which a question that is handed on is given up."""

MAX_PARAMETERS = 256
"""Values in one query string; a line of HTTP is limited by aiohttp (8,190 bytes)."""

_STATUS: Mapping[type[Exception], int] = {LookupError: 404, ValueError: 400, Poison: 400, SettingsError: 500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Where the answers come from.

    `search` and `find_object` may raise `ValueError` (a wrong question), `LookupError` (no such object) or `Outage`.
    """

    status: Callable[[], WorkerStatus]
    metrics: Callable[[], bytes]
    search: Callable[[Parameters], Awaitable[Sequence[Hit]]]
    find_object: Callable[[str], Awaitable[Message]]


@asynccontextmanager
async def serve(worker: Worker, answers: Answers) -> AsyncIterator[str]:
    """Answer as long as the block lasts, and let other commands find the address, which is yielded.

    Raises `SettingsError` for a taken port, an address that is not this machine's, or a folder that is not writable.
    """
    runner = web.AppRunner(_application(answers), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await _listen(runner, worker)
        url = url_of(worker.host, runner.addresses[0][1])
        with announced(worker.data, worker.name, url):
            yield url
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, worker: Worker) -> None:
    try:
        await web.TCPSite(runner, worker.host, worker.port).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"worker.port: {worker.port} on {worker.host} is taken; name another one, or 0 for any free one"
            ) from error
        raise SettingsError(f"worker.host: cannot listen on {worker.host}:{worker.port} ({error.strerror})") from error


def _application(answers: Answers) -> web.Application:
    pages = _Pages(answers)
    app = web.Application(middlewares=[_errors_as_json], client_max_size=1024)
    app.add_routes(
        [
            web.get("/metrics", pages.metrics),
            web.get("/health", pages.health),
            web.get("/ready", pages.ready),
            web.get("/api/status", pages.status),
            web.get("/api/search", pages.search),
            web.get("/api/objects/{id:.+}", pages.find_object),
        ]
    )
    return app


class _Pages:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def metrics(self, request: web.Request) -> web.Response:
        del request
        return web.Response(body=self._answers.metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def health(self, request: web.Request) -> web.Response:
        """Red only for what a person must put right: waiting for a neighbour cures itself."""
        del request
        status = self._answers.status()
        body = {"live": not status.problems, "problems": status.problems, "waiting": status.waiting}
        return _json(body, status=503 if status.problems else 200)

    async def ready(self, request: web.Request) -> web.Response:
        del request
        status = self._answers.status()
        body = {"ready": not status.missing, "missing": status.missing, "waiting": status.waiting}
        return _json(body, status=503 if status.missing else 200)

    async def status(self, request: web.Request) -> web.Response:
        del request
        return _json(report(self._answers.status(), version("nvr-streams")))

    async def search(self, request: web.Request) -> web.Response:
        parameters = _parameters(request)
        async with asyncio.timeout(PATIENCE):
            return _json({"hits": list(await self._answers.search(parameters))})

    async def find_object(self, request: web.Request) -> web.Response:
        async with asyncio.timeout(PATIENCE):
            return _json(await self._answers.find_object(request.match_info["id"]))


def _parameters(request: web.Request) -> Parameters:
    if len(request.query) > MAX_PARAMETERS:
        raise ValueError(f"{len(request.query)} parameters, at most {MAX_PARAMETERS} are read")
    return {name: tuple(request.query.getall(name)) for name in request.query}


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _json({"error": f"{error.reason}: {request.method} {request.path[:200]}"}, status=error.status)
    except Outage as error:
        wait = {"Retry-After": str(math.ceil(error.retry_after))} if error.retry_after else {}
        return _json({"error": without_credentials(f"waiting for {error}")}, status=503, headers=wait)
    except TimeoutError:
        return _json({"error": f"no answer within {PATIENCE:.0f} s"}, status=504)
    except tuple(_STATUS) as error:
        if isinstance(error, KeyError | IndexError):  # nobody's answer but a bug, which belongs into the log
            raise
        status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
        return _json({"error": without_credentials(str(error) or type(error).__name__)}, status=status)


def _json(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=line(body), status=status, headers=headers, content_type="application/json")
