"""The schema registry (Confluent's API), asked off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Protocol, Self, TypeVar

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError

from streams.domain.errors import Outage, SettingsError
from streams.settings import Registry as RegistrySettings

T = TypeVar("T")

UNKNOWN = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Answers that asking again does not change; all others, refused credentials included, may heal."""


class Refused(Exception):
    """The registry does not take a schema: it breaks the compatibility that its subject promises."""


class Schemas(Protocol):
    """The two questions that the codec asks a registry. Both raise `Outage` and `LookupError` (not registered)."""

    async def schema(self, schema_id: int) -> str:
        """The Avro schema of that id, as JSON."""
        ...

    async def id_of(self, subject: str, schema: str) -> int:
        """The id under which `schema` (JSON) is registered in `subject`."""
        ...


class Registry:
    """A Confluent-compatible registry. Every verb raises `Outage` when it does not answer.

    It keeps a connection open: close it, or use it as a context.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        """Raises `SettingsError` when the URL is none."""
        # The client's own retries would sleep in a thread: whoever asks retries by the rules of outages.
        config: dict[str, object] = {
            "url": settings.url,
            "timeout": settings.timeout.total_seconds(),
            "max.retries": 0,
        }
        if settings.username is not None:
            password = settings.password.get_secret_value() if settings.password else ""
            config["basic.auth.user.info"] = f"{settings.username}:{password}"
        try:
            self._client = SchemaRegistryClient(config)
        except ValueError as error:
            raise SettingsError(f"registry.url: {error}") from error
        self._url = settings.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection up."""
        self._client.close()

    async def schema(self, schema_id: int) -> str:
        """The Avro schema of that id, as JSON. Raises `LookupError` when there is none, or it is not Avro."""
        found = await self._ask(lambda: self._client.get_schema(schema_id))
        if found.schema_type not in {None, "AVRO"} or not found.schema_str:
            raise LookupError(f"schema {schema_id} is {found.schema_type}, not AVRO")
        return found.schema_str

    async def id_of(self, subject: str, schema: str) -> int:
        """The id under which `schema` is registered in `subject`. Raises `LookupError` when it is not."""
        found = await self._ask(lambda: self._client.lookup_schema(subject, Schema(schema, "AVRO")))
        if found.schema_id is None:
            raise LookupError(f"the registry gave no id for {subject}")
        return found.schema_id

    async def register(self, subject: str, schema: str) -> int:
        """Register `schema` in `subject` and return its id. Raises `Refused` when it is not compatible."""
        return await self._ask(lambda: self._client.register_schema(subject, Schema(schema, "AVRO")))

    async def versions(self, subject: str) -> list[str]:
        """The schemas of `subject`, oldest first; empty when there is no such subject."""
        try:
            numbers = await self._ask(lambda: self._client.get_versions(subject))
        except LookupError:
            return []
        found = [await self._ask(partial(self._client.get_version, subject, number)) for number in sorted(numbers)]
        return [version.schema.schema_str or "" for version in found]

    async def compatibility(self, subject: str) -> str | None:
        """The compatibility level set for `subject`; None: the registry's default."""
        try:
            return await self._ask(lambda: self._client.get_compatibility(subject))
        except LookupError:
            return None

    async def set_compatibility(self, subject: str, level: str) -> None:
        """Promise `level` (such as `FULL_TRANSITIVE`) for all versions of `subject`."""
        await self._ask(lambda: self._client.set_compatibility(subject, level))

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(question)
        except SchemaRegistryError as error:
            if error.http_status_code == HTTPStatus.CONFLICT:
                raise Refused(str(error)) from error
            if error.http_status_code in UNKNOWN:
                raise LookupError(str(error)) from error
            raise Outage("registry", f"{self._url}: {error}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            # ValueError: a body that is not JSON, such as the page of a proxy in between.
            raise Outage("registry", f"{self._url}: {type(error).__name__}: {error}") from error
