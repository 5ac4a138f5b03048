"""What a worker says about itself: plain values that health, `/api/status` and the command line share."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class AgentState(StrEnum):
    STARTING = "starting"
    RECOVERING = "recovering"
    """Reads its table or a broadcast topic."""
    READY = "ready"
    STOPPED = "stopped"


class ModelState(StrEnum):
    NOT_LOADED = "not_loaded"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Messages that wait in place for a neighbour; `seconds` since the first of them began to wait."""

    what: str
    messages: int
    seconds: float
    why: str = ""
    """What the neighbour's failure said last, without credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Messages of one partition that are not committed yet."""

    topic: str
    partition: int
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """One agent in one process. Counts are since the start of the process; `rate` is messages per second."""

    name: str
    state: AgentState
    detail: str = ""
    lag: int = 0
    lags: tuple[Lag, ...] = ()
    in_flight: int = 0
    partitions: int = 0
    handled: int = 0
    rate: float = 0.0
    waiting: tuple[Waiting, ...] = ()
    failed: dict[str, int] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    rewinds: int = 0
    gap_offsets: int = 0
    overtaken: int = 0
    deadlines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """`provider` is what inference really runs on, empty until the model is loaded."""

    name: str
    state: ModelState
    detail: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkStatus:
    """One kind of work: exponential average of its duration, and how often it was done in the last 10 s."""

    name: str
    done: int
    seconds: float
    per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    name: str
    agents: tuple[AgentStatus, ...] = ()
    models: tuple[ModelStatus, ...] = ()
    work: tuple[WorkStatus, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What a person must put right; empty: nothing. Waiting for a neighbour is none: it cures itself."""
        stopped = [f"agent {a.name} stopped{_because(a.detail)}" for a in self.agents if a.state is AgentState.STOPPED]
        failed = [f"model {m.name} failed{_because(m.detail)}" for m in self.models if m.state is ModelState.FAILED]
        return (*stopped, *failed)

    @property
    def missing(self) -> tuple[str, ...]:
        """What this worker still needs before it is ready; empty: it is."""
        agents = [
            f"agent {a.name} is {a.state}{_because(a.detail)}" for a in self.agents if a.state != AgentState.READY
        ]
        models = [
            f"model {m.name} is {m.state}{_because(m.detail)}" for m in self.models if m.state != ModelState.READY
        ]
        return (*agents, *models) if self.agents else ("no agent has started yet",)

    @property
    def waiting(self) -> tuple[str, ...]:
        return tuple(
            f"agent {agent.name} is waiting for {wait.what} ({wait.messages} messages, {wait.seconds:.0f} s)"
            for agent in self.agents
            for wait in agent.waiting
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a worker answers when it is asked over HTTP."""

    worker: str
    version: str
    ready: bool
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    agents: tuple[AgentStatus, ...] = ()
    models: tuple[ModelStatus, ...] = ()
    work: tuple[WorkStatus, ...] = ()


def report(status: WorkerStatus, version: str) -> Report:
    return Report(
        worker=status.name,
        version=version,
        ready=not status.missing,
        missing=status.missing,
        problems=status.problems,
        waiting=status.waiting,
        agents=status.agents,
        models=status.models,
        work=status.work,
    )


def _because(detail: str) -> str:
    return f": {detail}" if detail else ""
