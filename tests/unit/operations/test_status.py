"""Status puts together what workers and brokers say, and tells a person what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from streams.adapters.addresses import announced
from streams.adapters.rendering import line
from streams.adapters.status import AgentState, AgentStatus, Report, Waiting, WorkerStatus, report
from streams.operations import lags
from streams.operations.status import AgentRow, Overview, ask_workers, hints, overview
from streams.settings import Index, Kafka, Settings, Worker

ALL = ("track", "settle", "sweep", "embed-mini", "index-objects-mini")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(lags, "ANSWER_SECONDS", 0.3)
    return Settings(kafka=Kafka(bootstrap="127.0.0.1:9"), worker=Worker(data=tmp_path, port=0))


def worker(name="porch", *agents: AgentStatus) -> Report:
    return report(WorkerStatus(name=name, agents=agents), "1.0")


def ready(name: str, **parts) -> AgentStatus:
    return AgentStatus(name=name, state=AgentState.READY, **parts)


@dataclass
class Answer:
    status: int = 200
    body: str = field(default_factory=lambda: line(worker("porch", ready("track"))))


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A worker's HTTP server, as far as `status` knows it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            self.send_response(answer.status if self.path == "/api/status" else 404)
            self.end_headers()
            self.wfile.write(answer.body.encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def told(**parts) -> Overview:
    rows = tuple(AgentRow(agent=name, lag=0, worker="porch", status=ready(name)) for name in ALL)
    return Overview(**{"agents": rows, "workers": (worker("porch", *map(ready, ALL)),), **parts})


# ---- asking


def test_workers_are_found_in_the_data_folder_and_asked(settings):
    with answering(Answer()) as url, announced(settings.worker.data, "porch", url):
        (answer,) = ask_workers(settings)
    assert (answer.worker, answer.agents) == ("porch", (ready("track"),))


def test_a_worker_at_the_configured_address_is_asked_once(settings):
    with answering(Answer()) as url, announced(settings.worker.data, "porch", url):
        port = int(url.rsplit(":", 1)[1])
        at_port = settings.model_copy(update={"worker": Worker(data=settings.worker.data, port=port)})
        assert len(ask_workers(at_port)) == 1


def test_a_worker_that_was_killed_is_passed_over(settings):
    with announced(settings.worker.data, "gone", "http://127.0.0.1:9"):
        assert ask_workers(settings) == ()


@pytest.mark.parametrize("answer", [Answer(status=500), Answer(body="<html>"), Answer(body="{}")])
def test_something_that_is_no_worker_is_passed_over(settings, answer):
    with answering(answer) as url, announced(settings.worker.data, "porch", url):
        assert ask_workers(settings) == ()


def test_without_broker_and_worker_every_agent_is_still_listed(settings):
    found = overview(settings)
    assert [row.agent for row in found.agents] == list(ALL)
    assert (found.well, found.kafka) == (False, "no broker answers at 127.0.0.1:9")


def test_an_agent_that_two_workers_run_has_two_rows(settings):
    with (
        answering(Answer()) as one,
        answering(Answer(body=line(worker("yard", ready("track"))))) as two,
        announced(settings.worker.data, "porch", one),
        announced(settings.worker.data, "yard", two),
    ):
        rows = overview(settings).agents
    assert [row.worker for row in rows if row.agent == "track"] == ["porch", "yard"]


# ---- what it amounts to


def test_all_is_well_when_every_agent_is_ready_somewhere():
    assert told().well


def test_it_is_not_well_while_an_agent_recovers():
    rows = (
        *told().agents[1:],
        AgentRow(agent="track", lag=0, status=AgentStatus(name="track", state=AgentState.RECOVERING)),
    )
    assert not told(agents=rows).well


def test_a_stopped_agent_is_a_problem():
    stopped = AgentStatus(name="index-objects-mini", state=AgentState.STOPPED)
    found = told(workers=(worker("porch", stopped),))
    assert not found.well
    assert list(hints(found, Settings())) == ["worker porch: agent index-objects-mini stopped"]


def test_where_all_is_well_there_is_nothing_to_do():
    assert list(hints(told(), Settings())) == []


def test_a_missing_broker_and_a_missing_worker_are_told_with_the_cure():
    rows = tuple(AgentRow(agent=name, lag=None) for name in ALL)
    found = told(agents=rows, workers=(), kafka="no broker answers at here:9092")
    assert list(hints(found, Settings())) == [
        "no broker answers at here:9092: start it (nvr-streams local up), or set kafka.bootstrap",
        "no worker answers on this machine: start one (nvr-streams worker)",
    ]


def test_agents_that_nobody_runs_here_are_named():
    rows = (*told().agents[1:], AgentRow(agent="track", lag=3))
    assert list(hints(told(agents=rows), Settings())) == [
        "no worker here runs track: start one (nvr-streams worker track)"
    ]


def test_missing_topics_are_told_with_the_cure():
    rows = tuple(AgentRow(agent=row.agent, lag=None, worker="porch", status=row.status) for row in told().agents)
    assert list(hints(told(agents=rows), Settings())) == ["topics are missing: make them (nvr-streams topics create)"]


def test_an_outage_names_the_neighbour_and_its_address():
    waiting = ready("index-objects-mini", waiting=(Waiting(what="index", messages=3, seconds=9),))
    found = told(agents=(AgentRow(agent="index-objects-mini", lag=3, status=waiting),))
    (hint,) = hints(found, Settings(index=Index(url="http://qdrant:6333")))
    assert hint == (
        "messages wait for index (index.url: http://qdrant:6333): nothing is lost, work goes on once it answers"
    )


def test_what_the_neighbour_said_is_told():
    said = "subject nvr-objects-value is not registered; run: nvr-streams schemas register"
    waiting = ready("settle", waiting=(Waiting(what="registry", messages=3, seconds=9, why=said),))
    (hint,) = hints(told(agents=(AgentRow(agent="settle", lag=3, status=waiting),)), Settings())
    assert hint.endswith(f"work goes on once it answers; {said}")


def test_credentials_in_an_address_stay_hidden():
    waiting = ready("index-objects-mini", waiting=(Waiting(what="index", messages=3, seconds=9),))
    found = told(agents=(AgentRow(agent="index-objects-mini", lag=3, status=waiting),))
    assert "hunter2" not in " ".join(hints(found, Settings(index=Index(url="http://me:hunter2@qdrant:6333"))))
