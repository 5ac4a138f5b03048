"""The composition root: settings become adapters, adapters become ports, ports become agents that run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import cv2
import structlog

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.embedder import open_embedder
from streams.adapters.http import Answers, Parameters, serve
from streams.adapters.logs import configure
from streams.adapters.pictures import StoredPictures
from streams.adapters.qdrant import open_index
from streams.adapters.qdrant_points import Space
from streams.adapters.registry import Registry
from streams.adapters.search import Search
from streams.adapters.store import Store
from streams.adapters.telemetry import Telemetry
from streams.domain.agent import Agent
from streams.domain.cameras import Camera
from streams.domain.errors import Outage, Poison, SettingsError
from streams.domain.messages import Document, Message
from streams.domain.retention import Retention
from streams.operations import installation
from streams.operations.objects import find_object
from streams.operations.topics import needed, unfit
from streams.pipeline import needs_pictures, needs_pictures_without_vectors, pipeline
from streams.ports import Embedder, Hit, Index, Pictures
from streams.runtime.broadcast import Broadcast
from streams.runtime.views import CameraView
from streams.runtime.watchdog import RESTART, leave
from streams.runtime.worker import Worker
from streams.settings import Settings, secrets

log = structlog.get_logger(__name__)

READING_AT_ONCE = 2
"""Objects that are read from their topic at a time for people; what cannot be answered in time is not begun."""

AGAIN_SECONDS = 2.0
"""How soon a neighbour that was down at the start is asked again."""


def work(settings: Settings, agents: tuple[str, ...]) -> None:
    """The supervised process: leaves with 0 (told to stop), 1 (set up wrongly) or 70 (start me again)."""
    configure(settings.log, secrets=secrets(settings))
    try:
        asyncio.run(_work(settings, agents))
    except (SettingsError, Poison) as error:  # `Poison`: a neighbour refuses what it is asked for at the start
        log.error("set up wrongly", error=str(error))
        leave(1)
    except Outage as outage:
        log.warning("cannot start yet", waiting_for=outage.what, error=str(outage))
        leave(RESTART)
    leave(0)


async def _work(settings: Settings, names: tuple[str, ...]) -> None:
    telemetry = Telemetry(settings.worker.name)
    async with AsyncExitStack() as stack:
        # Threads of their own: whoever reads a whole topic must not take those that the agents' neighbours are asked on.
        readers = ThreadPoolExecutor(READING_AT_ONCE, thread_name_prefix="objects")
        stack.callback(readers.shutdown, wait=False, cancel_futures=True)
        desk = _Desk(settings, readers)
        answers = Answers(
            status=telemetry.status, metrics=telemetry.exposition, search=desk.search, find_object=desk.find_object
        )
        url = await stack.enter_async_context(serve(settings.worker, answers))
        log.info("health, metrics and search", url=url)
        registry = stack.enter_context(Registry(settings.registry))
        catalogue, cameras = Catalogue(settings.kafka.prefix), CameraView(_needs_pictures(settings))
        codec = Codec(catalogue, registry)
        ports = await stack.enter_async_context(open_ports(settings, telemetry, names, on_outage=_wait))
        desk.open(ports)
        agents = agents_of(settings, ports, cameras, names)
        await _check_topics(settings, catalogue, agents)
        views = Broadcast(catalogue.topic_name(Camera), kafka=settings.kafka, codec=codec, apply=cameras.apply)
        worker = Worker(settings, agents, broadcasts=[views], codec=codec, catalogue=catalogue, telemetry=telemetry)
        await worker.run()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that agents and searches need of the outside world."""

    pictures: Pictures
    embedder: Embedder | None
    index: Index | None
    """None: no agent of this worker writes to it."""


async def _wait(outage: Outage) -> None:
    """A worker has time: what it would do lies safe in its topics."""
    log.warning("cannot start yet", waiting_for=outage.what, error=str(outage))
    await asyncio.sleep(outage.retry_after or AGAIN_SECONDS)


async def _give_up(outage: Outage) -> None:
    """A person who asks wants to hear why there is no answer."""
    raise outage


@asynccontextmanager
async def open_ports(
    settings: Settings,
    telemetry: Telemetry,
    names: Sequence[str] = (),
    *,
    on_outage: Callable[[Outage], Awaitable[None]],
) -> AsyncIterator[Ports]:
    """Open store, models and index, in this order, as far as the agents of these names (none: all) need them.

    An index that is down is asked again whenever `on_outage` returns. Raises `SettingsError` when one of them is set up
    wrongly or does not fit.
    """
    wanted = [agent for agent in installation.agents(settings) if not names or agent.name in names]
    cv2.setNumThreads(1)  # pictures are worked on in parallel, each by one thread
    async with AsyncExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(settings.worker.threads, thread_name_prefix="pictures"))
        pictures = StoredPictures(Store(settings.store), threads, max_pixels=settings.store.max_pixels)
        embedder = None
        if settings.embedding.enabled and any(agent.model for agent in wanted):
            opening = open_embedder(settings.embedding, settings.models, telemetry)
            embedder = await stack.enter_async_context(opening)
        space = Space(model=settings.embedding.model, dim=embedder.dim if embedder else 0)
        index = None
        if any(Document in agent.consumes for agent in wanted):
            index = await _index(stack, settings, space, pictures, on_outage)
        yield Ports(pictures=pictures, embedder=embedder, index=index)


def agents_of(settings: Settings, ports: Ports, cameras: CameraView, names: Sequence[str] = ()) -> list[Agent[Any]]:
    """The agents of that name, or all of them."""
    kept = settings.retention
    every = pipeline(
        pictures=ports.pictures,
        cameras=cameras,
        embedder=ports.embedder,
        index=cast("Index", ports.index),  # where it is None, the agent that would write to it is left out below
        model=settings.embedding.model,
        collection=settings.index.collection,
        wants_thumbnails=_needs_pictures(settings),
        retention=Retention.of(objects=kept.objects, open_objects=kept.open_objects, ended=kept.ended),
    )
    return [agent for agent in every if not names or agent.name in names]


def _needs_pictures(settings: Settings) -> Callable[[Camera], bool]:
    """By the settings, not by the ports: who tracks may run without the models."""
    return needs_pictures if settings.embedding.enabled else needs_pictures_without_vectors


@asynccontextmanager
async def open_search(settings: Settings) -> AsyncIterator[Search]:
    """A search without a worker: opens the index and the models itself."""
    async with open_ports(settings, Telemetry(settings.worker.name), on_outage=_give_up) as ports:
        yield Search(cast("Index", ports.index), ports.embedder)


@dataclass(slots=True)
class _Desk:
    """Answers people's questions; search from the moment that index and models are open."""

    settings: Settings
    readers: Executor
    searching: Search | None = None
    excuse: str = "it is still starting"

    def open(self, ports: Ports) -> None:
        self.excuse = "it does not run the index agent: ask a worker that does"
        self.searching = Search(ports.index, ports.embedder) if ports.index else None

    async def search(self, parameters: Parameters) -> list[Hit]:
        if self.searching is None:
            raise Outage("worker", self.excuse, retry_after=AGAIN_SECONDS)
        return await self.searching.answer(parameters)

    async def find_object(self, object_id: str) -> Message:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.readers, lambda: asyncio.run(find_object(self.settings, object_id)))


async def _index(
    stack: AsyncExitStack,
    settings: Settings,
    space: Space,
    pictures: Pictures,
    on_outage: Callable[[Outage], Awaitable[None]],
) -> Index:
    while True:
        opening = open_index(settings.index, site=settings.site, space=space, public_url=pictures.public_url)
        try:
            return await stack.enter_async_context(opening)
        except Outage as outage:
            await on_outage(outage)


async def _check_topics(settings: Settings, catalogue: Catalogue, agents: Sequence[Agent[Any]]) -> None:
    """Wait for the brokers. Raises `SettingsError` naming each topic with which states or messages would get lost."""
    topics = needed(catalogue, [settings.embedding.model], [agent.name for agent in agents if agent.state])
    while True:
        try:
            wrong = await asyncio.to_thread(unfit, settings.kafka, topics)
        except Outage as outage:
            await _wait(outage)
        else:
            break
    if wrong:
        raise SettingsError("\n".join(wrong))
