"""The composition root: what a worker opens, and what it says when it cannot."""

from __future__ import annotations

import pytest

from streams.adapters.telemetry import Telemetry
from streams.app import _needs_pictures, agents_of, open_ports, open_search
from streams.domain.cameras import Camera, SemanticSearch
from streams.domain.errors import Outage, SettingsError
from streams.runtime.views import CameraView
from streams.settings import Embedding, Index, Models, Settings, Store

NOBODY = "http://127.0.0.1:1"


async def give_up(outage: Outage) -> None:
    raise outage


@pytest.fixture
def settings(tmp_path) -> Settings:
    """An installation whose models are missing and whose index does not answer."""
    return Settings(
        store=Store(url=(tmp_path / "store").as_uri()),
        models=Models(folder=tmp_path),
        embedding=Embedding(vision_model="missing.onnx"),
        index=Index(url=NOBODY),
    )


def opened(settings: Settings, *names: str):
    return open_ports(settings, Telemetry("test"), names, on_outage=give_up)


async def test_who_only_tracks_opens_neither_models_nor_index(settings) -> None:
    async with opened(settings, "track", "settle", "sweep") as ports:
        assert ports.embedder is None
        assert ports.index is None
        cameras = CameraView(_needs_pictures(settings))
        assert [agent.name for agent in agents_of(settings, ports, cameras, ("track",))] == ["track"]


async def test_who_embeds_needs_the_models(settings) -> None:
    with pytest.raises(SettingsError, match=r"missing\.onnx"):
        async with opened(settings, "embed-mini"):
            pass


async def test_who_searches_hears_that_the_index_is_down(settings) -> None:
    without_vectors = settings.model_copy(update={"embedding": Embedding(enabled=False)})
    with pytest.raises(Outage, match="index"):
        async with open_search(without_vectors):
            pass


async def test_pictures_are_cut_by_the_settings_wherever_the_models_are_loaded(settings) -> None:
    needs = _needs_pictures(settings)
    assert needs(Camera(name="porch"))
    assert not needs(Camera(name="porch", semantic_search=SemanticSearch(enabled=False)))
    without_vectors = settings.model_copy(update={"embedding": Embedding(enabled=False)})
    assert not _needs_pictures(without_vectors)(Camera(name="porch"))
