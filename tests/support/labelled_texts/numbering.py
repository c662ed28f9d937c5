"""Dotted numbers of versions, chapters and masks, which look like addresses."""

from collections.abc import Sequence
from typing import Final

from support.labelled_texts.chance import Chance

_PARTS: Final = (
    "chapter {}",
    "Chapter {}",
    "section {}",
    "Section {}:",
    "sec. {}",
    "§ {}",
    "clause {}",
    "article {}",
    "Table {}",
    "fig. {}",
    "requirement {}",
    "EC {}",
    "Kapitel {}",
    "Abschnitt {}",
    "chapitre {}",
    "capítulo {}",
    "apartado {}",
    "sezione {}",
    "hoofdstuk {}",
    "rozdział {}",
    "раздел {}",
    "第{}节",
    "{}章",
)
_LISTS: Final = ("sections {} and {}", "Kapitel {} und {}", "clauses {} or {}", "items {} to {}")
_TITLES: Final = ("Scope", "Data retention", "Übersicht", "Terms and definitions", "Обзор")
_VERSIONS: Final = (
    "version {}",
    "Version: {}",
    "v {}",
    "release {}",
    "firmware {}",
    "build {}",
    "nginx/{}",
    "library=={}",
    "library>={}",
    "appVersion={}",
    "versión {}",
    "versie {}",
    "версия {}",
)
_VERSION_LISTS: Final = ("versions {} and {}", "from version {} to {}")


def part(chance: Chance) -> str:
    """Return a chapter, or several that belong to the same one."""
    return _told(chance, _dotted(chance, 1, 20), _PARTS, _LISTS)


def heading(chance: Chance) -> str:
    """Return a title with its number, on a line of its own."""
    mark, by = chance.choice(("", "#### ", "  ")), chance.choice((" ", ". ", "\t"))
    return f"{mark}{_dotted(chance, 1, 20)}{by}{chance.choice(_TITLES)}\n\n"


def release(chance: Chance) -> str:
    """Return a version of four numbers, each as small as those of an address."""
    return _told(chance, _dotted(chance, 0, 40), _VERSIONS, _VERSION_LISTS)


def mask(chance: Chance) -> str:
    """Return which bits of addresses a network has."""
    bits = chance.randint(8, 30)
    number = (1 << 32) - (1 << (32 - bits))
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _told(chance: Chance, number: str, alone: Sequence[str], lists: Sequence[str]) -> str:
    """Return what says what a number is, of it alone or of it and the next one."""
    if chance.often(0.2):
        return chance.choice(lists).format(number, _next(number))
    return chance.choice(alone).format(number)


def _dotted(chance: Chance, least: int, most: int) -> str:
    return ".".join(str(chance.randint(least, most)) for _ in range(4))


def _next(number: str) -> str:
    """Return the number that follows one."""
    before, _, last = number.rpartition(".")
    return f"{before}.{int(last) + 1}"
