"""A file of weights may be changed, cut short or replaced while it is read."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.weights_file import WeightsFile

CONTENT = bytes(range(256)) * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(CONTENT)
    os.utime(path, (1, 1))
    return path


def test_any_piece_can_be_read(path: Path) -> None:
    opened = WeightsFile(path)
    assert opened.size == len(CONTENT)
    for start, size in [(0, 0), (0, 1), (100, 5000), (0, len(CONTENT))]:
        assert opened.octets(start, size).tobytes() == CONTENT[start : start + size]


def test_one_that_is_cut_short_is_refused(path: Path) -> None:
    """Where a mapped file ends too soon the process would."""
    opened = WeightsFile(path)
    os.truncate(path, 300)
    with pytest.raises(Unusable, match="weights was changed while it was read"):
        opened.octets(200, 1000)


def test_one_that_is_written_to_is_refused(path: Path) -> None:
    """What was read of it before would not fit what comes now."""
    opened = WeightsFile(path)
    with path.open("r+b") as file:
        file.write(b"other")
    with pytest.raises(Unusable, match="was changed"):
        opened.octets(200, 1000)


def test_one_that_is_replaced_is_read_to_its_end(path: Path) -> None:
    opened = WeightsFile(path)
    (path.parent / "new").write_bytes(b"new")
    (path.parent / "new").replace(path)
    assert opened.octets(0, len(CONTENT)).tobytes() == CONTENT


def test_an_empty_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"")
    with pytest.raises(Unusable, match="weights is empty"):
        WeightsFile(tmp_path / "weights")


@pytest.mark.parametrize("content", [CONTENT, b""])
def test_it_is_closed_when_nobody_needs_it(tmp_path: Path, content: bytes) -> None:
    """Also one that was refused."""
    (tmp_path / "weights").write_bytes(content)
    with suppress(Unusable):
        opened = WeightsFile(tmp_path / "weights")
        assert is_open(tmp_path / "weights")
        del opened
    assert not is_open(tmp_path / "weights")


def is_open(path: Path) -> bool:
    found = False
    for opened in Path("/dev/fd").iterdir():
        with suppress(OSError):  # the one that lists them
            found |= opened.samefile(path)
    return found
