"""What is known of a model in the library: written last, so that what has a record is whole."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from stormproof.weights.disk import settle, storing

_FILE: Final = "stormproof-model.json"
_LARGEST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that is whole on this machine.

    Attributes:
        name: What people type: a name of the catalogue, or a Hugging Face id.
        source: Where it came from, with its version.
        licence: SPDX identifier, if known.
        size: Bytes on disk.
        folder: Where it lies.
        file: Name of its one file in the folder; None when the folder as a whole is the model.
        sha256: Checksum of its weights, if it is a model of the catalogue.
    """

    name: str
    source: str
    licence: str | None
    size: int
    folder: Path
    file: str | None = None
    sha256: str | None = None

    @property
    def path(self) -> Path:
        """What a loader opens: the file, or the folder."""
        return self.folder / self.file if self.file else self.folder

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the model that lies whole in ``folder``, or None."""
        try:
            with (folder / _FILE).open("rb") as file:
                document = json.loads(file.read(_LARGEST))
            model = cls(folder=folder, **_fields(document))
            whole = model.file is None or model.path.stat().st_size == model.size
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None  # never finished, or damaged: then it has to be pulled again
        return model if whole else None

    def write(self) -> None:
        """Declare that the model lies whole in its folder."""
        document = {name: getattr(self, name) for name in _TYPES}
        temporary = self.folder / f"{_FILE}.new"
        with storing("record the model", self.folder):
            temporary.write_text(json.dumps(document, indent=2), encoding="utf-8")
            settle(temporary, self.folder / _FILE)

    @staticmethod
    def forget(folder: Path) -> None:
        """Declare that no model lies whole in ``folder`` any more."""
        with storing("forget the model", folder):
            (folder / _FILE).unlink(missing_ok=True)


_TYPES: Final[dict[str, Any]] = {
    "name": str,
    "source": str,
    "licence": str | None,
    "size": int,
    "file": str | None,
    "sha256": str | None,
}


def _fields(document: Any) -> dict[str, Any]:
    fields = {name: document[name] for name in _TYPES}
    if not all(isinstance(value, _TYPES[name]) for name, value in fields.items()):
        raise ValueError("not a record")
    if fields["file"] is not None and Path(fields["file"]).name != fields["file"]:
        raise ValueError("the file lies outside the folder")
    return fields
