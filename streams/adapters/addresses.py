"""Where the workers of this machine answer: one small file each in the worker's folder, beside the configured port."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from yarl import URL

from streams.domain.errors import SettingsError
from streams.settings import Worker

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # addresses to listen on are none to go to


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`url` is the base of a worker's HTTP server."""

    name: str
    url: str
    pid: int


@contextmanager
def announced(folder: Path, name: str, url: str) -> Iterator[Path]:
    """Let other commands find this worker as long as the block lasts. Raises `SettingsError`: the folder is not ours."""
    file = folder / f"http-{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(file, msgspec.json.encode(Address(name=name, url=url, pid=os.getpid())))
    except OSError as error:
        raise SettingsError(f"worker.data: cannot write {file} ({error.strerror})") from error
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def url_of(host: str, port: int) -> str:
    """Where on this machine a server is asked that listens on `host`."""
    return str(URL.build(scheme="http", host=_LOOPBACK.get(host, host), port=port))


def candidates(worker: Worker) -> tuple[str, ...]:
    """The URLs at which workers of this machine may answer, those that they announced first."""
    configured = [url_of(worker.host, worker.port)] if worker.port else []
    return tuple(dict.fromkeys((*(address.url for address in found(worker.data)), *configured)))


def found(folder: Path) -> tuple[Address, ...]:
    """The addresses that stand in the folder; after a crash one may be there that answers no more."""
    return tuple(address for file in sorted(folder.glob("http-*.json")) if (address := _read(file)))


def _replace(file: Path, content: bytes) -> None:
    """In one step, so that nobody reads half of it."""
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(file)


def _read(file: Path) -> Address | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Address)
    except (OSError, msgspec.MsgspecError):
        return None
