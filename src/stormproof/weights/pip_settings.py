"""What the user has told pip: somebody who set up a mirror has set it up once."""

import configparser
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from platformdirs import site_config_path, user_config_path

_SECTION: Final = "global"


def pip_setting(name: str) -> str | None:
    """Return a global setting of pip, or None if nobody has set it.

    The order is pip's own: the environment, then the virtual environment's file, the user's and
    the machine's. See https://pip.pypa.io/en/stable/topics/configuration/.

    Args:
        name: As in a configuration file: ``index-url``, ``cert``.
    """
    if value := os.environ.get(f"PIP_{name.replace('-', '_').upper()}"):
        return value
    return next((value for path in _files() if (value := _read(path, name))), None)


def _files() -> Iterator[Path]:
    """The configuration files, the one that wins first."""
    chosen = os.environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:  # pip's way to say: no configuration at all
        return
    if chosen:
        yield Path(chosen)
    file = "pip.ini" if sys.platform == "win32" else "pip.conf"
    yield Path(sys.prefix) / file
    yield user_config_path("pip", appauthor=False, roaming=True) / file
    yield Path.home() / ("pip" if sys.platform == "win32" else ".pip") / file
    yield site_config_path("pip", appauthor=False) / file
    if sys.platform != "win32":
        yield Path("/etc") / file


def _read(path: Path, name: str) -> str | None:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return None  # pip will complain about its own file; we do without
    value = parser.get(_SECTION, name, fallback="").strip()
    return value or None
