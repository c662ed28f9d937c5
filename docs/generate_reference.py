"""Writes the reference pages that are made from the code: settings, models, the command line.

Run ``python docs/generate_reference.py`` after changing either; a test fails while a page is stale.
"""

import json
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stormproof.cli.main import app
from stormproof.gateway.settings import ENV_PREFIX, TABLE, Settings
from stormproof.providers.settings.hosts import EMBEDDING_RUNGS, EmbeddingSettings
from stormproof.providers.settings.presets import presets
from stormproof.providers.settings.price import PriceSettings
from stormproof.providers.settings.schema import (
    RUNGS,
    LadderSettings,
    ProviderSettings,
    RedisSettings,
)
from stormproof.reflex.settings.tables import (
    BudgetTable,
    LimitsTable,
    LimitTable,
    ReflexTables,
    StageTables,
)

PAGES = Path(__file__).parent / "reference"


def settings_page() -> str:
    """Every setting of ``stormproof serve``."""
    rows = "\n".join(_row(name, field) for name, field in Settings.model_fields.items())
    return f"""# Settings

The settings of `stormproof serve`. Each can be given as a flag (`--max-waiting 10`), in the
environment (`{ENV_PREFIX}MAX_WAITING=10`), or in the `[{TABLE}]` table of a TOML file
(`max_waiting = 10`); a flag beats the environment, which beats the file, which beats the default.
A wrong value is named with where it came from, and nothing is started.

| Setting | Default | Meaning |
|---|---|---|
{rows}
"""


def models_file_page() -> str:
    """Every key that says who may answer for a model's name, and every provider that is known."""
    rungs = _rung_tables("A rung with", RUNGS)
    hosts = _rung_tables("A rung of `[embeddings.NAME]` with", EMBEDDING_RUNGS)
    known = "\n".join(_preset_row(name, preset) for name, preset in presets().items())
    return f"""# Models and providers

The tables `[models.NAME]`, `[embeddings.NAME]`, `[providers.NAME]` and `[redis]` of
`stormproof.toml`. A key that is not here is an error, which names the file, the line and the key
that was probably meant.

{_key_table("`[models.NAME]`", LadderSettings)}

{rungs}

{_key_table("`price`", PriceSettings)}

{_key_table("`[embeddings.NAME]`", EmbeddingSettings)}

{hosts}

{_key_table("`[providers.NAME]`", ProviderSettings)}

{_key_table("`[redis]`", RedisSettings)}

## Presets

What is known of providers. A rung may name one without a table `[providers.NAME]`, a table has the
defaults of its namesake or of its `preset`. "Prefill" tells whether models go on with a last
message of the assistant, and what has to be sent for that.

| Preset | URL | Key | Limit of an answer | Prefill |
|---|---|---|---|---|
{known}
"""


def reflex_tables_page() -> str:
    """Every key that says what requests pass."""
    stages = {
        field.alias or name: _table_in(field) for name, field in StageTables.model_fields.items()
    }
    tables = "\n\n".join(_key_table(f"`[reflex.{name}]`", table) for name, table in stages.items())
    return f"""# The reflex's tables

The table `[reflex]` of `stormproof.toml` and those in it: what requests pass before a model is
asked. What it does is told in the [guide](../guides/reflex.md). A stage is there if its table is,
but for `validate`, which is there as soon as there is a table `[reflex]`. A key that is not here is
an error, which names the file, the line and the key that was probably meant.

Everything under `[reflex]` holds for all requests. `[reflex.models.NAME]`, by what clients call a
model, and `[reflex.keys.NAME]`, by the name of a key, hold for some: they may have the tables of
all stages below, and what they say comes before the rest, key by key; what is said for a key comes
before what is said for a model.

{_key_table("`[reflex]`", ReflexTables)}

{tables}

{_key_table("`[reflex.limits]`", LimitsTable)}

{_key_table("`[reflex.limits.key]`, `.user`, `.address`, `.model`, `.all`", LimitTable)}

For one model or one key the same stands in `[reflex.models.NAME.limits]` and
`[reflex.keys.NAME.limits]`.

{_key_table("`[reflex.budget]`", BudgetTable)}
"""


def _table_in(field: FieldInfo) -> type[BaseModel]:
    kinds = (field.annotation, *typing.get_args(field.annotation))
    return next(one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel))


def command_line_page() -> str:
    """Every command, as ``--help`` tells it."""
    root = typer.main.get_command(app)
    sections = "\n\n".join(_sections("stormproof", root))
    return f"# Command line\n\n{sections}\n"


def _row(name: str, field: FieldInfo) -> str:
    default = field.get_default()
    shown = "" if default in (None, ()) else f"`{default}`"
    return f"| `{name}` | {shown} | {field.description} |"


def _key_table(title: str, table: type[BaseModel]) -> str:
    fields = table.model_fields.items()
    rows = "\n".join(_key_row(field.alias or name, field) for name, field in fields)
    head = "| Key | Default | Meaning |\n|---|---|---|"
    return f"## {title}\n\n{table.__doc__.replace('``', '`')}\n\n{head}\n{rows}"


def _key_row(name: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else _shown(field.get_default())
    return f"| `{name}` | {default} | {field.description} |"


def _shown(default: object) -> str:
    if default in (None, {}, ()) or isinstance(default, frozenset | BaseModel):
        return ""
    return f"`{json.dumps(getattr(default, 'value', default))}`"


def _rung_tables(title: str, kinds: Mapping[str, type[BaseModel]]) -> str:
    return "\n\n".join(_key_table(f"{title} `{key}`", kind) for key, kind in kinds.items())


def _preset_row(name: str, preset: ProviderSettings) -> str:
    needs = json.dumps({**preset.prefill_message, **preset.prefill_body}) * bool(
        preset.prefill_message or preset.prefill_body
    )
    cells = [
        f"`{name}`",
        f"`{preset.url}`" if preset.url else "to be given",
        f"`{preset.key_env}`" if preset.key_env else "",
        f"`{preset.max_tokens_field}`" if preset.max_tokens_field else "as the client says",
        " ".join(filter(None, ["yes" if preset.prefill else "", f"`{needs}`" if needs else ""])),
    ]
    return f"| {' | '.join(cells)} |"


def _sections(path: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=path.rpartition(" ")[2])
    help_text = re.sub(r"\s+", " ", (command.help or "").strip())
    lines = [f"## `{path}`", "", help_text, ""]
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Argument):
            text = getattr(parameter, "help", None) or ""
            lines.append(f"- `{parameter.make_metavar(context)}`: {text}")
        elif record:
            lines.append(f"- `{record[0]}`: {record[1]}")
    yield "\n".join(lines).strip()
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _sections(f"{path} {name}", child)


def main() -> None:
    """Write the pages."""
    (PAGES / "settings.md").write_text(settings_page(), "utf-8")
    (PAGES / "models_file.md").write_text(models_file_page(), "utf-8")
    (PAGES / "reflex_tables.md").write_text(reflex_tables_page(), "utf-8")
    (PAGES / "command_line.md").write_text(command_line_page(), "utf-8")


if __name__ == "__main__":
    main()
