"""Serving what the file of settings says while it changes.

The file is read again every second rather than watched: editors and Kubernetes put another file, or
another folder, in its place, of which a watch on the file hears nothing, and network and container
file systems tell of nothing at all. Its content is compared, not its time: two changes may have one
time, and a change may be none.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from stormproof.errors import translate
from stormproof.gateway.lifecycle import Lifecycle, SettingsState
from stormproof.gateway.served_models import Fingerprint, ServedModels

logger = logging.getLogger(__name__)

_PERIOD: Final = 1.0
"""Seconds between two looks."""

_NUMBERS: Final = {state: number for number, state in enumerate(SettingsState)}


class Changes:
    """Tells when files have changed and are whole: two looks in a row have seen the same."""

    def __init__(self) -> None:
        self._known: Fingerprint | None = None
        self._last: Fingerprint | None = None

    def seen(self, fingerprint: Fingerprint, *, asked: bool) -> bool:
        """Take note of a look, and tell whether to read the files now.

        Args:
            fingerprint: What was seen.
            asked: Whether somebody wants them read in any case.
        """
        whole, self._last = asked or fingerprint == self._last, fingerprint
        if not whole or (fingerprint == self._known and not asked):
            return False
        self._known = fingerprint
        return True


class Reloader:
    """Reads the settings again when they change or somebody asks, and reports what came of it.

    Args:
        served: What is read.
        lifecycle: Tells who asks whether the settings are in force.
        registry: Where Prometheus reads the same.
    """

    def __init__(
        self, served: ServedModels, lifecycle: Lifecycle, registry: CollectorRegistry
    ) -> None:
        self._served = served
        self._lifecycle = lifecycle
        self._changes = Changes()
        self._asked = asyncio.Event()
        self._reloads = Counter(
            "stormproof_settings_reloads",
            "Times the file of settings was read again.",
            ("outcome",),
            registry=registry,
        )
        states = ", ".join(f"{number} {state.value}" for state, number in _NUMBERS.items())
        state = Gauge("stormproof_settings_state", f"Whether: {states}.", registry=registry)
        state.set_function(lambda: _NUMBERS[lifecycle.settings])

    def ask(self) -> None:
        """Have the settings read again soon."""
        self._asked.set()

    async def run(self) -> None:
        """Look every second, and whenever it is asked for, until cancelled."""
        while True:
            await self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), _PERIOD)

    async def look(self) -> None:
        """Read the settings if they have changed, or if that was asked for."""
        asked = self._asked.is_set()
        self._asked.clear()
        fingerprint = await asyncio.to_thread(self._served.fingerprint)
        if self._changes.seen(fingerprint, asked=asked):
            await self._reload(asked=asked)

    async def _reload(self, *, asked: bool) -> None:
        try:
            found = await asyncio.to_thread(self._served.find)
        except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on as it was
            self._refused(error)
            return
        new = self._served.put(found) or self._lifecycle.settings is SettingsState.REFUSED
        self._lifecycle.settings = (
            SettingsState.RESTART_NEEDED if found.waiting else SettingsState.CURRENT
        )
        if new or asked:
            self._reloads.labels("applied").inc()
            names = sorted([*found.ladders, *found.embeddings])
            logger.info("settings reloaded", extra={"models": names})
        if found.waiting:
            extra = {"settings": found.waiting}
            logger.warning("settings of the server take effect when it is restarted", extra=extra)

    def _refused(self, error: Exception) -> None:
        self._lifecycle.settings = SettingsState.REFUSED
        self._reloads.labels("refused").inc()
        known = translate(error)
        logger.error(
            "settings not reloaded, the former ones stay in force",
            extra={"code": known.code, "error": known.message},
            exc_info=None if known is error else error,
        )
