"""Opening a database."""

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import select, update

from stormproof.errors import ConfigurationError, DatabaseError, StorageError, StorageRefused
from stormproof.reflex.sql import Database
from stormproof.reflex.sql.schema import METADATA, STATE
from support.permissions import modes_count


def test_those_who_start_at_once_make_the_tables_once(database_url: str) -> None:
    """None of them fails, and none starts over."""
    ready = Barrier(8)

    def start() -> Database:
        ready.wait()
        return Database(database_url)

    with ThreadPoolExecutor(8) as threads:
        databases = [one.result() for one in [threads.submit(start) for _ in range(8)]]
    with databases[0].reading() as connection:
        assert connection.execute(select(STATE)).all() == [(0, 1, 0)]
    for database in databases:
        database.close()


def test_tables_of_another_version_are_refused(database_url: str) -> None:
    """Both versions are named."""
    database = Database(database_url)
    with database.writing() as connection:
        connection.execute(update(STATE).values(version=7))
    with pytest.raises(ConfigurationError, match="version 7, and this program those of version 1"):
        Database(database_url)
    database.close()


def test_a_block_that_fails_has_changed_nothing(database_url: str) -> None:
    database = Database(database_url)
    with suppress(RuntimeError), database.writing() as connection:
        connection.execute(update(STATE).values(revision=5))
        raise RuntimeError
    with database.reading() as connection:
        assert connection.scalar(select(STATE.c.revision)) == 0
    database.close()


@pytest.mark.parametrize(
    "url",
    ["", "stormproof.db", "sqlite://", "sqlite:///:memory:", "sqlite:///x?mode=ro", "mysql://h/d"],
)
def test_only_files_and_postgresql_are_databases(url: str) -> None:
    """Several processes share one, so memory is none."""
    with pytest.raises(ConfigurationError):
        Database(url)


def test_a_url_is_never_told() -> None:
    """There may be a password in it."""
    with pytest.raises(ConfigurationError) as caught:
        Database("oracle://me:secret@host/x")
    assert "secret" not in str(caught.value)


def test_a_server_that_does_not_answer_is_told_so(tmp_path: Path) -> None:
    """Without its address or password."""
    with pytest.raises(DatabaseError) as caught:
        Database(f"postgresql://me:secret@/x?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_a_driver_that_is_missing_is_told_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"stormproof\[postgres\]"):
        Database("postgresql://me@host/x")


def test_a_folder_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        Database(f"sqlite:///{tmp_path}/missing/x.db")


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Also those beside it."""
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.writing() as connection:
        connection.execute(update(STATE).values(revision=1))
        files = list(tmp_path.iterdir())
        assert len(files) > 1
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    database.close()


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    """No log, and no lock."""
    Database(f"sqlite:///{tmp_path}/x.db").close()
    assert [file.name for file in tmp_path.iterdir()] == ["x.db"]


@pytest.mark.parametrize(("mode", "of_folder"), [(0o400, 0o700), (0o600, 0o500), (0o400, 0o500)])
def test_what_can_only_be_read_is_told_so(tmp_path: Path, mode: int, of_folder: int) -> None:
    """The file or its folder: whoever comes has something to write."""
    url = f"sqlite:///{tmp_path}/x.db"
    Database(url).close()
    (tmp_path / "x.db").chmod(mode)
    tmp_path.chmod(of_folder)
    with modes_count(), pytest.raises(StorageRefused) as caught:
        Database(url)
    assert str(tmp_path) not in caught.value.message
    tmp_path.chmod(0o700)
    (tmp_path / "x.db").chmod(0o600)
    Database(url).close()


def test_a_folder_in_place_of_the_file_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "x.db").mkdir()
    with pytest.raises(StorageError, match="unable to open database file"):
        Database(f"sqlite:///{tmp_path}/x.db")


def test_every_table_says_whose_it_is() -> None:
    """A database may have others."""
    assert all(name.startswith("stormproof_") for name in METADATA.tables)
