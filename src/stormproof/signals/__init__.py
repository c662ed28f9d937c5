"""Who hears of a failure: structured logs and Prometheus series.

The floors below neither log nor count what they recover. This one subscribes to their events::

    configure_logging("info", console=False)
    log_events()  # returns a function that ends it
    with closing(Metrics(registry)):
        ...
"""

from stormproof.signals.context import log_context
from stormproof.signals.event_log import log_events
from stormproof.signals.lines import log_often
from stormproof.signals.logs import configure_logging
from stormproof.signals.metrics import Metrics

__all__ = ["Metrics", "configure_logging", "log_context", "log_events", "log_often"]
