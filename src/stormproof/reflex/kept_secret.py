"""A secret that is made once, and kept beside what needs it."""

import secrets
from pathlib import Path
from typing import Final

from filelock import FileLock

from stormproof.errors import ConfigurationError

SECRET_BYTES: Final = 32
_LONGEST_WAIT: Final = 10.0
"""Seconds, for another process that makes the same secret."""


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
        with FileLock(f"{path}.lock", timeout=_LONGEST_WAIT, mode=0o600):
            secret = path.read_bytes() if path.exists() else b""
            if len(secret) != SECRET_BYTES:  # or somebody was killed while he wrote it
                secret = secrets.token_bytes(SECRET_BYTES)
                path.touch(0o600)
                path.write_bytes(secret)
            return secret
    except OSError as error:
        reason = f"{path.name} cannot be read or written"
        raise ConfigurationError(setting=setting, reason=reason) from error
