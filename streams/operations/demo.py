"""The demo: everything at work on one machine, from a video to a search, with a report of what came out."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import yaml

from streams.adapters.catalogue import Catalogue
from streams.adapters.clock import now
from streams.adapters.registry import Registry
from streams.adapters.rendering import plain
from streams.adapters.schema_files import SchemaFiles
from streams.adapters.search import Search, SearchRequest
from streams.domain.errors import Outage
from streams.domain.messages import ObjectRecord
from streams.domain.values import Instant, Outcome
from streams.files import shipped
from streams.operations.installation import topics
from streams.operations.lags import agent_lags, message_counts
from streams.operations.local import LocalServices, Running
from streams.operations.objects import Wanted, list_objects
from streams.operations.play import PlayOptions, play
from streams.operations.schemas import register
from streams.operations.search import Opener, find
from streams.operations.status import ask_workers
from streams.operations.supervision import Work, supervise
from streams.operations.topics import create
from streams.ports import Hit
from streams.settings import Settings, load
from streams.sources.feed import Tally

FOLDER, LIBS = Path("var/demo"), Path("var/local/libs")
QUESTION = "a person riding a bicycle"

READY_SECONDS, INDEX_SECONDS, STOP_SECONDS = 90.0, 180.0, 40.0
"""Time for the worker to become ready, for everything to be indexed, and for the worker to leave."""

POLL_SECONDS = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One object of the video."""

    object_id: str
    label: str
    camera: str
    start_time: Instant
    end_time: Instant | None
    score: float
    outcome: Outcome
    thumbnail: str | None

    @classmethod
    def of(cls, record: ObjectRecord) -> Found:
        facts, best = record.facts, record.pictures.best
        return cls(
            object_id=record.object_id,
            label=facts.label,
            camera=facts.camera,
            start_time=facts.start_time,
            end_time=facts.end_time,
            score=round(facts.top_score, 3),
            outcome=record.outcome,
            thumbnail=best.uri if best else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What came out; written as JSON beside the data."""

    objects: Sequence[Found]
    points: int
    """Objects that the index holds after everything has stopped."""
    search: Sequence[Hit]
    """What the question found, best first."""
    dead_letters: int
    topics: dict[str, int]
    """Messages in each topic, by its name without prefix."""
    seconds: dict[str, float]

    @property
    def flaws(self) -> list[str]:
        """Why this was not the demo that it should be; empty: all is well."""
        lost = f"{len(self.objects)} objects, but {self.points} points" if len(self.objects) != self.points else ""
        nothing = "" if self.objects else "no object was found in the video"
        buried = f"{self.dead_letters} dead letters" if self.dead_letters else ""
        return [flaw for flaw in (nothing, lost, buried) if flaw]


@dataclass(slots=True)
class Clock:
    """Seconds of each part of the demo."""

    say: Say
    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def part(self, name: str, words: str) -> Iterator[None]:
        """Say what begins, and keep how long it took."""
        self.say(words)
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 2)

    def total(self) -> dict[str, float]:
        return {**self.seconds, "total": round(time.monotonic() - self.began, 2)}


async def demo(video: Path | None, *, work: Work, opener: Opener, say: Say, folder: Path = FOLDER) -> DemoReport:
    """Play `video` (default: the shipped one) through everything; whatever was started is stopped again.

    Data of an earlier demo in `folder` is removed first. Raises `SettingsError`, `Outage` or `Poison`.
    """
    clock, services = Clock(say), LocalServices(folder / "services", libs=LIBS)
    with clock.part("clean", f"beginning anew in {folder}"):
        await asyncio.to_thread(_clean, services, folder)
    try:
        with clock.part("services", "starting Kafka and the schema registry on this machine (fetched once)"):
            running = await asyncio.to_thread(services.up)
        stage = _Stage(settings=_settings(folder, running), clock=clock)
        with clock.part("topics", "making the topics, registering the schemas"):
            await stage.prepare()
        report = await stage.perform(video or shipped("infra", "demo", "bikes.mp4"), work, folder / "worker.log")
    finally:
        with clock.part("stop", "stopping what was started"):
            await asyncio.to_thread(services.down)
    async with opener(stage.settings) as search:
        points = await search.count()
    report = replace(report, points=points, seconds=clock.total())
    (folder / "report.json").write_text(json.dumps(plain(report), indent=2, ensure_ascii=False) + "\n")
    return report


def _clean(services: LocalServices, folder: Path) -> None:
    services.wipe()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _settings(folder: Path, running: Running) -> Settings:
    """The demo's settings, kept in a file so that a person can go on with them."""
    file = folder / "settings.yaml"
    told = {
        "kafka": {"bootstrap": running.bootstrap},
        "registry": {"url": running.registry_url},
        "store": {"url": f"file:{folder / 'store'}"},
        "index": {"path": str(folder / "index")},
        "worker": {"name": "demo", "data": str(folder / "worker"), "port": 0},
    }
    file.write_text(yaml.safe_dump(told, sort_keys=False))
    return load(file)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    settings: Settings
    clock: Clock

    async def prepare(self) -> None:
        wanted = topics(self.settings)
        await asyncio.to_thread(create, self.settings.kafka, wanted)
        with Registry(self.settings.registry) as registry:
            await register(registry, wanted, SchemaFiles())

    async def perform(self, video: Path, work: Work, log: Path) -> DemoReport:
        """From the worker's start to its end; points are counted when it has left the index."""
        with _process(work, self.settings, log) as worker:
            with self.clock.part("worker", "starting a worker with all agents"):
                await _until(self._is_ready, worker, log, READY_SECONDS)
            with self.clock.part("play", f"playing {video.name} through detector and tracker"):
                ended = await self._play(video)
            with self.clock.part("index", f"{ended} objects have ended, waiting until they are indexed"):
                await _until(_Twice(self._nothing_is_left), worker, log, INDEX_SECONDS)
            with self.clock.part("search", f'searching for "{QUESTION}"'):
                hits = await find(self.settings, SearchRequest(text=QUESTION, limit=5), opener=_nobody)
        catalogue = Catalogue(self.settings.kafka.prefix)
        names = [topic.name for topic in catalogue.topics([self.settings.embedding.model])]
        counts = message_counts(self.settings.kafka, names)
        messages = {catalogue.short(name): count for name, count in counts.items()}
        return DemoReport(
            objects=[Found.of(record) for record in await list_objects(self.settings, Wanted())],
            points=0,
            search=hits,
            dead_letters=messages["dead-letters"],
            topics=messages,
            seconds={},
        )

    async def _play(self, video: Path) -> int:
        """How many objects have ended as true positives."""
        options = PlayOptions(start=now(), speed=0)
        report = await play(self.settings, [video], options, stop=asyncio.Event(), progress=_ignore)
        return sum(tally.true_positives.total() for tally in report.cameras.values())

    async def _is_ready(self) -> bool:
        return any(report.ready for report in await asyncio.to_thread(ask_workers, self.settings))

    async def _nothing_is_left(self) -> bool:
        lags = await asyncio.to_thread(agent_lags, self.settings)
        return not any(lags.values())


@dataclass(slots=True)
class _Twice:
    """Holds once `check` holds twice in a row: what one agent publishes may not count yet as another's lag."""

    check: Callable[[], Awaitable[bool]]
    before: bool = False

    async def __call__(self) -> bool:
        self.before, held = await self.check(), self.before
        return self.before and held


async def _until(check: Callable[[], Awaitable[bool]], worker: BaseProcess, log: Path, seconds: float) -> None:
    """Raises `Outage` when the worker ends meanwhile, or time is up."""
    until = time.monotonic() + seconds
    while not await check():
        if not worker.is_alive():
            raise Outage("worker", f"it ended with code {worker.exitcode}; its log: {log}")
        if time.monotonic() > until:
            raise Outage("worker", f"not done after {seconds:.0f} s; its log: {log}")
        await asyncio.sleep(POLL_SECONDS)


@contextmanager
def _process(work: Work, settings: Settings, log: Path) -> Iterator[BaseProcess]:
    """A worker as a process of its own, whose words go to a file; it is told to stop in the end, and ended if it won't."""
    process = multiprocessing.get_context("spawn").Process(target=_worker, args=(work, settings, log))
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(STOP_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()


def _worker(work: Work, settings: Settings, log: Path) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    supervise(work, settings, ())


def _ignore(camera: str, tally: Tally, messages: int) -> None:
    """A video of the demo's size is played before a bar would say anything."""


def _nobody(settings: Settings) -> AbstractAsyncContextManager[Search]:
    """The worker answers; the index is its own as long as it runs."""
    raise Outage("worker", f"{settings.worker.name} does not answer")
