"""What is counted, under which names, and how speeds and rates are reckoned."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.adapters.status import AgentState, ModelState, Waiting
from streams.adapters.telemetry import Rate, Telemetry, averaged


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def telemetry(clock):
    return Telemetry("porch-worker", clock)


def scraped(telemetry):
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(telemetry.exposition().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def sample(telemetry, name, **labels):
    return scraped(telemetry)[name, tuple(sorted(labels.items()))]


# ---- speeds and rates (behaviour.md, section 14 and appendix A.8)


def test_the_first_duration_is_the_speed():
    assert averaged(None, 0.1) == 0.1


def test_later_durations_count_a_tenth():
    assert averaged(averaged(0.1, 0.2), 0.1) == pytest.approx(0.109)


def test_a_rate_looks_back_ten_seconds(clock):
    rate = Rate(clock)
    clock.now += 100
    rate.add(30)
    clock.now += 5
    rate.add(20)
    assert rate.per_second() == 5.0


def test_a_rate_of_a_young_worker_looks_back_to_its_start(clock):
    rate = Rate(clock)
    clock.now += 4
    rate.add(8)
    assert rate.per_second() == 2.0


def test_a_rate_at_the_very_start_is_the_count(clock):
    rate = Rate(clock)
    rate.add(3)
    assert rate.per_second() == 3.0


def test_a_rate_decays_when_traffic_stops(clock):
    rate = Rate(clock)
    clock.now += 50
    rate.add(100)
    clock.now += 10.1
    assert rate.per_second() == 0.0


def test_a_rate_has_no_upper_bound_and_costs_the_same_at_any_speed(clock):
    rate = Rate(clock)
    clock.now += 100
    for _ in range(50_000):
        clock.now += 0.0001
        rate.add()
    assert rate.per_second() == 5_000
    assert len(rate._slots) <= 101


# ---- agents


def test_every_metric_has_a_documented_name(telemetry):
    agent = telemetry.agent("track")
    agent.lag("events", 0, 5)
    agent.failed("store")
    agent.dead_letter("undecodable")
    with agent.phase("handle"):
        pass
    telemetry.model("joint").provider("CPUExecutionProvider")
    telemetry.work("image_embedding").done(0.02)
    with agent.waiting("store"):
        names = {name for name, _ in scraped(telemetry) if name.startswith("nvr_streams_")}
    assert names == {
        "nvr_streams_agent_state",
        "nvr_streams_dead_letters_total",
        "nvr_streams_deadlines_fired_total",
        "nvr_streams_failed_attempts_total",
        "nvr_streams_gap_offsets_total",
        "nvr_streams_handled_messages_total",
        "nvr_streams_in_flight_messages",
        "nvr_streams_lag_messages",
        "nvr_streams_messages_per_second",
        "nvr_streams_model_provider",
        "nvr_streams_model_state",
        "nvr_streams_overtaken_messages_total",
        "nvr_streams_partitions_owned",
        "nvr_streams_phase_seconds_bucket",
        "nvr_streams_phase_seconds_count",
        "nvr_streams_phase_seconds_created",
        "nvr_streams_phase_seconds_sum",
        "nvr_streams_rewinds_total",
        "nvr_streams_waiting_messages",
        "nvr_streams_waiting_seconds",
        "nvr_streams_work_done_total",
        "nvr_streams_work_per_second",
        "nvr_streams_work_seconds",
        "nvr_streams_worker_info",
    }


def test_an_agent_counts_what_it_does(telemetry):
    agent = telemetry.agent("track")
    for _ in range(3):
        agent.handled()
    agent.in_flight(7)
    agent.partitions(4)
    agent.rewound()
    agent.gap(9)
    agent.overtaken(2)
    agent.deadline_fired()
    assert sample(telemetry, "nvr_streams_handled_messages_total", agent="track") == 3
    assert sample(telemetry, "nvr_streams_in_flight_messages", agent="track") == 7
    assert sample(telemetry, "nvr_streams_partitions_owned", agent="track") == 4
    assert sample(telemetry, "nvr_streams_rewinds_total", agent="track") == 1
    assert sample(telemetry, "nvr_streams_gap_offsets_total", agent="track") == 9
    assert sample(telemetry, "nvr_streams_overtaken_messages_total", agent="track") == 2
    assert sample(telemetry, "nvr_streams_deadlines_fired_total", agent="track") == 1


def test_failures_and_dead_letters_are_counted_by_reason(telemetry):
    agent = telemetry.agent("embed")
    agent.failed("store")
    agent.failed("store")
    agent.dead_letter("bad picture")
    assert sample(telemetry, "nvr_streams_failed_attempts_total", agent="embed", reason="store") == 2
    assert sample(telemetry, "nvr_streams_dead_letters_total", agent="embed", reason="bad picture") == 1


def test_lag_is_told_by_partition_until_it_is_revoked(telemetry):
    agent = telemetry.agent("track")
    agent.lag("events", 0, 5)
    agent.lag("events", 1, 7)
    assert agent.status().lag == 12
    agent.revoked("events", 1)
    assert agent.status().lag == 5
    assert sample(telemetry, "nvr_streams_lag_messages", agent="track", topic="events", partition="0") == 5


def test_a_phase_is_timed_also_when_it_fails(telemetry, clock):
    agent = telemetry.agent("track")

    def fail() -> None:
        with agent.phase("handle"):
            clock.now += 0.5
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # raised right above
        fail()
    assert sample(telemetry, "nvr_streams_phase_seconds_sum", agent="track", phase="handle") == 0.5


def test_waiting_is_told_with_the_time_of_the_first_that_waits(telemetry, clock):
    agent = telemetry.agent("index")
    with agent.waiting("index"):
        clock.now += 30
        with agent.waiting("index"):
            clock.now += 1
            assert agent.status().waiting == (Waiting(what="index", messages=2, seconds=31),)
    assert agent.status().waiting == ()


def test_waiting_tells_what_the_neighbour_said_without_credentials(telemetry):
    agent = telemetry.agent("index")
    with agent.waiting("index", "index: http://me:hunter2@qdrant:6333: refused"):
        (waiting,) = agent.status().waiting
    assert waiting.why == "index: http://**********@qdrant:6333: refused"


def test_waiting_ends_also_when_the_wait_is_cancelled(telemetry):
    agent = telemetry.agent("index")
    with pytest.raises(RuntimeError), agent.waiting("index"):
        raise RuntimeError
    assert agent.status().waiting == ()


def test_an_agent_is_in_one_state(telemetry):
    telemetry.agent("track").state(AgentState.RECOVERING)
    assert sample(telemetry, "nvr_streams_agent_state", agent="track", state="recovering") == 1
    assert sample(telemetry, "nvr_streams_agent_state", agent="track", state="ready") == 0


def test_the_same_name_is_the_same_meter(telemetry):
    assert telemetry.agent("track") is telemetry.agent("track")
    assert telemetry.model("joint") is telemetry.model("joint")
    assert telemetry.work("text_embedding") is telemetry.work("text_embedding")


# ---- models and kinds of work


def test_a_model_tells_its_state_and_what_it_really_runs_on(telemetry):
    model = telemetry.model("joint_vision")
    model.state(ModelState.READY)
    model.provider("CPUExecutionProvider")
    assert sample(telemetry, "nvr_streams_model_state", model="joint_vision", state="ready") == 1
    provider = {"model": "joint_vision", "provider": "CPUExecutionProvider"}
    assert sample(telemetry, "nvr_streams_model_provider", **provider) == 1


def test_pictures_and_texts_are_counted_apart(telemetry):
    pictures, texts = telemetry.work("image_embedding"), telemetry.work("text_embedding")
    for _ in range(100):
        pictures.done(0.02)
    assert (pictures.status().done, texts.status().done) == (100, 0)
    assert texts.status().seconds == 0


def test_a_batch_is_told_per_item(telemetry, clock):
    work = telemetry.work("image_embedding")
    clock.now += 10
    work.done(0.8, items=8)
    assert work.status().seconds == pytest.approx(0.1)
    assert work.status().per_second == pytest.approx(0.8)


def test_work_that_is_enabled_later_appears_without_a_restart(telemetry):
    assert not [name for name, _ in scraped(telemetry) if name.startswith("nvr_streams_work_")]
    telemetry.work("text_embedding").done(0.01)
    assert sample(telemetry, "nvr_streams_work_done_total", work="text_embedding") == 1


# ---- what follows from it


def test_a_worker_without_agents_is_not_ready(telemetry):
    assert telemetry.status().missing == ("no agent has started yet",)


def test_readiness_says_what_is_waited_for(telemetry):
    telemetry.agent("track").state(AgentState.READY)
    telemetry.agent("settle").state(AgentState.RECOVERING, "12 of 20 records")
    telemetry.model("joint").state(ModelState.LOADING)
    assert telemetry.status().missing == ("agent settle is recovering: 12 of 20 records", "model joint is loading")


def test_waiting_for_a_neighbour_is_no_problem_a_stopped_agent_is(telemetry):
    agent = telemetry.agent("index")
    agent.state(AgentState.READY)
    with agent.waiting("index"):
        status = telemetry.status()
        assert (status.problems, status.missing) == ((), ())
        assert status.waiting == ("agent index is waiting for index (1 messages, 0 s)",)
    agent.state(AgentState.STOPPED)
    assert telemetry.status().problems == ("agent index stopped",)


def test_a_failed_model_is_a_problem(telemetry):
    telemetry.model("joint").state(ModelState.FAILED, "its file is damaged")
    assert telemetry.status().problems == ("model joint failed: its file is damaged",)
