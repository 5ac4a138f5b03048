"""What is released: every class that has a schema, its examples, and its golden bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import subject_of
from streams.adapters.schema_files import SchemaFiles
from streams.pipeline import outline

FILES = SchemaFiles()
GOLDEN = Path(__file__).parents[1] / "data" / "golden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A dataclass with a schema of its own, and where its examples and frozen versions lie."""

    record: type
    name: str
    """Name of its examples' folder and of its golden bytes: the topic's, or `state-<Class>`."""
    subject: str
    """Name of the folder of its frozen versions."""
    schema: str

    @property
    def versions(self) -> tuple[str, ...]:
        return FILES.frozen(self.subject)

    def examples(self) -> dict[str, object]:
        files = sorted((FILES.folder / "examples" / self.name).glob("*.json"))
        return {file.stem: msgspec.json.decode(file.read_bytes(), type=self.record) for file in files}

    def golden(self, version: int) -> Path:
        """A bare Avro body of that version."""
        return GOLDEN / f"{self.name}-v{version}.avro"

    def told(self, version: int) -> Path:
        """What the golden bytes say, as JSON."""
        return GOLDEN / f"{self.name}-v{version}.json"


def messages() -> Iterator[Released]:
    for topic in Catalogue("nvr").files:
        if topic.message:
            schema = FILES.message(topic.message.__name__)
            subject = subject_of(topic.subject)
            yield Released(record=topic.message, name=topic.subject, subject=subject, schema=schema)


def states() -> Iterator[Released]:
    for agent in outline(model="mini", collection="objects"):
        for state in agent.state:
            subject = f"state-{state.__name__}"
            yield Released(record=state, name=subject, subject=subject, schema=FILES.state(state.__name__))


def everything() -> tuple[Released, ...]:
    return (*messages(), *states())
