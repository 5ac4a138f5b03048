"""What is done to an installation at work: workers and broker are struck down at random times and brought back."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

from streams.operations.local import LocalServices
from streams.operations.local_processes import until
from streams.runtime.watchdog import RESTART
from tests.support.sites import Site

WORKERS: Final = 2
EXPECTED: Final = {0, RESTART, -signal.SIGKILL, -signal.SIGTERM}
"""Exit codes; one that is told to end before it has started dies of the signal."""
BROKER_SECONDS: Final = 12.0
"""About how long the broker takes to end and to come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """One strike, after a pause, at a worker (or at the broker); `down` is how long it stays away. All in seconds."""

    pause: float
    victim: int | None
    how: signal.Signals
    down: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an installation is set up, and what happens to it; the same for the same seed."""

    seed: int
    static: bool
    state: Literal["memory", "rocksdb"]
    partitioner: str
    blows: tuple[Blow, ...]

    @classmethod
    def drawn(cls, seed: int) -> Plan:
        """Four seeds in a row have all four pairs of membership and state."""
        chance = random.Random(seed)
        blows = [_blow(chance, chance.randrange(WORKERS)) for _ in range(chance.randint(10, 13))]
        blows.insert(chance.randrange(2, len(blows) - 2), _blow(chance, None))
        return cls(
            seed=seed,
            static=seed % 2 == 0,
            state="memory" if seed // 2 % 2 else "rocksdb",
            partitioner=chance.choice(["murmur2_random", "consistent_random"]),
            blows=tuple(blows),
        )

    @property
    def seconds(self) -> float:
        """About how long all of it takes."""
        return BROKER_SECONDS + sum(blow.pause + blow.down for blow in self.blows)

    def __str__(self) -> str:
        return f"{'static' if self.static else 'dynamic'}, {self.state}, {self.partitioner}"


def _blow(chance: random.Random, victim: int | None) -> Blow:
    return Blow(
        pause=chance.uniform(1.5, 6.0),
        victim=victim,
        how=signal.SIGKILL if chance.random() < 0.7 else signal.SIGTERM,
        down=chance.choice([0.0, 0.0, chance.uniform(0.5, 9.0)]),
    )


@dataclass
class Fire:
    """Strikes, and stands in for the supervisor of the workers meanwhile: who leaves to be restarted is restarted."""

    site: Site
    services: LocalServices
    done: Counter[str] = field(default_factory=Counter)
    """What was done how often."""

    def start(self) -> None:
        for number in range(WORKERS):
            self.site.start(number)

    def strike(self, blow: Blow) -> None:
        self.wait(blow.pause)
        if blow.victim is None:
            self._broker(blow)
            return
        code = self.site.end(blow.victim, blow.how)
        self.done[blow.how.name] += 1
        self._judge(blow.victim, code)
        self.wait(blow.down)
        self.site.start(blow.victim)

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.tend()
            time.sleep(min(0.2, left))

    def tend(self) -> None:
        for number, worker in list(self.site.workers.items()):
            code = worker.poll()
            if code is None:
                continue
            self._judge(number, code)
            assert code == RESTART, f"worker {number} ended by itself with {code}\n{self.site.logs()}"
            self.done["left by itself"] += 1
            self.site.start(number)

    def stop(self) -> None:
        for number in list(self.site.workers):
            code = self.site.end(number, signal.SIGTERM)
            assert code == 0, f"worker {number} stopped with {code}\n{self.site.logs()}"

    def _judge(self, number: int, code: int) -> None:
        assert code in EXPECTED, f"worker {number} ended with {code}\n{self.site.logs()}"

    def _broker(self, blow: Blow) -> None:
        """Where it was it comes back: clients know the place."""
        (broker,) = (service for service in self.services.status() if service.kind == "kafka")
        assert broker.pid, "no broker runs"
        os.kill(broker.pid, blow.how)
        assert until(lambda: self._state() == "crashed", seconds=30), "the broker does not end"
        self.done[f"broker {blow.how.name}"] += 1
        self.wait(blow.down)
        assert self.services.up().bootstrap == self.site.settings.kafka.bootstrap

    def _state(self) -> str:
        return next(service.state for service in self.services.status() if service.kind == "kafka")
