"""Requests made from the served schema, valid and invalid, by Schemathesis.

Run as a program (``make fuzz``) it goes on for as long as it is told to.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from stormproof.weights import ModelLibrary
from support.serving import MODEL, Server, serving

SMALL = ("--max-tokens", "16", "--default-max-tokens", "4")
"""Settings under which every valid request is quick, so that a slow one is a hang."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


def fuzz(server: Server, *options: str) -> subprocess.CompletedProcess[str]:
    """Send requests to every route; the exit status says whether the server misbehaved."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{server.url}/openapi.json",
        f"--checks={','.join(CHECKS)}",
        "--phases=examples,coverage,fuzzing",
        "--mode=all",
        "--request-timeout=60",
        "--continue-on-failure",
        *options,
    ]
    environ = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "support.fuzz_hooks",
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "STORMPROOF_FUZZ_MODEL": MODEL,
    }
    return subprocess.run(command, env=environ, text=True, capture_output=True, check=False)


def main() -> None:
    """Fuzz a server of its own for a number of minutes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    with serving(ModelLibrary().pull("smollm2"), *SMALL) as server:
        ended = fuzz(server, f"--max-time={int(minutes * 60)}")
        answered = server.process.poll() is None
    print(ended.stdout, ended.stderr, sep="\n")
    if not answered:
        sys.exit("the server died")
    sys.exit(ended.returncode)


if __name__ == "__main__":
    main()
