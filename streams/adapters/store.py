"""The external store of pictures and recordings: one verb set over files, S3, GCS, Azure and memory (obstore)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError, InvalidPathError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, ObjectStore, S3Store

from streams import settings as configured
from streams.adapters.uris import Root, checked_key, locate, parse_root
from streams.domain.errors import Gone, Outage, Poison, SettingsError

if TYPE_CHECKING:  # they exist in obstore's stubs only
    from obstore.store import AzureConfig, ClientConfig, RetryConfig, S3Config

_CONNECT = timedelta(seconds=5)
"""Longest wait for a connection: a host that is not there should not use up the deadline of the whole call."""

_RETRIES = 2
"""Further tries inside one call, for a lost connection; longer troubles are the runtime's `Outage`."""

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "specified bucket does not exist")
"""A missing bucket answers 404 like a missing picture, but every picture would seem gone."""


class Store:
    """Reads from the configured stores, writes to our own. URIs are canonical and absolute.

    Every verb raises `Outage` (no answer in time, no permission, disk or bucket missing); those that take a URI raise
    `Poison` when it lies outside the configured stores.
    """

    def __init__(self, settings: configured.Store) -> None:
        self._timeout = settings.timeout.total_seconds()
        self._max_bytes = settings.max_bytes
        self._public_url, self._presign = settings.public_url, settings.presign
        self._own = parse_root(settings.url, setting="store.url")
        read = [parse_root(url, setting="store.read") for url in settings.read]
        self._stores: Mapping[Root, ObjectStore] = {
            root: _open(root, settings, make=root == self._own) for root in dict.fromkeys([self._own, *read])
        }
        if self._presign and not isinstance(self._stores[self._own], S3Store | GCSStore | AzureStore):
            raise SettingsError(f"store.presign: only s3, gs and az stores hand out presigned URLs, not {settings.url}")

    @property
    def location(self) -> str:
        """The canonical URL of our own store, for people."""
        return self._own.url

    async def check(self) -> None:
        """Return when our own store answers; raises `Outage` otherwise."""
        async with self._asking(self._own, self._own.url):
            async for _ in self._stores[self._own].list(chunk_size=1):
                break

    async def read(self, uri: str) -> bytes:
        """The bytes of a picture or recording. Raises `Gone`; `Poison` when it is larger than `store.max_bytes`."""
        root, key = await asyncio.to_thread(locate, uri, tuple(self._stores))
        async with self._asking(root, uri):
            found = await self._stores[root].get_async(key)
            if (size := found.meta["size"]) > self._max_bytes:
                raise Poison("picture too large", f"{uri}: {size} bytes, store.max_bytes is {self._max_bytes}")
            return bytes(await found.bytes_async())

    async def write(self, name: str, data: bytes) -> str:
        """Keep `data` under `name` in our own store, whole or not at all; returns its URI. The same twice keeps one."""
        key = checked_key(name)
        uri = self._own.uri(key)
        try:
            async with self._asking(self._own, uri):
                await self._stores[self._own].put_async(key, data)
        except Gone as gone:
            raise Outage("store", f"{uri} cannot be written: its folder vanished meanwhile") from gone
        return uri

    async def names(self, prefix: str) -> list[str]:
        """The names in our own store below the folder `prefix`, sorted; or `prefix` itself where it is a name."""
        key, store = checked_key(prefix), self._stores[self._own]
        found: list[str] = []
        async with self._asking(self._own, self._own.uri(key)):
            async for chunk in store.list(key):
                found.extend(meta["path"] for meta in chunk)
            if not found:
                with suppress(FileNotFoundError):
                    found.append((await store.head_async(key))["path"])
        return sorted(found)

    async def delete_prefix(self, prefix: str) -> int:
        """Remove what `names(prefix)` lists; returns how many there were. Repeating it is harmless."""
        found = names = await self.names(prefix)
        while names:
            async with self._asking(self._own, self._own.uri(prefix)):
                # Someone who removes the same names at the same time must not end this halfway.
                with suppress(FileNotFoundError):
                    await self._stores[self._own].delete_async(names)
            names = await self.names(prefix)
        return len(found)

    def uri(self, name: str) -> str:
        """The URI that `name` has in our own store."""
        return self._own.uri(checked_key(name))

    def url(self, uri: str) -> str | None:
        """An absolute http(s) URL of a picture in our own store, for a person's browser; None: there is none."""
        if not (self._presign or self._public_url):
            return None
        try:
            _, key = locate(uri, (self._own,))
        except Poison:
            return None
        store = self._stores[self._own]
        if self._presign and isinstance(store, S3Store | GCSStore | AzureStore):
            try:
                return obstore.sign(store, "GET", key, self._presign)
            except BaseError as error:  # signing may have to fetch credentials first
                raise Outage("store", f"{uri} cannot be presigned: {_first_line(error)}") from error
        return f"{self._public_url.rstrip('/')}/{quote(key)}" if self._public_url else None

    @asynccontextmanager
    async def _asking(self, root: Root, uri: str) -> AsyncIterator[None]:
        """One call to a store: bounded in time, and its failures in our own words."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except TimeoutError as error:
            raise Outage("store", f"{root.url} gave no answer within {self._timeout:g} s") from error
        except FileNotFoundError as error:
            if _missing(root, error):
                raise Outage("store", f"{root.url} does not exist") from error
            raise Gone(uri) from error
        except InvalidPathError as error:
            raise Poison("outside the stores", f"{uri}: {_first_line(error)}") from error
        except (BaseError, OSError) as error:
            raise Outage("store", f"{root.url}: {_first_line(error)}") from error


def _missing(root: Root, error: FileNotFoundError) -> bool:
    """Whether the whole store is missing (an unmounted disk, a bucket not made) rather than one picture."""
    if root.scheme == "file":
        return not root.path.is_dir()
    return any(sign in str(error) for sign in _NO_BUCKET)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _open(root: Root, settings: configured.Store, *, make: bool) -> ObjectStore:
    """The client of one store; `make` makes a missing folder (ours; a camera system's is never made)."""
    try:
        match root.scheme:
            case "file":
                return LocalStore(root.path, automatic_cleanup=True, mkdir=make)
            case "memory":
                return MemoryStore()
            case _:
                return _open_bucket(root, settings)
    except (BaseError, OSError, ValueError) as error:
        raise SettingsError(f"store: {root.url} cannot be used: {_first_line(error)}") from error


def _open_bucket(root: Root, settings: configured.Store) -> ObjectStore:
    client: ClientConfig = {
        "allow_http": (settings.endpoint or "").startswith("http://"),
        "timeout": settings.timeout,
        "connect_timeout": min(settings.timeout, _CONNECT),
    }
    retry: RetryConfig = {"max_retries": _RETRIES, "retry_timeout": settings.timeout}
    match root.scheme:
        case "s3":
            return S3Store.from_url(root.url, config=_s3(settings), client_options=client, retry_config=retry)
        case "az":
            return AzureStore.from_url(
                root.url, config=_azure(root, settings), client_options=client, retry_config=retry
            )
        case _:
            return GCSStore.from_url(root.url, client_options=client, retry_config=retry)


def _s3(settings: configured.Store) -> S3Config:
    """What the settings say; what is unset is left to the cloud SDK's own search."""
    config: S3Config = {}
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    if settings.region:
        config["region"] = settings.region
    if settings.access_key:
        config["access_key_id"] = settings.access_key.get_secret_value()
    if settings.secret_key:
        config["secret_access_key"] = settings.secret_key.get_secret_value()
    return config


def _azure(root: Root, settings: configured.Store) -> AzureConfig:
    """`az://account/container/folder`: the account is part of the URL, its key is the secret key."""
    config: AzureConfig = {"account_name": root.place}
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    if settings.secret_key:
        config["account_key"] = settings.secret_key.get_secret_value()
    return config
