import pytest

from streams.domain.agent import Agent, Step
from streams.domain.messages import (
    Crop,
    Detections,
    Document,
    Event,
    Message,
    ObjectRecord,
    Recordings,
    Sighting,
)
from streams.domain.topology import OUTSIDE, Edge, WrongTopology, edges, mermaid, order


async def nothing(_state, _message, _at) -> Step[None]:
    return Step(None)


def agent(
    name: str, consumes: tuple[type[Message], ...], *produces: type[Message], model: str | None = None
) -> Agent[None]:
    return Agent(name=name, consumes=consumes, produces=produces, state=(), handle=nothing, model=model)


TRACK = agent("track", (Event,), Sighting)
SETTLE = agent("settle", (Sighting,), ObjectRecord)


def test_edges_lead_from_writers_to_readers_and_the_rest_leads_outside():
    assert edges([TRACK, SETTLE]) == (
        Edge(OUTSIDE, Event, "track"),
        Edge("track", Sighting, "settle"),
        Edge("settle", ObjectRecord, OUTSIDE),
    )


def test_agents_come_in_the_order_in_which_data_meets_them():
    assert order([SETTLE, TRACK]) == ("track", "settle")


def test_what_an_agent_consumes_must_be_written_by_someone():
    with pytest.raises(WrongTopology, match="nobody writes Sighting, which settle consumes"):
        order([SETTLE])


def test_camera_systems_write_events_detections_and_recordings():
    assert order([agent("reader", (Event, Detections, Recordings))]) == ("reader",)


def test_two_agents_never_share_a_name():
    with pytest.raises(WrongTopology, match="two agents are named track"):
        order([TRACK, TRACK])


def test_data_never_moves_in_a_circle():
    recut = agent("recut", (ObjectRecord,), Sighting)
    with pytest.raises(WrongTopology, match="in a circle: "):
        order([TRACK, SETTLE, recut])


def test_an_agent_never_feeds_itself():
    with pytest.raises(WrongTopology, match="in a circle: "):
        order([agent("track", (Event, Crop), Crop)])


def test_each_embedding_model_has_a_chain_of_its_own():
    chains = [
        each
        for model in ("mini", "large")
        for each in (
            agent(f"embed-{model}", (ObjectRecord,), Document, model=model),
            agent(f"index-{model}", (Document,), model=model),
        )
    ]
    flow = edges([TRACK, SETTLE, *chains])
    assert Edge("embed-mini", Document, "index-mini") in flow
    assert Edge("embed-large", Document, "index-large") in flow
    assert not any(edge.writer == "embed-mini" and edge.reader == "index-large" for edge in flow)


def test_the_picture_shows_agents_and_what_passes_between_them():
    assert mermaid([TRACK, SETTLE], topic=lambda message: f"nvr-{message.__name__.lower()}") == (
        "flowchart LR\n"
        "    outside([outside])\n"
        "    track[track]\n"
        "    settle[settle]\n"
        "    outside -->|nvr-event| track\n"
        "    track -->|nvr-sighting| settle\n"
        "    settle -->|nvr-objectrecord| outside\n"
    )
