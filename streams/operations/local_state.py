"""What is known about the started services from one command to the next: a small file in their folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from streams.domain.errors import SettingsError
from streams.operations.local_processes import Process

Kind = Literal["kafka", "registry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A service that was started and not ended by us since."""

    process: Process
    port: int


class RunFile:
    """The file of runs; every change is whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, kind: Kind) -> Run | None:
        return self._read().get(kind)

    def put(self, kind: Kind, run: Run) -> None:
        self._write({**self._read(), kind: run})

    def remove(self, kind: Kind) -> None:
        self._write({name: run for name, run in self._read().items() if name != kind})

    def _read(self) -> dict[Kind, Run]:
        if not self._path.is_file():
            return {}
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[Kind, Run])
        except msgspec.DecodeError as error:
            raise SettingsError(
                f"{self._path} cannot be read ({error}): end what it started, then remove it"
            ) from error

    def _write(self, runs: dict[Kind, Run]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".fresh")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(runs)))
        fresh.replace(self._path)
