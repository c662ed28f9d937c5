"""What a pull tells whoever is watching."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Stage(StrEnum):
    """What a pull is doing."""

    WAITING = "waiting"
    """Another process is pulling the same model; its work will be used."""
    DOWNLOADING = "downloading"
    UNPACKING = "unpacking"
    CHECKING = "checking"
    """The copy on disk is compared with its checksum."""


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far one stage of a pull has come.

    Attributes:
        stage: What is being done.
        done: Bytes behind us, those of an earlier, interrupted pull included.
        total: Bytes in all, if known.
    """

    stage: Stage
    done: int = 0
    total: int | None = None


Report: TypeAlias = Callable[[PullProgress], None]
"""Hears of progress, often; it must return quickly."""


def unwatched(_: PullProgress) -> None:
    """Hear of progress and do nothing."""
