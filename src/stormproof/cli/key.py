"""``stormproof key``: the keys that open this server, and what they were used for."""

import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stormproof.cli.failures import failures
from stormproof.cli.moments import after, before
from stormproof.errors import ConfigurationError
from stormproof.gateway.settings import DEFAULT_FILE

if TYPE_CHECKING:
    from stormproof.reflex.keys import Key
    from stormproof.reflex.sql import Database, UsageSum

app = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke the keys that open this server, and see what they were used for.",
    epilog="They are in the database that STORMPROOF_DATABASE_URL or [reflex] database in"
    " stormproof.toml names, by default in stormproof.db.",
)

Config: TypeAlias = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The settings that name the database.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="What the key is called.")]


class Scope(StrEnum):
    """What a key may be used for."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"


class By(StrEnum):
    """What requests are summed up by."""

    KEY = "key"
    MODEL = "model"
    USER = "user"
    TENANT = "tenant"
    DAY = "day"


@app.command()
def create(
    name: Name,
    *,
    tenant: Annotated[
        str, typer.Option(help="To whom it belongs: tenants see nothing of each other.")
    ] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB", help="Models that it may ask, such as 'gpt-*'; by default all."
        ),
    ] = None,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may be used for; by default everything.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help="In how long, such as 30d, or on which day.")
    ] = None,
    requests_per_minute: Annotated[int | None, typer.Option(help="Most requests.")] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(help="Most tokens, read or written.")
    ] = None,
    concurrency: Annotated[int | None, typer.Option(help="Most requests at once.")] = None,
    money_per_day: Annotated[float | None, typer.Option(help="Most that it may cost.")] = None,
    money_per_month: Annotated[float | None, typer.Option(help="Most that it may cost.")] = None,
    config: Config = DEFAULT_FILE,
    as_json: AsJson = False,
) -> None:
    """Make a key, and print it: it is kept nowhere, and cannot be shown again."""
    now = datetime.now(UTC)
    ends = after(expires, now).timestamp() if expires else None
    with failures(as_json=as_json):
        from stormproof.reflex import LimitSettings  # noqa: PLC0415 - heavy
        from stormproof.reflex.keys import Key, KeyScope, digest_of, mint  # noqa: PLC0415
        from stormproof.reflex.sql import KeyTable  # noqa: PLC0415

        limits = LimitSettings(
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            concurrency=concurrency,
            money_per_day=money_per_day,
            money_per_month=money_per_month,
        )
        secret = mint()
        key = Key(
            name,
            digest_of(secret),
            created=now.timestamp(),
            tenant=tenant,
            models=tuple(model or ()),
            scopes=frozenset(map(KeyScope, scope or Scope)),
            limits=None if limits == LimitSettings() else limits,
            expires=ends,
        )
        with _database(config, make=True) as database:
            KeyTable(database).add(key)
    if as_json:
        typer.echo(json.dumps({"key": secret, **_facts(key, None)}, indent=2))
        return
    typer.echo(secret)
    Console(stderr=True).print("This is shown once: put it where its holder finds it.", style="dim")


@app.command("list")
def list_keys(config: Config = DEFAULT_FILE, *, as_json: AsJson = False) -> None:
    """List all keys, those that open nothing any more among them."""
    with failures(as_json=as_json), _database(config) as database:
        from stormproof.reflex.sql import KeyTable  # noqa: PLC0415 - heavy

        table = KeyTable(database)
        keys, used = table.keys(), table.last_used()
        rows = [_facts(key, used.get(key.name)) for key in keys]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        Console().print(_keys(rows))


@app.command()
def revoke(name: Name, config: Config = DEFAULT_FILE) -> None:
    """Put an end to a key, for good: running servers refuse it within a second."""
    with failures(), _database(config) as database:
        from stormproof.reflex.sql import KeyTable  # noqa: PLC0415 - heavy

        KeyTable(database).revoke(name, datetime.now(UTC).timestamp())
    Console(stderr=True).print(Text(f"{name} opens nothing any more."))


@app.command()
def usage(
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="For how long, such as 7d, or from which day on (UTC)."),
    ] = "30d",
    by: Annotated[By, typer.Option(help="What is summed up.")] = By.KEY,
    config: Config = DEFAULT_FILE,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what requests took: tokens as upstreams counted them, and what they cost.

    Whole days (UTC) are summed up. Users' requests are kept for 35 days, sums of days for good.
    """
    begin = before(since, datetime.now(UTC)).timestamp()
    with failures(as_json=as_json), _database(config) as database:
        from stormproof.reflex.sql import By as Sums  # noqa: PLC0415 - heavy
        from stormproof.reflex.sql import UsageTable  # noqa: PLC0415

        sums = UsageTable(database).sums(Sums(by), begin)
    if as_json:
        typer.echo(json.dumps([{**one._asdict(), "cost": _money(one)} for one in sums], indent=2))
    else:
        Console().print(_sums(by, sums) if sums else Text("No requests in that time."))


@contextmanager
def _database(config: Path, *, make: bool = False) -> "Iterator[Database]":
    """Yield the database; the one of this folder is made for the first key, and closes servers."""
    from stormproof.reflex.settings import read_database  # noqa: PLC0415 - heavy
    from stormproof.reflex.sql import Database  # noqa: PLC0415

    found = read_database(config, os.environ)
    if found.url is None and not make:
        reason = "none is named, and none is here: the first key makes one"
        raise ConfigurationError(setting="database", reason=reason)
    with closing(Database(found.usual)) as database:
        yield database


def _facts(key: "Key", used: float | None) -> dict[str, Any]:
    """Return what may be known of a key: everything but what it is known by."""
    limits = dataclasses.asdict(key.limits) if key.limits else {}
    return {
        "name": key.name,
        "tenant": key.tenant,
        "standing": key.standing(datetime.now(UTC).timestamp()),
        "models": key.models,
        "scopes": sorted(key.scopes),
        "limits": {name: limit for name, limit in limits.items() if limit is not None},
        "created": _told(key.created),
        "expires": _told(key.expires),
        "revoked": _told(key.revoked),
        "last_used": _told(used),
    }


def _told(time: float | None) -> str | None:
    return None if time is None else datetime.fromtimestamp(int(time), UTC).isoformat()


def _keys(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("Name", "Tenant", "Standing", "Models", "Scopes", "Limits", box=None)
    for column in ("Expires", "Last used"):
        table.add_column(column)
    for row in rows:
        limits = ", ".join(f"{name} {limit:g}" for name, limit in row["limits"].items())
        good = row["standing"] == "active"
        table.add_row(
            *map(Text, (row["name"], row["tenant"])),
            Text(row["standing"], "green" if good else "red"),
            *map(Text, (", ".join(row["models"]) or "all", ", ".join(row["scopes"]), limits)),
            *(Text((row[name] or "never")[:16]) for name in ("expires", "last_used")),
        )
    return table


def _sums(by: By, sums: "Sequence[UsageSum]") -> Table:
    table = Table(by.capitalize(), box=None)
    for column in ("Requests", "Failed", "Read", "of them cached", "Written", "Cost"):
        table.add_column(column, justify="right")
    for one in sums:
        counts = (
            one.requests,
            one.failed,
            one.prompt_tokens,
            one.cached_tokens,
            one.completion_tokens,
        )
        shown = (f"{count:,}" for count in counts)
        table.add_row(Text(one.name or "(none)"), *shown, f"{_money(one):,.6f}")
    return table


def _money(one: "UsageSum") -> float:
    from stormproof.reflex.budgets.money import amount  # noqa: PLC0415 - heavy

    return amount(one.cost)
