"""The worker's HTTP server, asked over real loopback HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import msgspec
import pytest
from yarl import URL

from streams.adapters import http
from streams.adapters.addresses import found
from streams.adapters.http import Answers, Parameters, serve
from streams.adapters.status import AgentState, AgentStatus, ModelState, ModelStatus, Report, Waiting, WorkerStatus
from streams.domain.errors import Outage, Poison, SettingsError
from streams.domain.messages import Message
from streams.ports import Hit
from streams.settings import Worker
from tests.support.builders import OBJECT, record

HIT = Hit(
    object_id=OBJECT,
    score=0.31,
    camera="porch",
    label="person",
    sub_label=None,
    zones=("steps",),
    start_time=0,
    end_time=None,
    top_score=0.9,
    description=None,
    thumbnail=None,
)
READY = AgentStatus(name="track", state=AgentState.READY)


@dataclass
class Neighbours:
    """What stands behind the server, scripted."""

    status: WorkerStatus = field(default_factory=lambda: WorkerStatus(name="porch", agents=(READY,)))
    error: Exception | None = None
    asked: list[Parameters | str] = field(default_factory=list)
    delay: float = 0.0

    async def search(self, parameters: Parameters) -> list[Hit]:
        await self._answer(parameters)
        return [HIT]

    async def find_object(self, object_id: str) -> Message:
        await self._answer(object_id)
        return record(3)

    async def _answer(self, question: Parameters | str) -> None:
        self.asked.append(question)
        await asyncio.sleep(self.delay)
        if self.error:
            raise self.error


@asynccontextmanager
async def served(neighbours: Neighbours, tmp_path) -> AsyncIterator[aiohttp.ClientSession]:
    answers = Answers(
        status=lambda: neighbours.status,
        metrics=lambda: b"nvr_streams_lag_messages 5\n",
        search=neighbours.search,
        find_object=neighbours.find_object,
    )
    async with (
        serve(Worker(name="porch", port=0, data=tmp_path), answers) as url,
        aiohttp.ClientSession(base_url=url) as session,
    ):
        yield session


async def got(session: aiohttp.ClientSession, path: str) -> tuple[int, object]:
    async with session.get(path) as answer:
        return answer.status, await answer.json()


@pytest.fixture
def neighbours():
    return Neighbours()


@pytest.fixture
async def session(neighbours, tmp_path):
    async with served(neighbours, tmp_path) as session:
        yield session


async def test_metrics_are_served_as_text(session):
    async with session.get("/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert await answer.text() == "nvr_streams_lag_messages 5\n"


async def test_a_healthy_worker_is_live_and_ready(session):
    assert await got(session, "/health") == (200, {"live": True, "problems": [], "waiting": []})
    assert await got(session, "/ready") == (200, {"ready": True, "missing": [], "waiting": []})


async def test_readiness_is_refused_with_what_is_waited_for(session, neighbours):
    recovering = AgentStatus(name="settle", state=AgentState.RECOVERING, detail="12 of 20 records")
    neighbours.status = WorkerStatus(name="porch", agents=(READY, recovering))
    status, body = await got(session, "/ready")
    assert (status, body["missing"]) == (503, ["agent settle is recovering: 12 of 20 records"])
    assert (await got(session, "/health"))[0] == 200


async def test_a_stopped_agent_turns_health_red(session, neighbours):
    stopped = AgentStatus(name="index", state=AgentState.STOPPED)
    neighbours.status = WorkerStatus(name="porch", agents=(stopped,))
    status, body = await got(session, "/health")
    assert (status, body["problems"]) == (503, ["agent index stopped"])


async def test_an_outage_is_told_and_leaves_health_green(session, neighbours):
    waits = (Waiting(what="index", messages=3, seconds=12.0),)
    waiting = AgentStatus(name="index", state=AgentState.READY, waiting=waits)
    neighbours.status = WorkerStatus(name="porch", agents=(waiting,))
    for path in ("/health", "/ready"):
        status, body = await got(session, path)
        assert status == 200
        assert body["waiting"] == ["agent index is waiting for index (3 messages, 12 s)"]


async def test_status_tells_everything_and_can_be_read_back(session, neighbours):
    model = ModelStatus(name="joint", state=ModelState.READY, provider="CPUExecutionProvider")
    neighbours.status = WorkerStatus(name="porch", agents=(READY,), models=(model,))
    async with session.get("/api/status") as answer:
        report = msgspec.json.decode(await answer.read(), type=Report)
    assert (report.worker, report.ready, report.agents, report.models) == ("porch", True, (READY,), (model,))
    assert report.version


async def test_a_search_is_handed_on_with_all_its_parameters(session, neighbours):
    status, body = await got(session, "/api/search?text=a+bicycle&camera=porch&camera=yard&limit=5")
    assert neighbours.asked == [{"text": ("a bicycle",), "camera": ("porch", "yard"), "limit": ("5",)}]
    assert (status, [hit["object_id"] for hit in body["hits"]]) == (200, [OBJECT])
    assert body["hits"][0]["start_time"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("object_id", ["1764000000.5-abc", "with/slash", "a b", "größe", "a?b#c%"])
async def test_an_object_is_found_by_any_id(session, neighbours, object_id):
    path = URL.build(path=f"/api/objects/{object_id}")
    status, body = await got(session, path)
    assert (status, neighbours.asked) == (200, [object_id])
    assert body["object_id"] == OBJECT


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (LookupError("no object x"), 404, "no object x"),
        (ValueError("limit: many is no number"), 400, "limit: many is no number"),
        (Poison("unknown parameter", "colour"), 400, "unknown parameter: colour"),
        (Outage("index", "refused"), 503, "waiting for index: refused"),
        (SettingsError("index.collection: made by another model"), 500, "index.collection: made by another model"),
    ],
)
async def test_errors_are_one_clear_line_of_json(session, neighbours, error, status, words):
    neighbours.error = error
    assert await got(session, "/api/search?text=x") == (status, {"error": words})


async def test_a_bug_is_no_answer_but_logged(session, neighbours, caplog):
    neighbours.error = KeyError("porch")
    async with session.get("/api/search") as answer:
        assert answer.status == 500
    assert "KeyError: 'porch'" in caplog.text


async def test_an_outage_says_when_to_ask_again(session, neighbours):
    neighbours.error = Outage("index", retry_after=2.5)
    async with session.get("/api/search") as answer:
        assert answer.headers["Retry-After"] == "3"


async def test_a_question_without_answer_is_given_up(session, neighbours, monkeypatch):
    monkeypatch.setattr(http, "PATIENCE", 0.01)
    neighbours.delay = 5
    assert (await got(session, "/api/search"))[0] == 504


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/api/search", 405)])
async def test_a_wrong_address_is_json_too(session, method, path, status):
    async with session.request(method, path) as answer:
        assert answer.status == status
        assert path in (await answer.json())["error"]


async def test_too_many_parameters_are_refused(session, neighbours):
    path = "/api/search?" + "&".join(f"a={i}" for i in range(300))
    assert (await got(session, path))[0] == 400
    assert neighbours.asked == []


async def test_a_very_long_line_is_refused(session, neighbours):
    async with session.get("/api/search", params={"text": "x" * 20_000}) as answer:
        assert answer.status == 400
    assert neighbours.asked == []


@pytest.mark.usefixtures("session")
async def test_the_address_in_use_can_be_found(tmp_path):
    (address,) = found(tmp_path)
    assert address.name == "porch"
    assert address.url.startswith("http://127.0.0.1:")
    assert not address.url.endswith(":0")


@pytest.mark.usefixtures("session")
async def test_a_taken_port_is_refused_by_the_settings_name(neighbours, tmp_path):
    (address,) = found(tmp_path)
    worker = Worker(name="second", port=int(address.url.rsplit(":", 1)[1]), data=tmp_path)
    answers = Answers(
        status=lambda: neighbours.status, metrics=bytes, search=neighbours.search, find_object=neighbours.find_object
    )
    with pytest.raises(SettingsError, match=r"worker\.port: \d+ on 127\.0\.0\.1 is taken; name another one, or 0"):
        async with serve(worker, answers):
            pass


async def test_a_foreign_address_is_refused_by_the_settings_name(neighbours, tmp_path):
    worker = Worker(name="porch", host="192.0.2.1", port=0, data=tmp_path)
    answers = Answers(
        status=lambda: neighbours.status, metrics=bytes, search=neighbours.search, find_object=neighbours.find_object
    )
    with pytest.raises(SettingsError, match=r"worker\.host: cannot listen on 192\.0\.2\.1:0"):
        async with serve(worker, answers):
            pass
