"""Serving what the file of settings says while it changes.

The file is read again every second rather than watched: editors and Kubernetes put another file, or
another folder, in its place, of which a watch on the file hears nothing, and network and container
file systems tell of nothing at all. Its content is compared, not its time: two changes may have one
time, and a change may be none.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from stormproof.errors import translate
from stormproof.gateway.lifecycle import Lifecycle, SettingsState
from stormproof.gateway.served_models import ServedModels
from stormproof.recovery import CircuitClosed, CircuitState, publish

logger = logging.getLogger(__name__)

_PERIOD: Final = 1.0
"""Seconds between two looks."""

_NUMBERS: Final = {state: number for number, state in enumerate(SettingsState)}


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
        self._seen = served.as_read
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
        """Read the settings if somebody asked for it, or if they have changed and are whole.

        They are whole if two looks in a row have seen the same.
        """
        asked = self._asked.is_set()
        self._asked.clear()
        before, self._seen = self._seen, await asyncio.to_thread(self._served.fingerprint)
        changed = self._seen == before != self._served.as_read
        if asked or changed:
            await self._reload(asked=asked)

    async def _reload(self, *, asked: bool) -> None:
        try:
            found = await asyncio.to_thread(self._served.find)
        except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on as it was
            self._refused(error)
            return
        before = self._served.circuits()
        new = self._served.put(found) or self._lifecycle.settings is SettingsState.REFUSED
        self._tell_closed(before)
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

    def _tell_closed(self, before: Mapping[str, CircuitState]) -> None:
        """Tell of circuits that were open and are no longer ours: nobody will close those."""
        now = self._served.circuits()
        closed = CircuitState.CLOSED
        for name, state in before.items():
            if state is not closed and now.get(name, closed) is closed:
                publish(CircuitClosed(pipeline="settings", strategy=name))

    def _refused(self, error: Exception) -> None:
        self._lifecycle.settings = SettingsState.REFUSED
        self._reloads.labels("refused").inc()
        known = translate(error)
        logger.error(
            "settings not reloaded, the former ones stay in force",
            extra={"code": known.code, "error": known.message},
            exc_info=None if known is error else error,
        )
