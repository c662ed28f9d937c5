"""Where circuits, limits and rests are, if several processes share them."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from stormproof.errors import ConfigurationError, ValidationErrors
from stormproof.providers.settings.keeping import Kept
from stormproof.providers.settings.schema import RedisSettings

if TYPE_CHECKING:
    from stormproof.recovery.redis import RedisStore

_MEMORY: Final = 0.2
"""Seconds for which a process goes by what it heard last: so much later than the one that saw it
may another learn that a provider is down, and so often a busy one asks."""


def shared_store(
    settings: RedisSettings | None, environment: Mapping[str, str], kept: Kept
) -> "RedisStore | None":
    """Return the store that the settings name; None if they name none.

    Args:
        settings: The table.
        environment: Where variables are.
        kept: Those that were made before.

    Raises:
        ConfigurationError: There is no URL, or no library for it.
    """
    if settings is None:
        return None
    url, where = settings.url or "", "url"
    if settings.url_env is not None:
        url, where = environment.get(settings.url_env, "").strip(), settings.url_env
        if not url:
            reason = f"the variable {where} holds no URL"
            raise ConfigurationError(setting="redis", reason=reason)
    make = partial(_open, url, settings.prefix, where)
    return kept.one(make, "store", SecretStr(url), settings.prefix)


def _open(url: str, prefix: str, where: str) -> "RedisStore":
    try:
        from stormproof.recovery.redis import RedisStore  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        reason = "needs a library: pip install 'stormproof[redis]'"
        raise ConfigurationError(setting="redis", reason=reason) from error
    try:
        return RedisStore(url, prefix=prefix, memory=_MEMORY)
    except ValidationErrors:
        reason = f"{where} is no URL of a Redis server"
        raise ConfigurationError(setting="redis", reason=reason) from None
