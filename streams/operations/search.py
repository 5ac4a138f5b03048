"""Finds objects: through a worker of this machine where one answers, else by opening the index itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import httpx
import msgspec

from streams.adapters.addresses import candidates
from streams.adapters.search import Search, SearchRequest, hits_of, parameters_of
from streams.domain.errors import Outage, Poison, SettingsError
from streams.ports import Hit
from streams.settings import Settings

Opener: TypeAlias = Callable[[Settings], AbstractAsyncContextManager[Search]]

ANSWER_SECONDS = 35.0
"""How long a worker has to answer: a little longer than it takes to give up itself."""


async def find(settings: Settings, request: SearchRequest, *, opener: Opener) -> list[Hit]:
    """The hits, best first.

    A worker is asked first: the embedded index belongs to it, and its models are loaded. Without one, `opener` opens a
    search of our own. Raises `LookupError` (no such object to be like), `Poison` (the question is refused),
    `SettingsError` or `Outage`.
    """
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
        for url in candidates(settings.worker):
            if (hits := await _ask(client, url, request)) is not None:
                return hits
    async with opener(settings) as search:
        return await search.run(request)


async def _ask(client: httpx.AsyncClient, url: str, request: SearchRequest) -> list[Hit] | None:
    """The hits that a worker finds; None when nobody answers there, or something that is no worker."""
    try:
        answer = await client.get(f"{url}/api/search", params=httpx.QueryParams(list(parameters_of(request))))
        if answer.is_success:
            return hits_of(answer.content)
        raise _refusal(answer.status_code, msgspec.json.decode(answer.content, type=_Refusal).error, url)
    except httpx.TimeoutException as error:
        raise Outage("worker", f"{url} did not answer within {ANSWER_SECONDS:.0f} s") from error
    except (httpx.TransportError, msgspec.MsgspecError):
        return None


class _Refusal(msgspec.Struct):
    error: str


def _refusal(status: int, words: str, url: str) -> Exception:
    match status:
        case httpx.codes.BAD_REQUEST:
            return Poison("refused by the worker", words)
        case httpx.codes.NOT_FOUND:
            return LookupError(words)
        case httpx.codes.INTERNAL_SERVER_ERROR:
            return SettingsError(words)
        case _:
            return Outage("worker", f"{url}: {words}")
