"""What happens, counted: the meters that agents, models and kinds of work write to, and what is read from them."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from streams.adapters.exposition import Exposition
from streams.adapters.status import (
    AgentState,
    AgentStatus,
    Lag,
    ModelState,
    ModelStatus,
    Waiting,
    WorkerStatus,
    WorkStatus,
)
from streams.setting_errors import without_credentials

Clock = Callable[[], float]
"""Seconds on a clock that never goes back."""

TimedPhase = Literal["decode", "handle", "publish", "changelog", "commit"]
"""Where the time of one message goes, in order."""

RATE_WINDOW = 10.0
"""Seconds that a rate looks back on."""

_SLOT = 0.1
"""Events are gathered in slots this long, so that a rate costs the same at any speed."""

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Rate:
    """Events per second over the last 10 s, or since the start where that is shorter; it decays when traffic stops."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._start = clock, clock()
        self._slots: deque[tuple[float, int]] = deque()

    def add(self, events: int = 1) -> None:
        now = self._clock()
        self._forget(now)
        if self._slots and now - self._slots[-1][0] < _SLOT:
            began, count = self._slots.pop()
            self._slots.append((began, count + events))
        else:
            self._slots.append((now, events))

    def per_second(self) -> float:
        now = self._clock()
        self._forget(now)
        window = min(RATE_WINDOW, now - self._start) or 1.0
        return sum(count for _, count in self._slots) / window

    def _forget(self, now: float) -> None:
        while self._slots and now - self._slots[0][0] > RATE_WINDOW:
            self._slots.popleft()


def averaged(known: float | None, new: float) -> float:
    """Exponential average of durations, seconds: the first as it is, then (9 * known + new) / 10."""
    return new if known is None else (9 * known + new) / 10


class AgentMeter:
    """What one agent does. Called on the worker's event loop, some times per message: nothing here waits."""

    def __init__(self, name: str, clock: Clock, seconds: Histogram) -> None:
        self.name = name
        self._clock, self._seconds = clock, seconds
        self._state, self._detail = AgentState.STARTING, ""
        self._rate = Rate(clock)
        self._in_flight = self._partitions = 0
        self._waits: dict[str, deque[float]] = {}
        self._whys: dict[str, str] = {}
        self._lags: dict[tuple[str, int], int] = {}
        self._handled = self._rewinds = self._gap_offsets = self._overtaken = self._deadlines = 0
        self._failures: Counter[str] = Counter()
        self._buried: Counter[str] = Counter()

    def state(self, state: AgentState, detail: str = "") -> None:
        """Where this agent stands; `detail` says how far, or why."""
        self._state, self._detail = state, detail

    def lag(self, topic: str, partition: int, messages: int) -> None:
        """How many messages of a partition that is owned are not committed yet."""
        self._lags[topic, partition] = messages

    def revoked(self, topic: str, partition: int) -> None:
        """The partition belongs to somebody else now: its lag is no longer ours to tell."""
        self._lags.pop((topic, partition), None)

    def partitions(self, owned: int) -> None:
        self._partitions = owned

    def in_flight(self, messages: int) -> None:
        self._in_flight = messages

    def handled(self) -> None:
        """A message is finished: its effects and its offset are safe. Dead letters count too."""
        self._handled += 1
        self._rate.add()

    @contextmanager
    def phase(self, phase: TimedPhase) -> Iterator[None]:
        """Time a block of one phase, also when it raises."""
        began = self._clock()
        try:
            yield
        finally:
            self._seconds.labels(self.name, phase).observe(self._clock() - began)

    def failed(self, reason: str) -> None:
        """One attempt failed; `reason` is a short, stable phrase (an outage's `what`, a poison's reason, `bug`)."""
        self._failures[reason] += 1

    def dead_letter(self, reason: str) -> None:
        self._buried[reason] += 1

    @contextmanager
    def waiting(self, what: str, why: str = "") -> Iterator[bool]:
        """One message waits for a neighbour as long as the block lasts; `why` is what its failure said.

        Yields whether it is the only one, so that an outage is logged once and not by every message.
        """
        waits = self._waits.setdefault(what, deque())
        self._whys[what] = without_credentials(why)
        began = self._clock()
        waits.append(began)
        try:
            yield len(waits) == 1
        finally:
            waits.remove(began)

    def rewound(self) -> None:
        """The consumer skipped messages that were never seen, and was set back to them."""
        self._rewinds += 1

    def gap(self, offsets: int) -> None:
        """Offsets that do not exist: compacted away, or markers of transactions."""
        self._gap_offsets += offsets

    def overtaken(self, messages: int) -> None:
        """Messages that retention removed before they were read: they are lost."""
        self._overtaken += messages

    def deadline_fired(self) -> None:
        self._deadlines += 1

    def status(self) -> AgentStatus:
        now = self._clock()
        waits = {what: tuple(began) for what, began in self._waits.items() if began}
        return AgentStatus(
            name=self.name,
            state=self._state,
            detail=self._detail,
            lag=sum(self._lags.values()),
            lags=tuple(Lag(topic=t, partition=p, messages=n) for (t, p), n in self._lags.items()),
            in_flight=self._in_flight,
            partitions=self._partitions,
            handled=self._handled,
            rate=self._rate.per_second(),
            waiting=tuple(
                Waiting(what=what, messages=len(began), seconds=now - min(began), why=self._whys[what])
                for what, began in waits.items()
            ),
            failed=dict(self._failures),
            dead_letters=dict(self._buried),
            rewinds=self._rewinds,
            gap_offsets=self._gap_offsets,
            overtaken=self._overtaken,
            deadlines=self._deadlines,
        )


class ModelMeter:
    """Where one model stands, and on what it really runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._state, self._detail, self._provider = ModelState.NOT_LOADED, "", ""

    def state(self, state: ModelState, detail: str = "") -> None:
        self._state, self._detail = state, detail

    def provider(self, provider: str) -> None:
        """What inference runs on, such as `CPUExecutionProvider`."""
        self._provider = provider

    def status(self) -> ModelStatus:
        return ModelStatus(name=self.name, state=self._state, detail=self._detail, provider=self._provider)


class WorkMeter:
    """How long one kind of work takes, and how often it is done."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._done, self._rate = 0, Rate(clock)
        self._seconds: float | None = None

    def done(self, seconds: float, *, items: int = 1) -> None:
        """`items` were done together in `seconds`; the speed is told per item."""
        self._done += items
        self._rate.add(items)
        self._seconds = averaged(self._seconds, seconds / items)

    def status(self) -> WorkStatus:
        return WorkStatus(
            name=self.name, done=self._done, seconds=self._seconds or 0.0, per_second=self._rate.per_second()
        )


class Telemetry:
    """All meters of one worker. A meter is made when it is first asked for, so nothing hangs on what was on at start."""

    def __init__(self, worker: str, clock: Clock = time.monotonic) -> None:
        self._worker, self._clock = worker, clock
        self._agents: dict[str, AgentMeter] = {}
        self._models: dict[str, ModelMeter] = {}
        self._work: dict[str, WorkMeter] = {}
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "nvr_streams_phase_seconds",
            "Seconds that one message spends in a phase.",
            ("agent", "phase"),
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self._registry.register(Exposition(self.status))
        ProcessCollector(registry=self._registry)

    def agent(self, name: str) -> AgentMeter:
        if name not in self._agents:
            self._agents[name] = AgentMeter(name, self._clock, self._seconds)
        return self._agents[name]

    def model(self, name: str) -> ModelMeter:
        return self._models.setdefault(name, ModelMeter(name))

    def work(self, name: str) -> WorkMeter:
        """The meter of one kind of work, such as `image_embedding` or `text_embedding`."""
        if name not in self._work:
            self._work[name] = WorkMeter(name, self._clock)
        return self._work[name]

    def status(self) -> WorkerStatus:
        return WorkerStatus(
            name=self._worker,
            agents=tuple(meter.status() for meter in self._agents.values()),
            models=tuple(meter.status() for meter in self._models.values()),
            work=tuple(meter.status() for meter in self._work.values()),
        )

    def exposition(self) -> bytes:
        """Everything in the text format of Prometheus."""
        return generate_latest(self._registry)
