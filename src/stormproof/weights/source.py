"""What people call a model, and where a model of such a name comes from."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from stormproof.errors import ModelNotFound
from stormproof.weights.catalog import CatalogModel

_HUB_ID: Final = re.compile(r"(?=.{3,96}\Z)[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_SEPARATORS: Final = tuple(filter(None, (os.sep, os.altsep)))
_LONGEST_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that the user has on disk."""

    path: Path


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the Hugging Face hub, by its id: ``owner/name``."""

    name: str


Source: TypeAlias = CatalogModel | LocalModel | HubModel


def source_of(spec: str | Path, catalog: Mapping[str, CatalogModel]) -> Source:
    """Return what a name means; the first that fits of catalogue, disk and hub.

    Args:
        spec: A name of the catalogue, a path, or a Hugging Face id.
        catalog: The models that have a short name.

    Raises:
        ModelNotFound: It means nothing.
    """
    text = str(spec)
    if text in catalog:
        return catalog[text]
    if isinstance(spec, Path) or _looks_like_path(text) or _exists(text):
        return LocalModel(_expanded(Path(spec)))
    if _HUB_ID.fullmatch(text) and "--" not in text and ".." not in text:
        return HubModel(text)
    raise ModelNotFound(model=text[:_LONGEST_SHOWN], available=sorted(catalog))


def _looks_like_path(text: str) -> bool:
    return text.startswith((".", "~", *_SEPARATORS)) or text.lower().endswith(".gguf")


def _exists(text: str) -> bool:
    try:
        return text != "" and Path(text).exists()
    except OSError:  # too long to be the name of a file
        return False


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # "~nobody": then it is the name of a file
        return path
