"""Files of one owner, opened by one at a time."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stormproof.reflex.private_files import alone_with, make_private
from support.permissions import modes_count


def test_a_file_is_made_for_its_owner_alone_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "x"
    make_private(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("kept")
    make_private(file)
    assert file.read_text() == "kept"


def test_one_at_a_time_is_alone_with_a_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    """Though each takes the lock away with him, for which others wait."""
    file = tmp_path / "x"

    def count(_: int) -> None:
        with alone_with(file):
            file.write_text(f"{int(file.read_text() or 0) + 1}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(200)))
    assert file.read_text() == "200"
    assert list(tmp_path.iterdir()) == [file]


def test_who_fails_lets_others_in(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), alone_with(tmp_path / "x"):
        raise RuntimeError
    with alone_with(tmp_path / "x"):
        pass


def test_where_nothing_can_be_made_nobody_is_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with modes_count(), pytest.raises(PermissionError), alone_with(tmp_path / "x"):
        pytest.fail("he is")
    tmp_path.chmod(0o700)
