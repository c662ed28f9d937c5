"""Where the library is, unless somebody says otherwise."""

import os
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

HOME_SETTING: Final = "STORMPROOF_HOME"


def models_folder() -> Path:
    """Return ``models`` in ``STORMPROOF_HOME``, or else in the user's cache."""
    home = os.environ.get(HOME_SETTING)
    base = Path(home).expanduser() if home else user_cache_path("stormproof", appauthor=False)
    return base / "models"
