import pytest

from streams.domain.agent import Step, Undeclared
from streams.domain.errors import Gone, Outage, Poison
from streams.domain.messages import Event, Sighting, Tombstone
from streams.domain.topology import WrongTopology
from streams.runtime.loopback import PATIENCE, Loopback
from tests.support.builders import at, event
from tests.support.toys import Count, Ping, Pong, Verbatim, counter


def toy(**parts) -> Loopback:
    """A loop of one toy agent that is fed by events, since pings come from nowhere."""
    return Loopback([counter(consumes=(Event,), **parts)], states=Verbatim)


async def test_an_agent_of_anyones_runs_without_a_change_to_the_runtime():
    loop = toy()
    await loop.send(event(1))
    await loop.send(event(2))
    await loop.send(event(2, object_id="other"))
    assert [(pong.key, pong.number) for pong in loop.published] == [(event().key, 1), (event().key, 2), ("other", 1)]
    assert loop.table("counter") == {event().key: Count(n=2), "other": Count(n=1)}


async def test_what_one_agent_publishes_the_next_one_hears():
    first = counter(name="first", consumes=(Event,), produces=(Pong,))
    loop = Loopback([first, counter(name="second", consumes=(Pong,), produces=())], states=Verbatim)
    with pytest.raises(Undeclared, match="agent second published Pong"):
        await loop.send(event(1))
    assert loop.state("first", event().key) == Count(n=1)
    assert loop.state("second", event().key) is None


async def test_the_graph_is_checked_before_anything_runs():
    with pytest.raises(WrongTopology, match="nobody writes Ping"):
        Loopback([counter()], states=Verbatim)


async def test_tombstones_travel_on_the_topic_of_what_they_delete():
    heard = []

    async def handle(_state, message, _now):
        heard.append(message)
        return Step(None)

    await toy(handle=handle).send(Tombstone(of=Sighting, name="x"))
    await toy(handle=handle).send(Tombstone(of=Event, name="x"))
    assert heard == [Tombstone(of=Event, name="x")]


async def test_a_tombstone_of_what_is_not_declared_is_a_bug():
    async def handle(_state, _message, _now):
        return Step(None, (Tombstone(of=Sighting, name="x"),))

    with pytest.raises(Undeclared, match="Sighting"):
        await toy(handle=handle).send(event(1))


async def test_a_poisoned_message_is_buried_and_the_next_one_goes_on():
    async def handle(state, message, _now):
        if message.frame_time == at(2):
            raise Poison("bad picture", "not a JPEG")
        return Step(Count(n=(state.n if state else 0) + 1))

    loop = toy(handle=handle)
    for second in (1, 2, 3):
        await loop.send(event(second))
    assert loop.state("counter", event().key) == Count(n=2)
    (letter,) = loop.dead_letters
    assert (letter.agent, letter.message, letter.reason, letter.detail) == (
        "counter",
        event(2),
        "bad picture",
        "not a JPEG",
    )


async def test_an_outage_is_waited_for():
    tries = iter(range(PATIENCE))

    async def handle(_state, _message, _now):
        if next(tries) < 3:
            raise Outage("store")
        return Step(Count(n=1))

    loop = toy(handle=handle)
    await loop.send(event(1))
    assert loop.state("counter", event().key) == Count(n=1)
    assert loop.dead_letters == []


async def test_an_outage_without_end_is_told():
    async def handle(_state, _message, _now):
        raise Outage("store")

    with pytest.raises(Outage, match="store"):
        await toy(handle=handle).send(event(1))


@pytest.mark.parametrize("error", [Gone("memory:///x.jpg"), ZeroDivisionError()])
async def test_whatever_else_is_raised_is_a_bug(error):
    async def handle(_state, _message, _now):
        raise error

    with pytest.raises(type(error)):
        await toy(handle=handle).send(event(1))


async def test_a_state_of_no_declared_phase_is_a_bug():
    async def handle(_state, _message, _now):
        return Step("not a state")

    with pytest.raises(TypeError):
        await toy(handle=handle).send(event(1))


async def test_deadlines_fire_in_order_each_at_its_own_time():
    fired = []

    async def handle(_state, _message, now):
        return Step(Count(n=1, deadline=now + 10))

    def expire(_state, now):
        fired.append(now)
        return Step(None)

    loop = toy(handle=handle, expire=expire)
    await loop.send(event(1, object_id="b"), at=105)
    await loop.send(event(1, object_id="a"), at=100)
    await loop.advance(109)
    assert fired == []
    await loop.advance(200)
    assert fired == [110, 115]
    assert (loop.now, loop.table("counter")) == (200, {})


async def test_a_deadline_that_was_moved_fires_once_and_later():
    async def handle(_state, _message, now):
        return Step(Count(n=1, deadline=now + 10))

    loop = toy(handle=handle, expire=lambda _state, now: Step(None, (Pong(name="late", at=now),)))
    await loop.send(event(1), at=100)
    await loop.send(event(2), at=105)
    await loop.advance(200)
    assert loop.published == [Pong(name="late", at=115)]


async def test_what_a_deadline_publishes_is_heard():
    async def handle(_state, _message, now):
        return Step(Count(n=1, deadline=now + 10))

    first = counter(
        name="first",
        consumes=(Event,),
        produces=(Ping,),
        handle=handle,
        expire=lambda _state, now: Step(None, (Ping(name="x", at=now),)),
    )
    loop = Loopback([first, counter(name="second")], states=Verbatim)
    await loop.send(event(1), at=100)
    await loop.advance(110)
    assert loop.state("second", "x") == Count(n=1)


async def test_messages_can_be_delivered_twice():
    loop = Loopback([counter(consumes=(Event,))], states=Verbatim, deliveries=2)
    await loop.send(event(1))
    assert loop.state("counter", event().key) == Count(n=2)


async def test_a_record_has_the_time_of_its_message_unless_told_otherwise():
    loop = toy()
    await loop.send(event(1))
    await loop.send(event(2), at=5)
    assert [pong.time for pong in loop.published] == [at(1), 5]
    assert loop.now == at(1)
