"""A Qdrant look-alike over HTTP for tests: records what is asked, and fails on demand as servers and networks do.

In a test: `with Front() as front: ... front.url`. As a process: `python -m tests.support.qdrant_front --port 6333`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias

import msgspec
from aiohttp import web
from pydantic_core import to_json

from tests.support.qdrant_engine import Engine, Refusal

MAX_REQUEST = 32 * 1024 * 1024
_Action: TypeAlias = Callable[[Engine, Mapping[str, str], bytes], object]


@dataclass(frozen=True)
class Call:
    """One request, and the status it was answered with (0: the connection was dropped)."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    peer: str
    """The connection it came through."""
    body: bytes
    status: int


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose method and path match."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    """The body instead of Qdrant's own words."""
    delay: float = 0.0
    """Seconds before the request is looked at."""
    drop: bool = False
    """The connection is cut instead of an answer."""
    after: bool = False
    """The request is carried out before it goes wrong."""
    update_status: str | None = None
    """What is said about the write instead of `completed`."""
    method: str = "PUT"
    path: str = r"/points$"
    times: int = 1


class Front:
    """Serves one engine from a thread of its own. `port` 0: any free one."""

    def __init__(self, *, port: int = 0, version: str = "1.20.0") -> None:
        self.port, self.version = port, version
        self.engine = Engine()
        self.calls: list[Call] = []
        self._faults: list[Fault] = []
        self._serving: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fail(self, fault: Fault) -> None:
        self._faults.append(fault)

    def reset(self) -> None:
        """Forget the calls and the faults; what is kept stays."""
        self.calls.clear()
        self._faults.clear()
        self.engine.refused = set()

    def asked(self, method: str, path: str) -> list[Call]:
        """The calls so far whose path ends in a match of `path`."""
        return [call for call in self.calls if call.method == method and re.search(path, call.path)]

    def start(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(ready.set)), name="qdrant-front")
        self._thread.start()
        if not ready.wait(timeout=10):
            raise RuntimeError(f"nothing serves on port {self.port}")

    def stop(self) -> None:
        if self._serving is None or self._thread is None:
            return
        loop, stop = self._serving
        loop.call_soon_threadsafe(stop.set)
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def serve(self, started: Callable[[], object]) -> None:
        """Serve until SIGTERM, SIGINT (in a main thread) or `stop`; `started` is called once `port` is known."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._serving = loop, stop
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(name, stop.set)
        app = web.Application(client_max_size=MAX_REQUEST)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.port = int(runner.addresses[0][1])
        started()
        await stop.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        match request.method, request.path:
            case "POST", "/__faults":
                self.fail(msgspec.json.decode(await request.read(), type=Fault))
                return web.json_response({})
            case "GET", "/__calls":
                return web.json_response([[call.method, call.path, call.status] for call in self.calls])
        body = await self._read(request)
        answer = await self._answer(request, body)
        self._record(request, body, 0 if answer is None else answer.status)
        if answer is None and request.transport is not None:
            request.transport.abort()
        return answer or web.Response()

    async def _read(self, request: web.Request) -> bytes:
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge:
            self._record(request, b"", 413)
            raise

    def _record(self, request: web.Request, body: bytes, status: int) -> None:
        query = tuple(request.query.items())
        peer = str(request.transport and request.transport.get_extra_info("peername"))
        self.calls.append(
            Call(
                method=request.method,
                path=request.path,
                query=query,
                headers=request.headers.copy(),
                peer=peer,
                body=body,
                status=status,
            )
        )

    async def _answer(self, request: web.Request, body: bytes) -> web.Response | None:
        """The answer; None cuts the connection."""
        fault = self._fault(request)
        if fault is None:
            return self._result(request, body, None)
        await asyncio.sleep(fault.delay)
        if fault.status is None and not fault.drop:
            return self._result(request, body, fault.update_status)
        if fault.after:
            self._result(request, body, None)
        return None if fault.drop else _failing(fault)

    def _fault(self, request: web.Request) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and fault.method == request.method and re.search(fault.path, request.path):
                fault.times -= 1
                return fault
        return None

    def _result(self, request: web.Request, body: bytes, update_status: str | None) -> web.Response:
        if (request.method, request.path) == ("GET", "/"):
            return _json(to_json({"title": "qdrant - vector search engine", "version": self.version}))
        try:
            result = _act(self.engine, request, body)
        except Refusal as refusal:
            return _failure(refusal, {})
        if update_status is not None:
            result = {"operation_id": 0, "status": update_status}
        return _json(to_json({"result": result, "status": "ok", "time": 0.0}))


_ROUTES: tuple[tuple[str, str, _Action], ...] = (
    ("GET", r"/collections", lambda engine, _, __: engine.collections()),
    ("GET", r"/aliases", lambda engine, _, __: engine.aliases()),
    ("POST", r"/collections/aliases", lambda engine, _, body: engine.change_aliases(body)),
    ("PUT", r"/collections/(?P<name>[^/]+)", lambda engine, at, body: engine.create(at["name"], body)),
    ("GET", r"/collections/(?P<name>[^/]+)", lambda engine, at, _: engine.info(at["name"])),
    ("PUT", r"/collections/(?P<name>[^/]+)/index", lambda engine, at, body: engine.index(at["name"], body)),
    ("PUT", r"/collections/(?P<name>[^/]+)/points", lambda engine, at, body: engine.upsert(at["name"], body)),
    ("POST", r"/collections/(?P<name>[^/]+)/points", lambda engine, at, body: engine.retrieve(at["name"], body)),
    ("POST", r"/collections/(?P<name>[^/]+)/points/scroll", lambda engine, at, body: engine.scroll(at["name"], body)),
    ("POST", r"/collections/(?P<name>[^/]+)/points/query", lambda engine, at, body: engine.query(at["name"], body)),
    ("POST", r"/collections/(?P<name>[^/]+)/points/count", lambda engine, at, body: engine.count(at["name"], body)),
    ("POST", r"/collections/(?P<name>[^/]+)/facet", lambda engine, at, body: engine.facet(at["name"], body)),
)


def _act(engine: Engine, request: web.Request, body: bytes) -> object:
    for method, pattern, action in _ROUTES:
        if method == request.method and (found := re.fullmatch(pattern, request.path)):
            return action(engine, found.groupdict(), body)
    raise Refusal(404, f"no such route: {request.method} {request.path}")


def _failure(refusal: Refusal, headers: Mapping[str, str]) -> web.Response:
    answer = _json(to_json({"status": {"error": refusal.error}, "time": 0.0}))
    answer.set_status(refusal.status)
    answer.headers.update(headers)
    return answer


def _failing(fault: Fault) -> web.Response:
    if fault.text is not None:
        return web.Response(status=fault.status or 500, text=fault.text, headers=fault.headers)
    return _failure(Refusal(fault.status or 500, "injected"), fault.headers)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _announce(front: Front) -> None:
    sys.stdout.write(f"{front.url}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    front = Front(port=parser.parse_args().port)
    asyncio.run(front.serve(lambda: _announce(front)))


if __name__ == "__main__":
    main()
