"""A schema registry in memory, and the installation's own schemas registered in it."""

from __future__ import annotations

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec, subject_of
from streams.adapters.schema_files import SchemaFiles
from streams.domain.errors import Outage


class MemoryRegistry:
    """The two questions of the codec, answered from memory; ids count from 1."""

    def __init__(self) -> None:
        self.schemas: list[str] = []
        self.subjects: dict[tuple[str, str], int] = {}
        self.asked: list[int | str] = []
        """Every question that came, in order."""
        self.down = False
        """While true it does not answer."""

    def put(self, subject: str, schema: str) -> int:
        """Register a schema and return its id."""
        if (subject, schema) not in self.subjects:
            self.schemas.append(schema)
            self.subjects[subject, schema] = len(self.schemas)
        return self.subjects[subject, schema]

    async def schema(self, schema_id: int) -> str:
        self._answer(schema_id)
        if not 1 <= schema_id <= len(self.schemas):
            raise LookupError(f"Schema {schema_id} not found")
        return self.schemas[schema_id - 1]

    async def id_of(self, subject: str, schema: str) -> int:
        self._answer(subject)
        if (subject, schema) not in self.subjects:
            raise LookupError(f"Subject {subject!r} not found")
        return self.subjects[subject, schema]

    def _answer(self, question: int | str) -> None:
        self.asked.append(question)
        if self.down:
            raise Outage("registry", "it does not answer")


def registered(prefix: str = "nvr", model: str = "mini") -> tuple[Codec, MemoryRegistry]:
    """A codec whose registry knows every released schema of an installation."""
    catalogue, registry, files = Catalogue(prefix), MemoryRegistry(), SchemaFiles()
    for topic in catalogue.topics([model]):
        if topic.message:
            for version in files.frozen(subject_of(topic.subject)):
                registry.put(subject_of(topic.name), version)
    return Codec(catalogue, registry, files), registry
