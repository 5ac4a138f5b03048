"""Broadcast on the real broker: complete before any agent starts, then followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.domain.agent import Agent, Step
from streams.domain.cameras import Camera
from streams.domain.messages import Message, Tombstone
from streams.domain.values import Instant
from streams.pipeline import needs_pictures
from streams.runtime.broadcast import Broadcast
from streams.runtime.views import CameraView
from tests.support.services import Services
from tests.support.toy_site import now, toy_site, until
from tests.support.toys import Ping

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def test_agents_start_with_the_whole_topic_and_see_what_comes_later(
    services: Services, prefix: str, tmp_path: Path
) -> None:
    view, seen = CameraView(needs_pictures), list[tuple[int, Camera | None]]()

    async def handle(state: None, message: Message, at: Instant) -> Step[Any]:
        del state, message, at
        seen.append((len(view.all()), view.get("c1")))
        return Step(None)

    looker: Agent[Any] = Agent(name="looker", consumes=(Ping,), produces=(), state=(), handle=handle)
    newest = Camera(name="c1", at=now(), zones=("v2",))
    async with toy_site(services, prefix, tmp_path) as toys:
        await toys.send(Camera(name=f"c{n}", at=now(), zones=(f"v{v}",)) for v in range(2) for n in range(500))
        await toys.send([newest, *(Tombstone(of=Camera, name=f"c{n}", at=now()) for n in range(0, 500, 5))])
        await toys.send(Ping(name=f"k{n}", at=now()) for n in range(100))
        topic = toys.topic(Camera)
        cameras = Broadcast(topic, kafka=toys.settings.kafka, codec=toys.codec, apply=view.apply)
        async with toys.running(looker, broadcasts=[cameras]):
            await toys.caught_up(looker)
            assert seen == [(400, newest)] * 100
            await toys.send([Camera(name="new", at=now(), zones=("porch",)), Tombstone(of=Camera, name="c1", at=now())])
            await until(lambda: view.get("c1") is None and view.get("new") != Camera(name="new"))
    assert len(view.all()) == 400
