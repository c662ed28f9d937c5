"""Writes the reference page of errors from their classes, and the table of their sources.

Run ``python docs/generate_errors.py`` after changing either; a test fails while the page is stale.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

import stormproof.errors as face
from stormproof.errors import (
    Category,
    OutOfBlocks,
    StormproofError,
    http_headers,
    known_errors,
    to_problem,
    to_wire,
)
from stormproof.errors.fields import Field
from stormproof.errors.root import COMMON

DOCS = Path(__file__).parent
PAGE = DOCS / "errors.md"
VARIANTS = DOCS / "error_variants.csv"

INTRODUCTION = """
# Errors

Everything that can fail is one class below `StormproofError`, with a code that never changes. This
page is made from the classes; `stormproof errors CODE` shows the same in a terminal. How to catch,
raise and translate errors is told in [Handling errors](guides/errors.md), why they are as they are
in [One error model](why/errors.md).

Four families say who has to act:

| Family | Who has to act | Statuses | Retriable |
|---|---|---|---|
| `ClientError` | the caller: the request must change | 4xx | never |
| `ResourceError` | nobody: wait, or go elsewhere | 429, 503, 507 | nearly always |
| `PlatformError` | whoever runs this: our machinery failed | 500, 503, 504 | as each class says |
| `ExternalError` | someone else: their service failed | 502, 503 | as each class says |

Code that catches a family, or `NotFound`, or `ServiceUnavailable`, catches everything below it.
"""

COMMON_FIELDS = """
Besides its own fields every error takes `retry_after` (seconds to wait; 0 means at once),
`request_id` and `operation`, and knows its `timestamp`. In the tables a field with `?` may be left
out, and one in *italics* is internal: it shows in logs and between our own processes, never to a
client. Severities are those of `logging`.
"""

DECISIONS = """
## Decisions

The error models that this one unites contradict each other, and in places themselves. One decision
holds everywhere.

**The status is data on the class.** One source finds the status by a chain of `isinstance` tests in
which a parent comes before its children, so that its own 404, 401 and 403 can never leave. Here the
status is an attribute; there is no order to get wrong.

**400 or 422.** A request that cannot be understood, or breaks the schema of the API, is
`INVALID_REQUEST` 400: what OpenAI's clients expect. A value that breaks a rule of its domain (a
namespace, a key, a role, a range) is 422. One source answers 400 to both.

**`DATABASE_ERROR` is 503 and retriable.** One source says 500, the other 503 and retriable. A
database that is away comes back, and a client may be told so.

**An open circuit is 503.** It is a `ServiceUnavailable`, carries `retry_after`, and is never the
bare internal error that one source raises.

**A provider's failure is 502, and so is a network's.** One source gives both 500, which blames this
server for what happened behind it.

**A deadline is 504, and a builtin `TimeoutError`.** The class is `DeadlineExceeded`, the code
`TIMEOUT_ERROR`. Code that catches the builtin, or asyncio's, catches it.

**What is used up is 503, what is rationed is 429.** `OUT_OF_BLOCKS`, `CAPACITY_EXCEEDED` and
`ARM_UNAVAILABLE` would be served later or elsewhere; a rate limit is the caller's own. All are
`ResourceError`s, because waiting helps and changing the request does not.

**`retry_after=0` is kept.** It means *at once*. One source drops it from document and header,
because 0 is false.

**A "not found" stays a "not found".** Whatever catches everything passes an error of ours through
as it is; one source turns its own 404 into a 500 in this way.

**All problems are named at once.** Validation collects every problem before it raises:
`errors=[{field, message, type}]`.

**An interrupt is not an error.** A graph that waits for a person has not failed; one source says so
with an error whose message must be compared.

**Nothing shadows a builtin.** There is no `TimeoutError`, `SystemError` or `MemoryError` here.

**Foreign causes travel as descriptions.** Their class may not exist on the other side; name, text
and notes do. At most 16 causes travel.

**One wire form.** The sources have two. The one here is both of them, and OpenAI's error object.
"""


def page() -> str:
    """The whole page."""
    sections = [INTRODUCTION, _tree(), _wire(), "## Every error", COMMON_FIELDS]
    sections += [_family(category) for category in Category]
    sections += [DECISIONS, _sources(read_variants())]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def read_variants() -> list[dict[str, str]]:
    """The variants of the sources: what each was, and which class it is here."""
    with VARIANTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _tree() -> str:
    picture = cleandoc(str(face.__doc__)).partition("status:\n\n")[2]
    return f"## The tree\n\n```text\n{cleandoc(picture)}\n```"


def _wire() -> str:
    error = OutOfBlocks(needed=12, free=3, retry_after=0.5, request_id="req_7f3a")
    document = to_wire(error)
    document["error"]["timestamp"] = "2026-01-15T10:30:00.000000Z"
    problem = {**to_problem(error), "timestamp": document["error"]["timestamp"]}
    headers = "\n".join(f"{name}: {value}" for name, value in http_headers(error).items())
    return f"""
## On the wire

An error leaves as one JSON object. `message`, `type`, `param` and `code` are what OpenAI's clients
read; a client that knows this package gets the class back with `from_wire`. This is
`OutOfBlocks(needed=12, free=3, retry_after=0.5)`:

{_json(document)}

The response also has the headers that belong to it; the wait is rounded up:

```http
{headers}
```

Who asks for `application/problem+json` gets problem details (RFC 9457):

{_json(problem)}

Between our own processes `to_wire(error, internal=True)` adds internal fields, notes and the chain
of causes. A code that the reader does not know comes back as its family, with the code, status,
message, details and retriability that the document states.
"""


def _json(document: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(document, indent=2)}\n```"


def _family(category: Category) -> str:
    classes = [cls for cls in known_errors().values() if cls.category is category]
    ours = [cls for cls in classes if cls.__module__.startswith(face.__name__)]
    rows = "\n".join(_row(cls) for cls in ours)
    return f"""
### {category.value.capitalize()} errors

| Code | Class | Status | Retriable | Severity | Meaning | What to do | Fields |
|---|---|---|---|---|---|---|---|
{rows}
"""


def _row(cls: type[StormproofError]) -> str:
    cells = [
        f"`{cls.code}`",
        f"`{cls.__name__}`",
        str(cls.http_status),
        "yes" if cls.retriable else "no",
        cls.severity.name,
        str(cls.__doc__).partition("\n")[0].replace("``", "`"),
        cls.remedy,
        ", ".join(_field(field) for name, field in cls.fields().items() if name not in COMMON),
    ]
    return _cells(cells)


def _field(field: Field) -> str:
    name = f"`{field.name}`" if field.required else f"`{field.name}?`"
    return f"*{name}*" if field.internal else name


def _sources(variants: Iterable[Mapping[str, str]]) -> str:
    rows = "\n".join(_variant(variant) for variant in variants)
    return f"""
## Where each came from

Every variant of the error models that this one unites, and the class it is here. *Carried as* says
where a field went whose name changed; a `cause` is the exception behind the error. The same table
as data: [error_variants.csv](error_variants.csv).

| Source | Variant | Fields | Code | Status | Class | Carried as | Remark |
|---|---|---|---|---|---|---|---|
{rows}
"""


def _variant(variant: Mapping[str, str]) -> str:
    fields = ", ".join(f"`{name}`" for name in filter(None, variant["fields"].split(";")))
    carried = ", ".join(
        "`{}` → `{}`".format(*pair.split("="))
        for pair in filter(None, variant["carried"].split(";"))
    )
    return _cells(
        [
            variant["system"],
            f"`{variant['group']}.{variant['variant']}`",
            fields,
            f"`{variant['code']}`" if variant["code"] else "",
            variant["status"],
            f"`{variant['class']}`",
            carried,
            variant["decision"],
        ]
    )


def _cells(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
