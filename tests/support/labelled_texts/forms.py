"""The forms of texts that something is planted in: prose, data, logs, code."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from support.labelled_texts import lookalikes, numbering
from support.labelled_texts.chance import Chance
from support.labelled_texts.page import Item, LabelledText, Page
from support.labelled_texts.prose import language, paragraph, sentence, template

Maker = Callable[[Chance], Item]
"""What draws an item of one kind."""

_SPEAKERS: Final = ("user", "assistant")
_LEVELS: Final = ("INFO", "DEBUG", "WARN", "ERROR")
_COMPONENTS: Final = ("auth", "billing", "gateway", "worker.7", "sync")


def letter(chance: Chance, makers: Sequence[Maker]) -> LabelledText:
    """Write paragraphs, with sentences that say something of each item."""
    page, spoken = Page(), language(chance)
    if chance.often(0.1):
        page.write(numbering.heading(chance))
    page.write(paragraph(chance, spoken))
    for make in makers:
        item = make(chance)
        page.write(chance.choice((" ", "\n\n")))
        page.put(template(chance, spoken, item.name), item)
        page.write(" " + paragraph(chance, spoken))
    return page.finished("letter")


def chat(chance: Chance, makers: Sequence[Maker]) -> LabelledText:
    """Write a conversation, in which whoever speaks says it among other things."""
    page, spoken = Page(), language(chance)
    for turn, make in enumerate(makers):
        item = make(chance)
        page.write(f"{_SPEAKERS[turn % 2]}: {sentence(chance, spoken)} ")
        page.put(template(chance, spoken, item.name), item)
        page.write(f"\n{_SPEAKERS[1 - turn % 2]}: {sentence(chance, spoken)}\n")
    return page.finished("chat")


def document(chance: Chance, makers: Sequence[Maker]) -> LabelledText:
    """Write a JSON object, with what belongs to it and is nobody's business of ours."""
    page = Page(lambda text: json.dumps(text, ensure_ascii=False)[1:-1])
    page.write(f'{{"id": "{lookalikes.uuid(chance)}", "status": "open", "total": ')
    page.write(f'{chance.uniform(1, 500):.2f}, "note": "{sentence(chance, "de")}", "data": {{')
    for place, make in enumerate(makers):
        item = make(chance)
        page.write(", " if place else "")
        page.put(f'"{_key(item)}": "{{}}"', item)
    page.write(f'}}, "created_at": "{lookalikes.moment(chance).isoformat()}"}}')
    return page.finished("json")


def log(chance: Chance, makers: Sequence[Maker]) -> LabelledText:
    """Write what programs write, a line for each event."""
    page = Page()
    for make in makers:
        for _ in range(chance.randint(0, 2)):
            page.write(f"{_head(chance)} request={lookalikes.uuid(chance)} status=200 ms=12.81\n")
        item = make(chance)
        page.put(f"{_head(chance)} {_key(item)}={{}} took {chance.randint(1, 900)} ms\n", item)
    return page.finished("log")


def table(chance: Chance, makers: Sequence[Maker]) -> LabelledText:
    """Write a table, with several items of each kind."""
    by = chance.choice((",", " | ", "\t", ";"))
    page = Page(lambda text: text.replace('"', '""'))
    rows = [[make(chance) for make in makers] for _ in range(chance.randint(2, 4))]
    page.write(by.join(["row", *(_key(item) for item in rows[0])]) + "\n")
    for number, row in enumerate(rows, 1):
        page.write(str(number))
        for item in row:
            quote = '"' if _needs_quotes(item.text, by) else ""
            page.write(by + quote)
            page.plant(item)
            page.write(quote)
        page.write("\n")
    return page.finished("table")


def questionnaire(chance: Chance, makers: Sequence[Maker]) -> LabelledText:
    """Write names and values, one a line."""
    page = Page()
    page.write(f"{paragraph(chance, 'en')}\n\n")
    for make in makers:
        item = make(chance)
        page.put(f"{item.name[0].upper()}{item.name[1:]}: {{}}\n", item)
    page.write(f"Remarks: {sentence(chance, 'en')}\n")
    return page.finished("questionnaire")


def code(chance: Chance, makers: Sequence[Maker]) -> LabelledText:
    """Write a program that has values in it that it should not have."""
    page = Page(lambda text: json.dumps(text, ensure_ascii=False)[1:-1])
    page.write("import os\nfrom datetime import date\n\n\ndef load(path: str, limit: int = 100):\n")
    page.write(f'    """{sentence(chance, "fr")}"""\n')
    for make in makers:
        item = make(chance)
        page.put(f'    {_key(item)} = "{{}}"\n', item)
    page.write("    rows = [row for row in read(path) if row.ok][:limit]\n")
    page.write("    return rows[0] if len(rows) == 1 else sorted(rows)\n")
    return page.finished("code")


def environment(chance: Chance, makers: Sequence[Maker]) -> LabelledText:
    """Write variables, as a shell or a container is given them."""
    page = Page()
    page.write("LOG_LEVEL=debug\nWORKERS=4\n")
    for make in makers:
        item = make(chance)
        page.put(f"{_key(item).upper()}={{}}\n", item)
    page.write("FEATURE_FLAGS=a,b,c\nTIMEOUT=30s\n")
    return page.finished("environment")


def markup(chance: Chance, makers: Sequence[Maker]) -> LabelledText:
    """Write elements of HTML."""
    page = Page()
    page.write(f'<div class="card" id="c{chance.randint(1, 99)}"><p>{sentence(chance, "es")}</p>')
    for make in makers:
        item = make(chance)
        page.put(f"<dt>{item.name}</dt><dd>{{}}</dd>", item)
    page.write("</div>\n")
    return page.finished("markup")


FORMS: Final = (
    letter,
    letter,
    letter,
    chat,
    chat,
    document,
    log,
    table,
    questionnaire,
    code,
    environment,
    markup,
)


def _needs_quotes(cell: str, by: str) -> bool:
    """Return whether a cell is not told from what stands beside it (RFC 4180)."""
    return any(one in cell for one in (by.strip(" "), "\n", '"'))


def _key(item: Item) -> str:
    """Return an item's name as programs write it."""
    return "_".join(_words(item.name.lower()))


def _words(name: str) -> Iterator[str]:
    for word in name.replace("-", " ").replace("/", " ").split():
        yield word.strip(".,()")


def _head(chance: Chance) -> str:
    level, component = chance.choice(_LEVELS), chance.choice(_COMPONENTS)
    return f"{lookalikes.moment(chance).isoformat()} {level} [{component}]"
