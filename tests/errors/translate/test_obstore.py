"""obstore's exceptions, raised by real stores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore, S3Store

from stormproof.errors import (
    ConfigurationError,
    Conflict,
    ProviderUnauthorized,
    StorageRefused,
    StormproofError,
    to_wire,
)

Caught = Callable[[Callable[[], object]], StormproofError]


def test_a_missing_object_is_a_storage_error_without_its_name(
    caught: Caught, tmp_path: Path
) -> None:
    """Obstore raises the builtin FileNotFoundError for it."""
    for store in (MemoryStore(), LocalStore(tmp_path)):
        error = caught(lambda store=store: obstore.get(store, "private-name"))  # type: ignore[misc]
        assert type(error) is StorageRefused
        assert "private-name" not in str(to_wire(error))


def test_an_object_that_exists_already_is_a_conflict(caught: Caught) -> None:
    """When asked to create it only."""
    store = MemoryStore()
    obstore.put(store, "a", b"1")
    assert type(caught(lambda: obstore.put(store, "a", b"2", mode="create"))) is Conflict


@pytest.mark.parametrize(
    ("status", "expected"), [(403, ProviderUnauthorized), (401, ProviderUnauthorized)]
)
def test_refused_credentials_are_for_the_operator(
    status: int, expected: type[StormproofError], server: Any, caught: Caught
) -> None:
    """A real S3 client against a real server."""
    store = S3Store(
        "bucket",
        endpoint=server.answer(status, b"<Error><Code>AccessDenied</Code></Error>"),
        client_options={"allow_http": True},
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        secret_access_key="secret",
        region="x",
    )
    assert type(caught(lambda: obstore.get(store, "key"))) is expected


def test_an_unknown_setting_is_a_configuration_error(caught: Caught) -> None:
    """Misspelt by whoever runs the program."""
    options: Any = {"regoin": "x"}
    assert type(caught(lambda: S3Store("bucket", **options))) is ConfigurationError
