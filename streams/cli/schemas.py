"""`nvr-streams schemas`: registers and verifies the schemas, and freezes new versions."""

from __future__ import annotations

import asyncio

import typer

from streams.adapters.catalogue import Catalogue
from streams.adapters.registry import Refused, Registry
from streams.adapters.schema_files import SchemaFiles
from streams.cli.output import JsonOption, print_json
from streams.operations.schemas import Registration, compare, freeze, register, review
from streams.settings import Settings


def commands() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(no_args_is_help=True)
    app.command("register")(register_schemas)
    app.command("check")(check_schemas)
    app.command("freeze")(freeze_schemas)
    return app


def register_schemas(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Register all released schemas that the registry lacks, and promise FULL_TRANSITIVE for each subject."""
    settings: Settings = ctx.obj
    topics = Catalogue(settings.kafka.prefix).topics([settings.embedding.model])
    try:
        with Registry(settings.registry) as registry:
            done = asyncio.run(register(registry, topics, SchemaFiles()))
    except Refused as error:
        raise _failed(f"the registry refuses a schema: {error}") from error
    if as_json:
        print_json(done)
    else:
        print("\n".join(_line(each) for each in done if each.new) or "all schemas are registered")


def check_schemas(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Verify the rules that the schemas follow, and that the registry holds just these; exit code 1 if not."""
    settings: Settings = ctx.obj
    catalogue, files = Catalogue(settings.kafka.prefix), SchemaFiles()
    topics = catalogue.topics([settings.embedding.model])
    with Registry(settings.registry) as registry:
        differences = [*review(catalogue, files), *asyncio.run(compare(registry, topics, files))]
    if as_json:
        print_json({"differences": differences})
    else:
        print("\n".join(differences) or "the schemas follow the rules, and the registry holds just these")
    raise typer.Exit(1 if differences else 0)


def freeze_schemas(ctx: typer.Context) -> None:
    """For a release: write a new frozen version of every schema that changed; exit code 1 if one breaks a rule."""
    settings: Settings = ctx.obj
    try:
        written = freeze(Catalogue(settings.kafka.prefix), SchemaFiles())
    except ValueError as error:
        raise _failed(str(error)) from error
    print("\n".join(str(file) for file in written) or "nothing changed")


def _failed(why: str) -> typer.Exit:
    typer.echo(f"error: {why}", err=True)
    return typer.Exit(1)


def _line(done: Registration) -> str:
    return f"registered {done.subject} v{done.version} as id {done.id}"
