"""Kills workers and broker at random, seed after seed, and compares what they leave with what an undisturbed run leaves.

`python -m tests.soak --seeds 20 --events 5000`: one line per seed; the first that differs ends it with exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from streams.domain.errors import Outage
from streams.domain.messages import Event
from streams.domain.values import SECOND, Instant
from streams.operations.local import LocalServices
from tests.support.qdrant_front import Front
from tests.support.services import LIBS, ROOT, Services
from tests.support.sites import Site, feed, site
from tests.support.soak import RETENTION, Script, Sent
from tests.support.soak_fire import Fire, Plan
from tests.support.soak_outcome import Outcome, fired, left_behind, undisturbed

FOLDER: Final = ROOT / "var" / "soak"
OBJECTS: Final = 400
SLOW: Final = "0.3"
"""The share of slow pictures: enough that every kill meets some in flight, the last one of an object among them."""
PATIENCE: Final = 180.0
"""Seconds for the workers to catch up once they are left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    seeds: int
    first_seed: int
    events: int
    sabotage: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    seconds: float
    did: str
    compared: str
    differences: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("NVR_STREAMS")]:
        del os.environ[name]
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(FOLDER / ".running", timeout=0), _services() as services:
            return _soak(options, services)
    except Timeout:
        _say(f"another soak runs in {FOLDER}")
    except KeyboardInterrupt:
        _say("interrupted: workers and services have been ended")
    return 2


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=1, help="the first of them (default: %(default)s)")
    parser.add_argument("--events", type=int, default=5000, help="events per seed, at least (default: %(default)s)")
    parser.add_argument(
        "--sabotage",
        choices=["commit-at-once"],
        help="the negative control: workers that lose what they have in hand, which has to be found",
    )
    return Options(**vars(parser.parse_args(arguments)))


@contextmanager
def _services() -> Iterator[LocalServices]:
    """A broker and a registry that nobody else uses."""
    services = LocalServices(FOLDER / "services", libs=LIBS, kafka_port=0, registry_port=0)
    services.wipe()
    try:
        services.up()
        yield services
    finally:
        services.wipe()


def _soak(options: Options, services: LocalServices) -> int:
    began = time.monotonic()
    for passed, seed in enumerate(range(options.first_seed, options.first_seed + options.seeds)):
        plan, folder = Plan.drawn(seed), FOLDER / f"seed-{seed}"
        try:
            result = _run(plan, folder, services, options)
        except AssertionError as error:  # of the parts that tests share: a worker that died, a broker that stayed away
            _say(f"seed {seed}  FAIL  {plan}\n{error}\n{_kept(passed, folder, options)}")
            return 1
        verdict = "FAIL" if result.differences else "PASS"
        _say(f"seed {seed}  {verdict}  {result.seconds:.0f} s  {plan}; {result.did}; compared {result.compared}")
        if result.differences:
            _say("\n".join((*result.differences, _kept(passed, folder, options))))
            return 1
        shutil.rmtree(folder)
    _say(f"{options.seeds} of {options.seeds} seeds passed in {time.monotonic() - began:.0f} s")
    return 0


def _kept(passed: int, folder: Path, options: Options) -> str:
    return f"{passed} of {options.seeds} seeds passed before; logs, frames and pictures are kept in {folder}"


def _run(plan: Plan, folder: Path, services: LocalServices, options: Options) -> Result:
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    running = services.up()
    reached = Services(bootstrap=running.bootstrap, registry_url=running.registry_url)
    prefix = f"seed{plan.seed}-{os.getpid()}"
    with (
        Front() as front,
        site(reached, prefix, folder, front.url, RETENTION, static=plan.static, state=plan.state) as made,
    ):
        made.environment["SLOW"] = SLOW
        if options.sabotage:
            made.environment["SABOTAGE"] = options.sabotage
        due = _clock() + math.ceil(plan.seconds + 15) * SECOND
        sent = asyncio.run(_script(made, plan, due, options.events).records(made.codec, _topic(made)))
        fire = Fire(made, services)
        _burn(fire, plan, sent)
        want, got, late = _settled(fire, sent, due)
    return Result(
        seconds=time.monotonic() - began,
        did=f"{_told(sent)}, {', '.join(f'{times} {what}' for what, times in sorted(fire.done.items()))}",
        compared=", ".join(f"{number} {name}" for name, number in want.counts().items()) + ", lag 0",
        differences=(*late, *want.differences(got)),
    )


def _script(made: Site, plan: Plan, due: Instant, events: int) -> Script:
    updates = math.ceil((events / OBJECTS - 1.8) / 0.85)  # a tenth of the objects are false positives and have none
    return Script(
        seed=plan.seed,
        objects=OBJECTS,
        updates=max(4, updates),
        poison=0.02,
        frames=made.folder / "frames",
        begin=_clock() - 3600 * SECOND,
        due=due,
    )


def _burn(fire: Fire, plan: Plan, sent: list[Sent]) -> None:
    """Everything is sent while everything is struck."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        fire.start()
        feeding = pool.submit(feed, fire.site, sent, seconds=plan.seconds, partitioner=plan.partitioner, stop=stop)
        try:
            for blow in plan.blows:
                fire.strike(blow)
            while not feeding.done():
                fire.wait(0.5)
            feeding.result()
        finally:
            stop.set()


def _settled(fire: Fire, sent: list[Sent], due: Instant) -> tuple[Outcome, Outcome, list[str]]:
    """What should be there, what is there once nothing is left to do, and what had not been done in time."""
    made = fire.site
    aside = made.settings.store.model_copy(update={"url": (made.folder / "undisturbed").as_uri()})
    settings = made.settings.model_copy(update={"store": aside})
    want = asyncio.run(undisturbed(settings, sent, until=due + len(sent) * 1000))
    end = time.monotonic() + PATIENCE
    while not _is_done(made, want) and time.monotonic() < end:
        fire.wait(2.0)
    fire.stop()
    late = [f"lag of {group}: {lag}" for group, lag in made.lag().items() if lag != 0]
    return want, asyncio.run(left_behind(made.settings, made.codec)), late


def _is_done(made: Site, want: Outcome) -> bool:
    with suppress(Outage):
        return made.is_done() and fired(made.settings, made.codec) >= want.fired and made.is_done()
    return False


def _told(sent: list[Sent]) -> str:
    events = sum(1 for record in sent if record.event)
    return f"{OBJECTS} objects, {events} events, {len(sent) - events} unreadable"


def _topic(made: Site) -> str:
    return made.catalogue.topic_name(Event)


def _clock() -> Instant:
    return time.time_ns() // 1_000_000 * 1000  # Kafka keeps milliseconds


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
