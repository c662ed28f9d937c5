"""Who may call: API keys, those of the settings and those that were made here."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from stormproof.errors import ConfigurationError, Unauthorized, translate
from stormproof.gateway.settings import Settings
from stormproof.reflex import Caller
from stormproof.reflex.keys import IssuedKeys, KeyScope, digest_of
from stormproof.reflex.keys.key import RESERVED

_ANYBODY: Final = Caller()

Opened: TypeAlias = Callable[[Caller, KeyScope, Iterable[str]], Sequence[str]]
"""Returns the models that a caller may ask for something, of some; `Keyring.opened`."""


class Keyring:
    """The keys that open the server; an empty ring lets everyone in.

    One that holds keys that were made here is never empty: the server does not open when the last
    of them is revoked. Only digests are kept, so that neither a repr nor a memory dump gives a key
    away. They are looked up: how long that takes may say something of a digest, which nobody can
    choose, and nothing of a key.

    Args:
        keys: Those of the settings.
        issued: Those that were made here.
    """

    def __init__(self, keys: Iterable[str], issued: IssuedKeys | None = None) -> None:
        self._fixed = {
            digest_of(key): Caller(key=f"{RESERVED}{number}") for number, key in enumerate(keys, 1)
        }
        self._issued = issued

    def check(self, authorization: str | None, api_key: str | None = None) -> Caller:
        """Let the caller pass, or not.

        Args:
            authorization: The value of the Authorization header.
            api_key: The value of the ``x-api-key`` header, which Anthropic's clients send instead.

        Returns:
            Who he is, as far as his key says.

        Raises:
            Unauthorized: The ring has keys and the headers hold none of them, or one that is no
                longer good.
        """
        if not self._fixed and self._issued is None:
            return _ANYBODY
        scheme, _, bearer = (authorization or "").partition(" ")
        key = bearer if scheme.lower() == "bearer" else api_key
        if not key:
            raise Unauthorized(reason="send 'Authorization: Bearer <key>'")
        digest = digest_of(key.strip())
        if caller := self._fixed.get(digest):
            return caller
        if self._issued and (issued := self._issued.holder(digest)):
            return issued.holder
        raise Unauthorized(reason="the key is not known")

    def opened(self, caller: Caller, scope: KeyScope, models: Iterable[str]) -> Sequence[str]:
        """Return those of some models that a caller may ask; keys of the settings open all.

        Args:
            caller: One that was let pass.
            scope: What he would ask them for.
            models: By what clients call them.
        """
        key = self._issued.named(caller.key) if self._issued else None
        return [model for model in models if key is None or key.opens_for(scope, model)]


def load_keys(settings: Settings, issued: IssuedKeys | None = None) -> Keyring:
    """Return the ring with all keys that the settings give, in themselves or in a file.

    Args:
        settings: Those.
        issued: Keys that were made here, where that is so.

    Raises:
        StorageError: The file cannot be read.
        ConfigurationError: It holds no key, or is not text.
    """
    keys = [key.get_secret_value() for key in settings.api_key]
    if settings.api_key_file is not None:
        keys += read_keys(settings.api_key_file)
    return Keyring(keys, issued)


def read_keys(file: Path) -> list[str]:
    """Return the keys in a file: one a line, empty lines and ``#`` comments skipped.

    Raises:
        StorageError: The file cannot be read.
        ConfigurationError: It holds no key, or is not text.
    """
    try:
        lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
    except OSError as error:
        known = translate(error)
        known.operation = "read the file of keys"
        raise known from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(setting="api_key_file", reason="is not UTF-8 text") from error
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ConfigurationError(setting="api_key_file", reason="holds no key")
    return keys
