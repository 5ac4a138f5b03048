"""What the registry's answers amount to: an outage that heals, or a word that asking again does not change."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from pydantic import SecretStr

from streams.adapters.registry import Refused, Registry
from streams.domain.errors import Outage, SettingsError
from streams.settings import Registry as RegistrySettings


@dataclass
class Counter:
    """An HTTP server that gives one answer to everything."""

    status: int = 200
    body: str = "{}"
    requests: list[web.Request] = field(default_factory=list)
    url: str = ""
    closing: ExitStack = field(default_factory=ExitStack)

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return web.Response(status=self.status, text=self.body, content_type="application/json")

    def says(self, status: int, **body: object) -> Registry:
        self.status, self.body = status, json.dumps(body)
        return self.visited_by(username=None, password=None)

    def visited_by(self, username: str | None, password: SecretStr | None) -> Registry:
        told = RegistrySettings(url=self.url, timeout=timedelta(seconds=2), username=username, password=password)
        return self.closing.enter_context(Registry(told))


@pytest_asyncio.fixture
async def counter() -> AsyncIterator[Counter]:
    there = Counter()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", there.answer)
    async with TestServer(app) as server:
        there.url = str(server.make_url("/apis/ccompat/v7"))
        with there.closing:
            yield there


async def test_a_schema_is_its_json_text(counter: Counter) -> None:
    assert await counter.says(200, schema='"string"').schema(7) == '"string"'
    assert counter.requests[0].path == "/apis/ccompat/v7/schemas/ids/7"


async def test_an_id_is_looked_up_and_never_registered(counter: Counter) -> None:
    assert await counter.says(200, id=12, version=1, subject="s", schema='"int"').id_of("s", '"int"') == 12
    assert counter.requests[0].path == "/apis/ccompat/v7/subjects/s"


@pytest.mark.parametrize(("status", "code"), [(404, 40403), (404, 40401), (422, 42202), (400, 400)])
async def test_what_it_does_not_know_is_a_lookup_error(counter: Counter, status: int, code: int) -> None:
    with pytest.raises(LookupError, match="not found"):
        await counter.says(status, error_code=code, message="not found").schema(7)


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502, 503])
async def test_what_may_heal_is_an_outage_that_names_the_registry(counter: Counter, status: int) -> None:
    registry = counter.says(status, error_code=status, message="not now")
    with pytest.raises(Outage, match=f"registry: {counter.url}: not now"):
        await registry.schema(7)
    assert len(counter.requests) == 1


async def test_a_page_that_is_no_json_is_an_outage(counter: Counter) -> None:
    registry = counter.says(200)
    counter.body = "<html>Sign in</html>"
    with pytest.raises(Outage, match="registry"):
        await registry.schema(7)


async def test_nobody_there_is_an_outage_at_once() -> None:
    told = RegistrySettings(url=f"http://127.0.0.1:{unused_port()}", timeout=timedelta(seconds=2))
    with Registry(told) as registry, pytest.raises(Outage, match=r"registry: http://127\.0\.0\.1.*ConnectError"):
        await registry.id_of("s", '"int"')


async def test_an_incompatible_schema_is_refused(counter: Counter) -> None:
    with pytest.raises(Refused, match="incompatible"):
        await counter.says(409, error_code=409, message="incompatible").register("s", '"int"')


async def test_a_schema_of_another_kind_is_none_of_ours(counter: Counter) -> None:
    with pytest.raises(LookupError, match="schema 7 is JSON, not AVRO"):
        await counter.says(200, schema="{}", schemaType="JSON").schema(7)


async def test_a_subject_that_does_not_exist_has_no_versions_and_no_level(counter: Counter) -> None:
    registry = counter.says(404, error_code=40401, message="no such subject")
    assert await registry.versions("s") == []
    assert await registry.compatibility("s") is None


async def test_credentials_are_sent(counter: Counter) -> None:
    counter.says(200, schema='"int"')
    await counter.visited_by("nvr", SecretStr("hidden")).schema(7)
    assert counter.requests[0].headers["Authorization"] == f"Basic {b64encode(b'nvr:hidden').decode()}"


def test_a_url_that_is_none_is_refused_by_the_setting_s_name() -> None:
    with pytest.raises(SettingsError, match=r"registry\.url: Invalid url"):
        Registry(RegistrySettings(url="registry:8081"))
