"""Java and Maven: what the local services run on, and how their programs are fetched, once."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from streams.domain.errors import SettingsError
from streams.files import shipped

_JAVA = 17
"""Oldest Java that Kafka 4's broker runs on."""
_MAVEN = 3
_ERROR = "[ERROR] "


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    kafka: str
    registry: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The fetched programs: Kafka's jars, and the unpacked registry."""

    kafka: Path
    registry: Path


def versions() -> Versions:
    """The versions that the shipped POM names."""
    pom = _pom().read_text(encoding="utf-8")
    return Versions(kafka=_property(pom, "kafka.version"), registry=_property(pom, "registry.version"))


def java() -> str:
    """The path of a Java that is new enough. Raises `SettingsError` when there is none."""
    return _tool("java", "-version", r'version "(?:1\.)?(\d+)', _JAVA)


def maven() -> str:
    """The path of a Maven that is new enough. Raises `SettingsError` when there is none."""
    return _tool("mvn", "--version", r"Apache Maven (\d+)", _MAVEN)


def programs(libs: Path) -> Programs:
    """Where the programs lie below `libs`, fetched or not; another version lies elsewhere."""
    wanted = versions()
    folder = libs / f"kafka-{wanted.kafka}-registry-{wanted.registry}"
    return Programs(kafka=folder / "kafka", registry=folder / "registry")


def fetch(libs: Path, report: Callable[[str], None]) -> None:
    """Fetch the programs by Maven, unless they lie below `libs` already.

    Raises `SettingsError` when Maven is missing or cannot fetch them.
    """
    folder = programs(libs).kafka.parent
    libs.mkdir(parents=True, exist_ok=True)
    with FileLock(libs / ".lock"):
        if not folder.is_dir():
            report("fetching the programs with Maven (once, some 150 MB)")
            _fetch_into(folder, partial=libs / ".partial")


def _fetch_into(folder: Path, *, partial: Path) -> None:
    """Only a complete fetch ever carries the final name."""
    shutil.rmtree(partial, ignore_errors=True)
    # -U: a failure that Maven once remembered must not outlive its cause.
    command = [maven(), "-q", "-B", "-U", "-f", str(_pom()), "package", f"-Dlibs={partial}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        raise SettingsError(f"Maven could not fetch the local services: {_complaint(done.stdout + done.stderr)}")
    partial.rename(folder)


def _complaint(output: str) -> str:
    errors = [line.partition(_ERROR)[2] for line in output.splitlines() if _ERROR in line]
    return errors[0].partition(" -> ")[0] if errors else output.strip() or "it said nothing"


def _tool(name: str, flag: str, pattern: str, oldest: int) -> str:
    path = shutil.which(name)
    needed = f"the local services need {name} {oldest} or newer"
    if path is None:
        raise SettingsError(f"{needed}, and there is no `{name}` on the PATH")
    told = subprocess.run([path, flag], capture_output=True, text=True, check=False)  # noqa: S603 - found on the PATH
    found = re.search(pattern, told.stdout + told.stderr)
    if found is None:
        raise SettingsError(f"{needed}, and {path} does not tell its version: {(told.stdout + told.stderr).strip()}")
    if int(found[1]) < oldest:
        raise SettingsError(f"{needed}, and {path} is {found[1]}")
    return path


def _pom() -> Path:
    return shipped("infra", "local", "pom.xml")


def _property(pom: str, name: str) -> str:
    found = re.search(rf"<{re.escape(name)}>(.+?)</", pom)
    if found is None:
        raise SettingsError(f"{_pom()} names no {name}")
    return found[1]
