"""Schemas as files, as frozen versions, and as subjects of a registry: freezing, checking and registering them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.adapters.catalogue import Catalogue, Topic
from streams.adapters.codec import subject_of
from streams.adapters.registry import Registry
from streams.adapters.schema_files import SchemaFiles
from streams.operations.schema_rules import breaks, flaws, same

LEVEL = "FULL_TRANSITIVE"
"""Every version reads every other: topics are replayed from their beginning, and workers are replaced one by one."""

_ORDER = ("name", "type", "logicalType", "symbols", "items", "values", "default", "doc", "fields")
"""Order of the keys in frozen files: short things first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One version of a subject, as the registry knows it now."""

    subject: str
    version: int
    id: int
    new: bool
    """Whether it was registered just now."""


async def register(registry: Registry, topics: Iterable[Topic], files: SchemaFiles) -> list[Registration]:
    """Register all frozen versions of all topics' schemas, oldest first, under `FULL_TRANSITIVE`.

    The same call twice changes nothing. Raises `Refused` when the registry holds something incompatible, `Outage`.
    """
    return [done for topic in topics if topic.message for done in await _register(registry, topic, files)]


async def _register(registry: Registry, topic: Topic, files: SchemaFiles) -> list[Registration]:
    subject, done = subject_of(topic.name), []
    for version, text in enumerate(files.frozen(subject_of(topic.subject)), start=1):
        try:
            found, new = await registry.id_of(subject, text), False
        except LookupError:
            found, new = await registry.register(subject, text), True
        done.append(Registration(subject=subject, version=version, id=found, new=new))
        # A registry may know levels only of subjects that exist: the first version comes before the promise.
        if await registry.compatibility(subject) != LEVEL:
            await registry.set_compatibility(subject, LEVEL)
    return done


async def compare(registry: Registry, topics: Iterable[Topic], files: SchemaFiles) -> list[str]:
    """Every difference between the frozen versions and the registry, in words. Raises `Outage`."""
    return [line for topic in topics if topic.message for line in await _compare(registry, topic, files)]


async def _compare(registry: Registry, topic: Topic, files: SchemaFiles) -> list[str]:
    subject = subject_of(topic.name)
    ours = [json.loads(text) for text in files.frozen(subject_of(topic.subject))]
    theirs = [json.loads(text) for text in await registry.versions(subject)]
    level = await registry.compatibility(subject)
    if not theirs:
        return [f"{subject}: not registered; run: nvr-streams schemas register"]
    return [
        *(f"{subject}: v{number} is not registered" for number, each in enumerate(ours, start=1) if each not in theirs),
        *(
            f"{subject}: the registry's version {number} is none of ours"
            for number, each in enumerate(theirs, start=1)
            if each not in ours
        ),
        *([] if level == LEVEL else [f"{subject}: compatibility is {level or 'the default'}, expected {LEVEL}"]),
    ]


def review(catalogue: Catalogue, files: SchemaFiles) -> list[str]:
    """Everything that breaks a rule in the files themselves, in words; empty: the schemas are fit for release."""
    found: list[str] = []
    for subject, text in _current(catalogue, files):
        found += _violations(subject, text, files)
        if _is_new(subject, text, files):
            found.append(f"{subject}: not frozen as it is now; run: nvr-streams schemas freeze")
    return found


def freeze(catalogue: Catalogue, files: SchemaFiles) -> list[Path]:
    """Write a new frozen version of every schema that differs from its newest one; returns the files written.

    Raises `ValueError` with all reasons when a schema breaks a rule; then nothing is written.
    """
    changed = [(subject, text) for subject, text in _current(catalogue, files) if _is_new(subject, text, files)]
    if wrong := [problem for subject, text in changed for problem in _violations(subject, text, files)]:
        raise ValueError("\n".join(wrong))
    return [_write(subject, text, files) for subject, text in changed]


def _current(catalogue: Catalogue, files: SchemaFiles) -> Iterator[tuple[str, str]]:
    """Subject and schema of everything that is frozen: the topics' messages, and what agents remember."""
    for topic in catalogue.files:
        if topic.message:
            yield subject_of(topic.subject), files.message(topic.message.__name__)
    for state in sorted((files.folder / "state").glob("*.avsc")):
        yield f"state-{state.stem}", files.state(state.stem)


def _frozen(subject: str, files: SchemaFiles) -> tuple[str, ...]:
    return files.frozen(subject) if (files.folder / "frozen" / subject).is_dir() else ()


def _is_new(subject: str, text: str, files: SchemaFiles) -> bool:
    versions = _frozen(subject, files)
    return not versions or not same(text, versions[-1])


def _violations(subject: str, text: str, files: SchemaFiles) -> list[str]:
    return [
        *(f"{subject} {flaw}" for flaw in flaws(text)),
        *(
            f"{subject} against its v{version}: {problem}"
            for version, old in enumerate(_frozen(subject, files), start=1)
            for problem in breaks(text, old)
        ),
    ]


def _write(subject: str, text: str, files: SchemaFiles) -> Path:
    file = files.folder / "frozen" / subject / f"v{len(_frozen(subject, files)) + 1}.avsc"
    file.parent.mkdir(parents=True, exist_ok=True)
    ordered = json.loads(text, object_hook=lambda node: {key: node[key] for key in sorted(node, key=_place)})
    file.write_text(json.dumps(ordered, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return file


def _place(key: str) -> int:
    return _ORDER.index(key) if key in _ORDER else len(_ORDER)
