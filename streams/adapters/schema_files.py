"""The schema files of `schemas/`: those that are written by hand, and the frozen versions that were released."""

from __future__ import annotations

import json
from pathlib import Path

from fastavro.repository import AbstractSchemaRepository
from fastavro.schema import load_schema

from streams.files import shipped

NAMESPACE = "nvr.streams"
STATES = f"{NAMESPACE}.state"
"""Namespace of what agents remember; its files lie in `schemas/state`."""


class SchemaFiles:
    """Schemas as JSON texts, complete: every named type is written out where it is first used."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or shipped("schemas")
        self._parts = _Parts(self.folder)

    def message(self, name: str) -> str:
        """The schema of a message, composed of the files in `schemas/avro`."""
        return _compose(f"{NAMESPACE}.{name}", self._parts)

    def state(self, name: str) -> str:
        """The schema of an agent's state, composed of the files in `schemas/state` and `schemas/avro`."""
        return _compose(f"{STATES}.{name}", self._parts)

    def frozen(self, subject: str) -> tuple[str, ...]:
        """The released versions of a topic's schema (`<topic>-value`) or of a state's (`state-<Class>`), v1 first.

        Raises `LookupError` when there is none, or a version is missing in between.
        """
        found = {int(file.stem.removeprefix("v")): file for file in (self.folder / "frozen" / subject).glob("v*.avsc")}
        if not found or sorted(found) != list(range(1, len(found) + 1)):
            raise LookupError(f"frozen versions of {subject}: {sorted(found) or 'none'}, expected 1, 2, 3, …")
        return tuple(found[version].read_text(encoding="utf-8") for version in sorted(found))


class _Parts(AbstractSchemaRepository):
    """Finds the file of a named type, for fastavro."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str) -> object:
        namespace, _, short = name.rpartition(".")
        part = self._folder / ("state" if namespace == STATES else "avro") / f"{short}.avsc"
        if not part.is_file():
            raise LookupError(f"no schema {name}: there is no {part}")
        return json.loads(part.read_text(encoding="utf-8"))


def _compose(name: str, parts: _Parts) -> str:
    return json.dumps(load_schema(name, repo=parts, _write_hint=False), ensure_ascii=False)
