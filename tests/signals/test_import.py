"""The ground floors know nothing of who listens."""

import subprocess
import sys

PROGRAM = """
import sys
import stormproof.recovery
print({"stormproof.signals", "structlog", "prometheus_client", "logging"} & sys.modules.keys())
"""


def test_recovery_loads_neither_a_log_nor_a_metrics_library() -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "set()"
