"""All agents on one screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from streams.agents.embed import embed
from streams.agents.index import index as index_documents
from streams.agents.settle import settle
from streams.agents.sweep import sweep
from streams.agents.track import track
from streams.domain.agent import Agent
from streams.domain.cameras import Camera
from streams.domain.messages import Event
from streams.domain.retention import Retention
from streams.ports import Cameras, Embedder, Index, Pictures
from streams.recognisers import RECOGNISERS, Recogniser


def needs_pictures(camera: Camera) -> bool:
    """Whether anything on this camera looks at thumbnails, where vectors are made of them."""
    return camera.semantic_search.enabled or needs_pictures_without_vectors(camera)


def needs_pictures_without_vectors(camera: Camera) -> bool:
    """The same where embedding is off for the whole installation."""
    return camera.genai.enabled


def pipeline(
    *,
    pictures: Pictures,
    cameras: Cameras,
    embedder: Embedder | None,
    index: Index,
    model: str,
    collection: str,
    retention: Retention,
    wants_thumbnails: Callable[[Camera], bool] = needs_pictures,
    recognisers: tuple[Recogniser, ...] = RECOGNISERS,
) -> tuple[Agent[Any], ...]:
    """Every agent of an installation.

    `embedder` is None where embedding is off: objects are kept and found by filters then. `model` names the embedding
    model's topic, `collection` the collection that `index` writes to.
    """

    def wants_crop(camera: Camera, event: Event) -> bool:
        return any(recogniser.wants(camera, event) for recogniser in recognisers)

    return (
        track(
            pictures=pictures,
            cameras=cameras,
            wants_thumbnails=wants_thumbnails,
            wants_crop=wants_crop,
            retention=retention,
        ),
        settle(retention=retention),
        sweep(pictures=pictures),
        embed(model=model, embedder=embedder, pictures=pictures, cameras=cameras),
        index_documents(index=index, model=model, collection=collection),
    )


def outline(*, model: str, collection: str) -> tuple[Agent[Any], ...]:
    """The agents with nothing behind them: to name them, to draw them, to make their topics, never to run them."""
    nothing = cast("Any", None)
    return pipeline(
        pictures=nothing,
        cameras=nothing,
        embedder=nothing,
        index=nothing,
        model=model,
        collection=collection,
        retention=Retention(objects=0, open_objects=0, ended=0),
    )
