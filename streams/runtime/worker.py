"""One worker process: broadcast views complete, then the agents, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

import structlog

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.telemetry import Telemetry
from streams.domain.agent import Agent
from streams.runtime.broadcast import Broadcast
from streams.runtime.broker import Broker
from streams.runtime.runner import AgentRunner
from streams.runtime.watchdog import PAUSE_SHARE, Watchdog, fatal
from streams.settings import Settings

log = structlog.get_logger(__name__)

BEAT_SECONDS = 0.5

STOP_SECONDS = 10.0
"""Time for Faust to leave its groups, after everything of ours is drained and committed."""


class Worker:
    def __init__(
        self,
        settings: Settings,
        agents: Sequence[Agent[object]],
        *,
        broadcasts: Sequence[Broadcast],
        codec: Codec,
        catalogue: Catalogue,
        telemetry: Telemetry,
    ) -> None:
        self._settings, self._broadcasts = settings, broadcasts
        self._watchdog = Watchdog(
            pause=settings.worker.session_timeout.total_seconds() * PAUSE_SHARE,
            stall=settings.worker.stall.total_seconds(),
            is_stuck=lambda: any(runner.is_stuck() for runner in self.runners),
            progress=lambda: sum(runner.progress for runner in self.runners),
            orphaned=self._orphaned,
        )
        self._broker = Broker(settings, alive=self._watchdog.beat)
        self.runners = [
            AgentRunner(
                agent,
                settings=settings,
                codec=codec,
                catalogue=catalogue,
                broker=self._broker,
                meter=telemetry.agent(agent.name),
                fatal=fatal,
            )
            for agent in agents
        ]
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, then drain and leave."""
        loop = self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        beating = asyncio.create_task(self._beat())
        self._watchdog.start()
        try:
            await self._start()
            await self._told_to_stop()
        finally:
            log.info("stopping")
            await self._stop()
            self._watchdog.end()
            beating.cancel()

    def stop(self) -> None:
        self._stopping.set()

    async def _start(self) -> None:
        await self._broker.start()
        await asyncio.gather(*(broadcast.start() for broadcast in self._broadcasts))
        starting = asyncio.create_task(self._start_runners())
        stopped = asyncio.create_task(self._told_to_stop())
        await asyncio.wait([starting, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if starting.done():
            await starting

    async def _start_runners(self) -> None:
        await asyncio.gather(*(runner.start() for runner in self.runners))

    async def _told_to_stop(self) -> None:
        await self._stopping.wait()

    async def _stop(self) -> None:
        grace = self._settings.worker.grace.total_seconds() + STOP_SECONDS
        try:
            await asyncio.wait_for(asyncio.gather(*(runner.stop() for runner in self.runners)), grace)
            await asyncio.gather(*(broadcast.stop() for broadcast in self._broadcasts))
            await asyncio.wait_for(self._broker.stop(), STOP_SECONDS)
        except TimeoutError:
            log.warning("Faust does not leave; everything is committed, leaving all the same", seconds=grace)

    async def _beat(self) -> None:
        while True:
            self._watchdog.beat()
            await asyncio.sleep(BEAT_SECONDS)

    def _orphaned(self) -> None:
        """Called on the watchdog's thread: whoever supervised this process is gone."""
        log.warning("the parent process is gone, stopping")
        self._loop.call_soon_threadsafe(self._stopping.set)
