"""The real broker and registry, shared by all test runs of this checkout that go on at the same time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from streams.operations.local import FOLDER, LocalServices

ROOT = Path(__file__).resolve().parents[2]
LIBS = ROOT / FOLDER / "libs"
"""The programs that `nvr-streams local up` fetches too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Where the real services answer."""

    bootstrap: str
    registry_url: str
    """Root of the Confluent API."""


@contextmanager
def shared_services(folder: Path = ROOT / "var" / "test") -> Iterator[Services]:
    """Join the services in `folder`, or start them on free ports; the last test run to leave ends and wipes them.

    Services that a person started there stay. Raises `SettingsError` when Java or Maven is missing.
    """
    local = LocalServices(folder, libs=LIBS, kafka_port=0, registry_port=0)
    ours = local.folder / "started-by-tests"
    local.folder.mkdir(parents=True, exist_ok=True)
    with (local.folder / ".users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        if all(service.state == "stopped" for service in local.status()):
            ours.touch()
        running = local.up()
        try:
            yield Services(bootstrap=running.bootstrap, registry_url=running.registry_url)
        finally:
            if ours.exists() and _last(users):
                local.wipe()
                ours.unlink(missing_ok=True)


def _last(users: IO[str]) -> bool:
    """Whether nobody else holds the file; a run that was killed holds nothing."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
