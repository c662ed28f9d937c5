"""What a key opens, and until when."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import InvalidValue, Unauthorized
from stormproof.reflex.keys import Key, Standing

DIGEST = bytes(32)


def key(name: str = "ci", **fields: object) -> Key:
    return Key(name, DIGEST, created=0.0, **fields)  # type: ignore[arg-type]


def test_a_key_is_good_until_it_expires() -> None:
    """From that moment on it is not."""
    one = key(expires=10.0)
    assert one.standing(9.9) is Standing.ACTIVE
    assert one.standing(10.0) is Standing.EXPIRED
    with pytest.raises(Unauthorized, match="the key is expired"):
        one.check(10.0)


def test_a_revoked_key_is_never_good() -> None:
    """Whatever the clock says, which may have been set back."""
    with pytest.raises(Unauthorized, match="the key is revoked"):
        key(revoked=5.0).check(1.0)


@given(st.lists(st.text("ab*?[]!-/", max_size=6), max_size=4), st.text("ab/-", max_size=6))
def test_a_key_asks_models_by_globs(globs: list[str], model: str) -> None:
    """Any of them; without globs, all models."""
    expected = not globs or any(fnmatchcase(model, glob) for glob in globs)
    assert key(models=tuple(globs)).opens(model) is expected


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "é", "x" * 65, "settings-1", "a\n"])
def test_a_name_fits_settings_headers_and_metrics(name: str) -> None:
    """And is none that a key of the settings has."""
    with pytest.raises(InvalidValue):
        key(name)


def test_a_tenant_is_named_likewise() -> None:
    """Or not at all."""
    with pytest.raises(InvalidValue, match="tenant"):
        key(tenant="a b")
    assert key(tenant="").tenant == ""


def test_a_pattern_has_bounds() -> None:
    """Each request with the key goes through all of them."""
    with pytest.raises(InvalidValue, match="globs"):
        key(models=("*",) * 65)
    with pytest.raises(InvalidValue, match="globs"):
        key(models=("x" * 257,))


def test_a_digest_is_not_shown() -> None:
    """Neither in a log nor in a traceback."""
    assert "digest" not in repr(key())
