"""How things stand: what each worker that answers says, each agent's lag as the brokers have it, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import httpx
import msgspec

from streams.adapters.addresses import candidates
from streams.adapters.status import AgentState, AgentStatus, Report
from streams.domain.errors import Outage
from streams.operations.installation import agents
from streams.operations.lags import agent_lags
from streams.setting_errors import without_credentials
from streams.settings import Settings

ANSWER_SECONDS = 2.0
"""How long a worker has to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """One agent, and the worker that speaks for it; without one, only its lag is known."""

    agent: str
    lag: int | None
    """Messages that its group has not committed; None: unknown."""
    worker: str | None = None
    status: AgentStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    agents: tuple[AgentRow, ...]
    workers: tuple[Report, ...] = ()
    kafka: str | None = None
    """Why the brokers could not be asked."""

    @property
    def well(self) -> bool:
        """Whether every agent is ready somewhere, and nothing has to be put right."""
        served = {row.agent for row in self.agents if row.status and row.status.state is AgentState.READY}
        return not self.kafka and served == {row.agent for row in self.agents} and not any(self.problems)

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(f"worker {report.worker}: {problem}" for report in self.workers for problem in report.problems)


def overview(settings: Settings) -> Overview:
    """Ask the workers of this machine and the brokers; whoever does not answer is told, not raised."""
    reports = ask_workers(settings)
    lags: dict[str, int | None] = dict.fromkeys(agent.name for agent in agents(settings))
    kafka = None
    try:
        lags = agent_lags(settings)
    except Outage as error:
        kafka = error.detail
    return Overview(agents=tuple(_rows(lags, reports)), workers=reports, kafka=kafka)


def ask_workers(settings: Settings) -> tuple[Report, ...]:
    """What the workers that answer say, each once."""
    with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False) as client:
        reports = [report for url in candidates(settings.worker) if (report := _ask(client, url))]
    return tuple({report.worker: report for report in reports}.values())


def hints(overview: Overview, settings: Settings) -> Iterator[str]:
    """What a person can do about it, one line each."""
    if overview.kafka:
        yield f"{overview.kafka}: start it (nvr-streams local up), or set kafka.bootstrap"
    if not overview.workers:
        yield "no worker answers on this machine: start one (nvr-streams worker)"
    elif idle := sorted({row.agent for row in overview.agents if row.status is None}):
        yield f"no worker here runs {', '.join(idle)}: start one (nvr-streams worker {' '.join(idle)})"
    if not overview.kafka and any(row.lag is None for row in overview.agents):
        yield "topics are missing: make them (nvr-streams topics create)"
    yield from overview.problems
    yield from _outages(overview, settings)


def _outages(overview: Overview, settings: Settings) -> Iterator[str]:
    where = {
        "index": f"index.url: {settings.index.url or settings.index.path}",
        "store": f"store.url: {settings.store.url}",
        "registry": f"registry.url: {settings.registry.url}",
        "kafka": f"kafka.bootstrap: {settings.kafka.bootstrap}",
    }
    waits = {wait.what: wait.why for row in overview.agents if row.status for wait in row.status.waiting}
    for what, why in sorted(waits.items()):
        place = f" ({without_credentials(where[what])})" if what in where else ""
        said = f"; {why}" if why else ""
        yield f"messages wait for {what}{place}: nothing is lost, work goes on once it answers{said}"


def _ask(client: httpx.Client, url: str) -> Report | None:
    """A worker's report; None when nobody answers there, or something that is no worker."""
    try:
        answer = client.get(f"{url}/api/status")
        return msgspec.json.decode(answer.content, type=Report) if answer.is_success else None
    except (httpx.HTTPError, msgspec.MsgspecError):
        return None


def _rows(lags: dict[str, int | None], reports: Iterable[Report]) -> Iterator[AgentRow]:
    """One row per agent and worker that runs it; agents of the workers that the settings do not know come last."""
    running = [(report.worker, status) for report in reports for status in report.agents]
    for agent in dict.fromkeys((*lags, *(status.name for _, status in running))):
        mine = [(worker, status) for worker, status in running if status.name == agent]
        yield from (AgentRow(agent=agent, lag=lags.get(agent), worker=worker, status=status) for worker, status in mine)
        if not mine:
            yield AgentRow(agent=agent, lag=lags.get(agent))
