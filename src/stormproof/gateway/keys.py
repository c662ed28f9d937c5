"""Who may call: API keys, compared in constant time."""

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from stormproof.errors import ConfigurationError, Unauthorized, translate
from stormproof.gateway.settings import Settings


class Keyring:
    """The keys that open the server; an empty ring lets everyone in.

    Only digests are kept, so that neither a repr nor a memory dump of the ring gives a key away,
    and so that a comparison takes the same time whatever is sent (all keys are always tried).
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = tuple(_digest(key) for key in keys)

    def check(self, authorization: str | None, api_key: str | None = None) -> None:
        """Let the caller pass, or not.

        Args:
            authorization: The value of the Authorization header.
            api_key: The value of the ``x-api-key`` header, which Anthropic's clients send instead.

        Raises:
            Unauthorized: The ring has keys and the headers hold none of them.
        """
        if not self._digests:
            return
        scheme, _, bearer = (authorization or "").partition(" ")
        key = bearer if scheme.lower() == "bearer" else api_key
        if not key:
            raise Unauthorized(reason="send 'Authorization: Bearer <key>'")
        offered = _digest(key.strip())
        matches = [hmac.compare_digest(offered, digest) for digest in self._digests]
        if not any(matches):
            raise Unauthorized(reason="the key is not known")


def load_keys(settings: Settings) -> Keyring:
    """Return the ring with all keys that the settings give, in themselves or in a file.

    Raises:
        StorageError: The file cannot be read.
        ConfigurationError: It holds no key, or is not text.
    """
    keys = [key.get_secret_value() for key in settings.api_key]
    if settings.api_key_file is not None:
        keys += read_keys(settings.api_key_file)
    return Keyring(keys)


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


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
