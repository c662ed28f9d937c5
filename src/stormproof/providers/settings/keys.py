"""The keys that providers know us by: from the environment or a file, and nowhere else."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from stormproof.errors import ConfigurationError, StorageError, translate
from stormproof.providers.settings.schema import ProviderSettings

_KEY: Final = re.compile(r"[\x21-\x7e]+")
_MOST: Final = 1 << 14


def provider_key(
    name: str, provider: ProviderSettings, environment: Mapping[str, str]
) -> SecretStr | None:
    """Return a provider's key; None if it wants none.

    Args:
        name: What the provider is called.
        provider: How it is asked.
        environment: Where variables are.

    Raises:
        ConfigurationError: There is none, or it is none that a header can carry.
        StorageError: Its file cannot be read.
    """
    if provider.key_file is not None:
        found, where = _content(provider.key_file, name), "the file that key_file names"
    elif provider.key_env is not None:
        found, where = environment.get(provider.key_env, ""), f"the variable {provider.key_env}"
    else:
        return None
    key = found.strip()
    if not key:
        reason = f"{where} holds no key; put it there, or say with key_env where it is"
        raise ConfigurationError(setting=f"providers.{name}", reason=reason)
    if not _KEY.fullmatch(key):
        reason = f"{where} holds something that cannot be a key"
        raise ConfigurationError(setting=f"providers.{name}", reason=reason)
    return SecretStr(key)


def key_place(provider: ProviderSettings) -> str | None:
    """Return where a provider's key is, in words for people; None if it wants none."""
    return "key_file" if provider.key_file is not None else provider.key_env


def _content(file: Path, name: str) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST).decode("utf-8", "replace")
    except OSError as error:
        known = translate(error)
        if isinstance(known, StorageError):
            known.operation = f"read the key of {name}"
        raise known from error
