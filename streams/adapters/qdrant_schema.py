"""The collection: its name, vectors, payload indexes and metadata; made when missing, refused when it doesn't fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from streams.adapters.qdrant_points import DESCRIPTION, THUMBNAIL, Space
from streams.domain.errors import SettingsError
from streams.ports import MAX_HITS

SCHEMA = 1
"""Version of what payloads mean; a collection of another version is refused."""

# Conditional writes of older servers can be undone by a restart (qdrant/qdrant 9575).
_OLDEST_SERVER = (1, 19)
_CONFLICT = 409

# Everything that people filter on: dashboards type and complete indexed fields only, and strict mode refuses others.
INDEXES: dict[str, models.PayloadFieldSchema] = {
    **dict.fromkeys(
        ("object_id", "site", "label", "sub_label", "zone", "zones", "date", "weekday", "plate", "source", "outcome"),
        models.PayloadSchemaType.KEYWORD,
    ),
    "camera": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
    "start_time": models.DatetimeIndexParams(type=models.DatetimeIndexType.DATETIME, is_principal=True),
    "end_time": models.PayloadSchemaType.DATETIME,
    **dict.fromkeys(("start_ts", "score", "top_score"), models.PayloadSchemaType.FLOAT),
    **dict.fromkeys(("hour", "version"), models.PayloadSchemaType.INTEGER),
    **dict.fromkeys(("has_clip", "has_snapshot", "deleted"), models.PayloadSchemaType.BOOL),
    "description": models.PayloadSchemaType.TEXT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the collection has to be. Searches go to the alias, writes to the physical collection behind it."""

    alias: str
    space: Space
    site: str
    indexes: Mapping[str, models.PayloadFieldSchema]

    @property
    def stem(self) -> str:
        return f"{self.alias}_{self.space.model}_"


async def check_server(client: AsyncQdrantClient) -> None:
    """Raise `SettingsError` for a server that is too old."""
    version = (await client.info()).version
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or tuple(map(int, numbers.groups())) < _OLDEST_SERVER:
        raise SettingsError(f"index.url: the server is Qdrant {version}; it has to be 1.19 or newer")


async def prepare(client: AsyncQdrantClient, plan: Plan) -> str:
    """The name of the physical collection to write to; it, its payload indexes and its alias are made when missing.

    Raises `SettingsError` when what is there doesn't fit the plan.
    """
    names = {collection.name for collection in (await client.get_collections()).collections}
    if plan.alias in names:
        raise SettingsError(f"index.collection: {plan.alias} is a collection, not an alias; choose another name")
    served = await serving(client, plan.alias)
    physical = served or _latest(names, plan.stem) or f"{plan.stem}1"
    if physical not in names:
        await _create(client, physical, plan)
    info = await client.get_collection(physical)
    check(info.config, physical, plan)
    await _index(client, physical, plan, info)
    if served is None:
        alias = models.CreateAlias(collection_name=physical, alias_name=plan.alias)
        await client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    return physical


async def serving(client: AsyncQdrantClient, alias: str) -> str | None:
    """The collection that the alias points to."""
    aliases = (await client.get_aliases()).aliases
    return next((entry.collection_name for entry in aliases if entry.alias_name == alias), None)


def check(config: models.CollectionConfig, name: str, plan: Plan) -> None:
    """Raise `SettingsError` when a collection can't hold the points of the plan."""
    found = model_of(config)
    if found != plan.space.model:
        raise SettingsError(_misfit(name, f"holds vectors of the model {found!r}", f"{plan.space.model!r}"))
    schema = (config.metadata or {}).get("schema")
    if schema != SCHEMA:
        raise SettingsError(_misfit(name, f"has payloads of version {schema}", f"version {SCHEMA}"))
    if plan.space.dim:
        _check_vectors(config.params.vectors, name, plan)


def model_of(config: models.CollectionConfig) -> str | None:
    """The name of the embedding model that a collection's vectors come from."""
    model = (config.metadata or {}).get("model")
    return model if isinstance(model, str) else None


def _check_vectors(vectors: models.VectorsConfig | None, name: str, plan: Plan) -> None:
    if not isinstance(vectors, dict):  # such a collection answers 200 and drops the point (qdrant/qdrant 9521)
        raise SettingsError(_misfit(name, "has no named vectors", f"{THUMBNAIL} and {DESCRIPTION}"))
    for vector in (THUMBNAIL, DESCRIPTION):
        if vector not in vectors:
            raise SettingsError(_misfit(name, f"has the vectors [{', '.join(sorted(vectors))}]", vector))
        if vectors[vector].size != plan.space.dim:
            got = f"takes {vectors[vector].size} numbers per {vector} vector"
            raise SettingsError(_misfit(name, got, f"{plan.space.dim} (model {plan.space.model!r})"))
        if vectors[vector].distance is not models.Distance.COSINE:
            raise SettingsError(_misfit(name, f"compares {vector} by {vectors[vector].distance.value}", "Cosine"))


def _misfit(name: str, found: str, wanted: str) -> str:
    cure = "set embedding.model and its files back to what made the collection, or set index.collection to a new name"
    return f"index.collection: {name} {found}, the settings need {wanted}; {cure}"


def _latest(names: set[str], stem: str) -> str | None:
    numbers = [int(name.removeprefix(stem)) for name in names if re.fullmatch(re.escape(stem) + r"\d+", name)]
    return f"{stem}{max(numbers)}" if numbers else None


async def _create(client: AsyncQdrantClient, name: str, plan: Plan) -> None:
    try:
        await client.create_collection(
            name,
            vectors_config=_vectors(plan.space),
            metadata={"model": plan.space.model, "dim": plan.space.dim, "schema": SCHEMA, "site": plan.site},
            strict_mode_config=models.StrictModeConfig(
                enabled=True,
                unindexed_filtering_retrieve=False,
                max_query_limit=MAX_HITS,
                upsert_max_batchsize=1000,
            ),
        )
    except UnexpectedResponse as error:
        if error.status_code != _CONFLICT:  # another worker was quicker: what it made is checked like any other
            raise


def _vectors(space: Space) -> dict[str, models.VectorParams]:
    if not space.dim:
        return {}
    params = models.VectorParams(size=space.dim, distance=models.Distance.COSINE)
    return {THUMBNAIL: params, DESCRIPTION: params}


async def _index(client: AsyncQdrantClient, name: str, plan: Plan, info: models.CollectionInfo) -> None:
    """Make the payload indexes that are missing, before points come: links for filters are built with the graph."""
    for field, schema in plan.indexes.items():
        kind = models.PayloadSchemaType(getattr(schema, "type", schema))
        found = info.payload_schema.get(field)
        if found is None:
            await client.create_payload_index(name, field, schema, wait=True)
        elif found.data_type is not kind:
            raise SettingsError(
                f"index.collection: {name} has a {found.data_type.value} index on {field}, it has to be {kind.value}; "
                "delete that index"
            )
