"""A secret that is made once, and kept beside what needs it."""

import secrets
from pathlib import Path
from typing import Final

from stormproof.errors import ConfigurationError
from stormproof.reflex.private_files import alone_with

SECRET_BYTES: Final = 32


def secret_beside(file: Path, setting: str) -> bytes:
    """Return the secret that is kept beside a file; make it if there is none.

    Args:
        file: Which need not be there.
        setting: What needs it.

    Raises:
        ConfigurationError: It cannot be read or written.
    """
    path = file.with_name(f"{file.name}.secret")
    try:
        with alone_with(path):
            secret = path.read_bytes()
            if len(secret) != SECRET_BYTES:  # it is new, or somebody was killed while he wrote it
                secret = secrets.token_bytes(SECRET_BYTES)
                path.write_bytes(secret)
            return secret
    except OSError as error:
        why = error.strerror or type(error).__name__
        reason = f"{path.name} cannot be read or written: {why}"
        raise ConfigurationError(setting=setting, reason=reason) from error
