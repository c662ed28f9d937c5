"""Where Stormproof keeps what it downloads and makes, unless somebody says otherwise."""

import os
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

HOME_SETTING: Final = "STORMPROOF_HOME"


def home() -> Path:
    """Return ``STORMPROOF_HOME``, or else a folder in the user's cache."""
    chosen = os.environ.get(HOME_SETTING)
    if chosen:
        return Path(chosen).expanduser()
    return user_cache_path("stormproof", appauthor=False)


def models_folder() -> Path:
    """Return where the library of models is, unless somebody says otherwise."""
    return home() / "models"
