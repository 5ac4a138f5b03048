"""What every implementation of the port `Cameras` does: the view of the topic and its in-memory twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from streams.domain.cameras import Camera, Descriptions, SemanticSearch
from streams.domain.messages import Tombstone
from streams.pipeline import needs_pictures
from streams.ports import Cameras
from streams.runtime.views import CameraView
from tests.support.fake_cameras import FakeCameras


@dataclass(frozen=True, kw_only=True)
class World:
    cameras: Cameras
    put: Callable[[Camera], None]
    remove: Callable[[str], None]


def view() -> World:
    made = CameraView(needs_pictures)
    return World(cameras=made, put=made.apply, remove=lambda name: made.apply(Tombstone(of=Camera, name=name)))


def fake() -> World:
    made = FakeCameras()
    return World(cameras=made, put=made.put, remove=made.remove)


@pytest.fixture(params=[view, fake])
def world(request: pytest.FixtureRequest) -> World:
    return request.param()


def test_a_camera_never_heard_of_has_the_defaults_and_is_not_listed(world: World) -> None:
    assert world.cameras.get("porch") == Camera(name="porch")
    assert world.cameras.all() == ()


def test_the_newest_configuration_counts(world: World) -> None:
    world.put(Camera(name="porch", zones=("old",)))
    newest = Camera(name="porch", zones=("new",))
    world.put(newest)
    assert world.cameras.get("porch") == newest
    assert world.cameras.all() == (newest,)


def test_a_removed_camera_is_none_rather_than_a_default(world: World) -> None:
    world.put(Camera(name="porch"))
    world.put(Camera(name="drive"))
    world.remove("porch")
    assert world.cameras.get("porch") is None
    assert world.cameras.all() == (Camera(name="drive"),)


def test_a_camera_may_be_removed_that_nobody_heard_of(world: World) -> None:
    world.remove("porch")
    assert world.cameras.get("porch") is None


def test_a_removed_camera_comes_back(world: World) -> None:
    world.remove("porch")
    again = Camera(name="porch", genai=Descriptions(enabled=True))
    world.put(again)
    assert world.cameras.get("porch") == again


def test_a_camera_that_needs_no_pictures_is_one_all_the_same(world: World) -> None:
    idle = Camera(name="porch", semantic_search=SemanticSearch(enabled=False))
    world.put(idle)
    assert world.cameras.all() == (idle,)
