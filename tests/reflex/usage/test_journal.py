"""Lines on disk, and what a dead process has left."""

import os
from pathlib import Path

import pytest

from stormproof.errors import StorageError
from stormproof.reflex.usage import journal as journals
from stormproof.reflex.usage.journal import Journal, lines_from, remains


def test_a_line_is_on_disk_once_it_is_added(tmp_path: Path) -> None:
    """Not in this process's memory."""
    journal = Journal(tmp_path, most=100)
    assert journal.add(b"[1]\n")
    assert journal.path.read_bytes() == b"[1]\n"
    journal.close()


def test_a_journal_has_bounds(tmp_path: Path) -> None:
    """What does not fit is not added in part."""
    journal = Journal(tmp_path, most=7)
    assert journal.add(b"[1]\n")
    assert not journal.add(b"[2]\n")
    assert journal.path.read_bytes() == b"[1]\n"
    journal.close()


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes as much as it has room for."""
    journal = Journal(tmp_path, most=100)
    journal.add(b"[1]\n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:2]))
    assert not journal.add(b"[2]\n")
    monkeypatch.undo()
    assert journal.add(b"[3]\n")
    assert journal.path.read_bytes() == b"[1]\n[3]\n"
    journal.close()


def test_a_disk_that_fails_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the caller's."""

    def fail(*_: object) -> int:
        raise OSError(28, "full")

    journal = Journal(tmp_path, most=100)
    monkeypatch.setattr(os, "write", fail)
    assert not journal.add(b"[1]\n")
    monkeypatch.undo()
    journal.close()


def test_nothing_is_added_to_a_closed_journal(tmp_path: Path) -> None:
    """Nor to whatever has the number of its file by then."""
    journal = Journal(tmp_path, most=100)
    journal.close()
    other = tmp_path / "other"
    with other.open("wb"):
        assert not journal.add(b"[1]\n")
    assert other.read_bytes() == b""


def test_only_what_nobody_holds_remains(tmp_path: Path) -> None:
    """And while one reads it, no other does."""
    held, left = Journal(tmp_path, most=100), Journal(tmp_path, most=100)
    left.close()
    for found in remains(tmp_path):
        assert found == left.path
        assert list(remains(tmp_path)) == []
    assert list(remains(tmp_path)) == [left.path]
    held.close()


def test_what_is_removed_is_gone(tmp_path: Path) -> None:
    """With its lock."""
    Journal(tmp_path, most=100).close()
    for found in remains(tmp_path):
        found.unlink()
    assert list(tmp_path.iterdir()) == []


def test_what_another_has_removed_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    """Neither itself nor its lock."""
    for _ in range(2):
        Journal(tmp_path, most=100).close()
    slow = remains(tmp_path)
    first = next(slow)
    for found in remains(tmp_path):
        found.unlink()
    first.unlink()
    assert list(slow) == []
    assert list(tmp_path.iterdir()) == []


def test_lines_are_read_up_to_the_last_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps; half a line waits for its rest."""
    file = tmp_path / "x"
    file.write_bytes(b"[1]\n[2]\n[3")
    assert lines_from(file, 0) == ([b"[1]", b"[2]"], 8)
    assert lines_from(file, 8) == ([], 8)
    monkeypatch.setattr(journals, "_CHUNK", 6)
    assert lines_from(file, 0) == ([b"[1]"], 4)
    assert lines_from(file, 4) == ([b"[2]"], 8)


def test_a_folder_that_cannot_be_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="journal of usage"):
        Journal(tmp_path / "file", most=100)


def test_a_journal_is_its_owners_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new", most=100)
    assert journal.path.stat().st_mode & 0o077 == 0
    assert journal.path.parent.stat().st_mode & 0o077 == 0
    journal.close()
