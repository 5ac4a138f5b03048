"""The metrics that Prometheus scrapes, made from a worker's status at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.adapters.status import AgentState, AgentStatus, ModelState, ModelStatus, WorkerStatus, WorkStatus

Sample = tuple[tuple[str, ...], float]
"""The values of a metric's labels, and its own."""

_PREFIX = "nvr_streams_"


class Exposition(Collector):
    """Asks for the status at every scrape, so that rates decay when traffic stops."""

    def __init__(self, status: Callable[[], WorkerStatus]) -> None:
        self._status = status

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: names are checked at the scrape, labels appear as things happen."""
        return ()

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        yield InfoMetricFamily(_PREFIX + "worker", "The worker's name.", {"name": status.name})
        yield from _states(status.agents)
        yield from _agents(status.agents)
        yield from _failures(status.agents)
        yield from _models(status.models)
        yield from _work(status.work)


def _agents(agents: tuple[AgentStatus, ...]) -> Iterator[Metric]:
    """One value per agent."""

    def each(value: Callable[[AgentStatus], float]) -> Iterator[Sample]:
        return (((agent.name,), value(agent)) for agent in agents)

    own = ("agent",)
    yield _gauge("in_flight_messages", "Messages that the agent holds.", own, each(lambda a: a.in_flight))
    yield _gauge("partitions_owned", "Partitions that the agent reads.", own, each(lambda a: a.partitions))
    yield _gauge("messages_per_second", "Messages finished in the last 10 s, per second.", own, each(lambda a: a.rate))
    yield _counter("handled_messages", "Messages finished, dead letters too.", own, each(lambda a: a.handled))
    rewinds = "Times the consumer skipped messages and was set back."
    yield _counter("rewinds", rewinds, own, each(lambda a: a.rewinds))
    gaps = "Offsets that do not exist: compacted away, or markers."
    yield _counter("gap_offsets", gaps, own, each(lambda a: a.gap_offsets))
    overtaken = "Messages lost because retention removed them before they were read."
    yield _counter("overtaken_messages", overtaken, own, each(lambda a: a.overtaken))
    yield _counter("deadlines_fired", "Keys whose deadline came.", own, each(lambda a: a.deadlines))


def _states(agents: tuple[AgentStatus, ...]) -> Iterator[Metric]:
    yield _gauge(
        "agent_state",
        "1 for the state that the agent is in.",
        ("agent", "state"),
        (((a.name, state), float(a.state is state)) for a in agents for state in AgentState),
    )
    yield _gauge(
        "lag_messages",
        "Messages of an owned partition that are not committed yet.",
        ("agent", "topic", "partition"),
        (((a.name, lag.topic, str(lag.partition)), lag.messages) for a in agents for lag in a.lags),
    )
    yield _gauge(
        "waiting_messages",
        "Messages that wait in place for a neighbour.",
        ("agent", "what"),
        (((a.name, wait.what), wait.messages) for a in agents for wait in a.waiting),
    )
    yield _gauge(
        "waiting_seconds",
        "How long the first of them has waited.",
        ("agent", "what"),
        (((a.name, wait.what), wait.seconds) for a in agents for wait in a.waiting),
    )


def _failures(agents: tuple[AgentStatus, ...]) -> Iterator[Metric]:
    yield _counter(
        "failed_attempts",
        "Attempts at a message that failed, by reason.",
        ("agent", "reason"),
        (((a.name, reason), count) for a in agents for reason, count in a.failed.items()),
    )
    yield _counter(
        "dead_letters",
        "Messages that can never succeed, by reason.",
        ("agent", "reason"),
        (((a.name, reason), count) for a in agents for reason, count in a.dead_letters.items()),
    )


def _models(models: tuple[ModelStatus, ...]) -> Iterator[Metric]:
    yield _gauge(
        "model_state",
        "1 for the state that the model is in.",
        ("model", "state"),
        (((m.name, state), float(m.state is state)) for m in models for state in ModelState),
    )
    yield _gauge(
        "model_provider",
        "1 for what the model's inference really runs on.",
        ("model", "provider"),
        (((m.name, m.provider), 1.0) for m in models if m.provider),
    )


def _work(work: tuple[WorkStatus, ...]) -> Iterator[Metric]:
    yield _counter("work_done", "Items done, by kind of work.", ("work",), (((w.name,), w.done) for w in work))
    yield _gauge(
        "work_seconds",
        "Exponential average of the seconds per item, (9 * old + new) / 10.",
        ("work",),
        (((w.name,), w.seconds) for w in work if w.done),
    )
    yield _gauge(
        "work_per_second",
        "Items done in the last 10 s, per second.",
        ("work",),
        (((w.name,), w.per_second) for w in work),
    )


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    return _filled(GaugeMetricFamily(_PREFIX + name, text, labels=labels), samples)


def _counter(name: str, text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    return _filled(CounterMetricFamily(_PREFIX + name, text, labels=labels), samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Iterable[Sample]) -> Metric:
    for labels, value in samples:
        family.add_metric(labels, value)
    return family
