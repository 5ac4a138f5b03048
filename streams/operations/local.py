"""Broker and schema registry of one machine, on loopback: started, looked after and ended in one data folder."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never, get_args

import yaml
from filelock import FileLock, Timeout

from streams.domain.errors import Outage, SettingsError
from streams.operations.local_processes import Process, alive, spawn, stop, tail, until
from streams.operations.local_services import Broker, SchemaRegistry, Service, free_port, is_free
from streams.operations.local_state import Kind, Run, RunFile
from streams.operations.local_tools import fetch, java, programs, versions

Report = Callable[[str], None]
"""Takes one line of progress."""

State = Literal["ready", "silent", "crashed", "stopped"]
"""`silent`: it runs and does not answer. `crashed`: it ended without being told to."""

FOLDER = Path("var/local")
KINDS: tuple[Kind, ...] = get_args(Kind)

_TRIES = 3
"""How often a service is started anew when somebody took its port in the moment between look and start."""
_TURN = 600.0
"""Seconds to wait for another command on the same folder: it may be fetching."""
_GRACE = 15.0
"""Seconds for a service to end by itself; it takes less than one."""
_UNFIT = frozenset(',;:"*\n')
"""Characters that mean something in Kafka's list of folders, Java's class path or H2's URL."""


def silent(_line: str) -> None:
    """Report to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Where the services answer."""

    bootstrap: str
    registry_url: str
    """Root of the Confluent API."""
    settings: Path
    """A settings file that says the same: for `--config`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """How one service is. What only a started service has is None for a stopped one."""

    kind: Kind
    title: str
    state: State
    address: str | None
    pid: int | None
    started: float | None
    """Seconds since the epoch."""
    log: Path
    last_words: str
    """The end of the log of a crashed service."""


class LocalServices:
    """Broker and registry whose data, logs and state lie in `folder`.

    `libs` is where the fetched programs lie (default: in `folder`); several folders can share them. Ports are wishes:
    another one is taken when a port is in use, and 0 takes any. `patience` bounds the wait for one service, in seconds.
    Raises `SettingsError` when Java or Maven is missing or the folder is unfit, `Outage` when a service does not come up.
    """

    def __init__(
        self,
        folder: Path = FOLDER,
        *,
        libs: Path | None = None,
        kafka_port: int = 9092,
        registry_port: int = 8081,
        patience: float = 90.0,
    ) -> None:
        self.folder = _fit(folder)
        self._libs = _fit(libs) if libs else self.folder / "libs"
        self._wishes: dict[Kind, int] = {"kafka": kafka_port, "registry": registry_port}
        self._patience = patience
        self._runs = RunFile(self.folder / "services.json")

    @property
    def settings(self) -> Path:
        """The settings file that `up` writes."""
        return self.folder / "settings.yaml"

    def up(self, report: Report = silent) -> Running:
        """Start what does not run yet, and return when both answer; what this call started ends if it fails."""
        with self._alone(report), ExitStack() as undo:
            program = java()
            fetch(self._libs, report)
            broker, registry = (self._ensure(kind, program, report, undo) for kind in KINDS)
            undo.pop_all()
        self._write_settings(broker, registry)
        return Running(bootstrap=broker.address, registry_url=registry.address, settings=self.settings)

    def down(self, report: Report = silent) -> None:
        """End what `up` started; data stays."""
        with self._alone(report):
            self._end_all(report)

    def wipe(self, report: Report = silent) -> None:
        """End what runs, and remove topics, schemas, logs and settings; the fetched programs stay."""
        with self._alone(report):
            self._end_all(report)
            for path in (self.folder / name for name in (*KINDS, "logs")):
                if path.exists():
                    shutil.rmtree(path)
            self.settings.unlink(missing_ok=True)
        report(f"removed topics, schemas and logs from {self.folder}")

    def status(self) -> tuple[ServiceStatus, ...]:
        """How each service is; those that run are asked whether they answer."""
        return tuple(self._status(kind, self._runs.get(kind)) for kind in KINDS)

    def _ensure(self, kind: Kind, program: str, report: Report, undo: ExitStack) -> Service:
        run = self._runs.get(kind)
        if run and alive(run.process):
            service = self._service(kind, run.port)
            self._await(kind, service, run.process)
            report(f"{_title(kind)} already runs at {service.address}")
            return service
        if run:
            report(
                f"{_title(kind)} (pid {run.process.pid}) had ended by itself; the end of its log:\n{self._tail(kind)}"
            )
        return self._start(kind, run.port if run else 0, program, report, undo)

    def _start(self, kind: Kind, last: int, program: str, report: Report, undo: ExitStack) -> Service:
        """Start a service on the port it had `last` (clients may know it), the one wished for, or any."""
        for _ in range(_TRIES):
            service = self._service(kind, free_port(last, self._wishes[kind]))
            report(f"starting {_title(kind)} at {service.address}")
            undo.callback(self._end, kind)
            if self._comes_up(kind, service, program):
                report(f"{_title(kind)} is ready")
                return service
        raise Outage(kind, f"others took its port {_TRIES} times while it started")

    def _comes_up(self, kind: Kind, service: Service, program: str) -> bool:
        """Start a service and wait for it; False when somebody else took its port meanwhile."""
        service.prepare(program)
        mark = f"-Dnvr.streams.local={uuid.uuid4().hex}"
        process = spawn(service.command(program, mark), mark=mark, log=self._log(kind))
        self._runs.put(kind, Run(process=process, port=service.ports[0]))
        try:
            self._await(kind, service, process)
        except Outage:
            if alive(process) or all(map(is_free, service.ports)):
                raise
            return False
        return True

    def _await(self, kind: Kind, service: Service, process: Process) -> None:
        settled = until(lambda: not alive(process) or service.ready(), seconds=self._patience)
        if settled and alive(process):
            return
        fault = "ended while it started" if settled else f"does not answer after {self._patience:g} s"
        raise Outage(kind, f"{_title(kind)} {fault}; the end of {self._log(kind)}:\n{self._tail(kind)}")

    def _end_all(self, report: Report) -> None:
        for kind in reversed(KINDS):
            if run := self._runs.get(kind):
                self._end(kind)
                report(f"{_title(kind)} (pid {run.process.pid}) has ended")

    def _end(self, kind: Kind) -> None:
        if run := self._runs.get(kind):
            stop(run.process, patience=_GRACE)
            self._runs.remove(kind)

    def _status(self, kind: Kind, run: Run | None) -> ServiceStatus:
        state = self._state(kind, run)
        return ServiceStatus(
            kind=kind,
            title=_title(kind),
            state=state,
            address=self._service(kind, run.port).address if run else None,
            pid=run.process.pid if run else None,
            started=run.process.started if run else None,
            log=self._log(kind),
            last_words=self._tail(kind) if state == "crashed" else "",
        )

    def _state(self, kind: Kind, run: Run | None) -> State:
        if run is None:
            return "stopped"
        if not alive(run.process):
            return "crashed"
        return "ready" if self._service(kind, run.port).ready() else "silent"

    def _service(self, kind: Kind, port: int) -> Service:
        folder, where = self.folder / kind, programs(self._libs)
        match kind:
            case "kafka":
                return Broker(libs=where.kafka, folder=folder, port=port, controller=free_port(apart_from={port}))
            case "registry":
                return SchemaRegistry(libs=where.registry, folder=folder, port=port)
            case _:
                assert_never(kind)

    def _write_settings(self, broker: Service, registry: Service) -> None:
        tree = {"kafka": {"bootstrap": broker.address}, "registry": {"url": registry.address}}
        head = "# Written anew by every `nvr-streams local up`.\n"
        self.settings.write_text(head + yaml.safe_dump(tree), encoding="utf-8")

    def _log(self, kind: Kind) -> Path:
        return self.folder / "logs" / f"{kind}.log"

    def _tail(self, kind: Kind) -> str:
        return tail(self._log(kind)) or "(empty)"

    @contextmanager
    def _alone(self, report: Report) -> Iterator[None]:
        """One command at a time per folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report(f"waiting for another command on {self.folder}")
            _wait_for(lock)
        try:
            yield
        finally:
            lock.release()


def _wait_for(lock: FileLock) -> None:
    try:
        lock.acquire(timeout=_TURN)
    except Timeout:
        raise Outage("local services", f"another command holds {lock.lock_file}") from None


def _fit(folder: Path) -> Path:
    path = folder.expanduser().resolve()
    if unfit := _UNFIT & set(str(path)):
        raise SettingsError(f"{path}: choose a folder without {' '.join(sorted(unfit))} in its path")
    return path


def _title(kind: Kind) -> str:
    match kind:
        case "kafka":
            return f"Apache Kafka {versions().kafka}"
        case "registry":
            return f"Apicurio Registry {versions().registry}"
        case _:
            assert_never(kind)
