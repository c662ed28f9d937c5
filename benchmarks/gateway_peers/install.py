"""Installs the gateways that ours is measured beside, each in an environment of its own.

    cd benchmarks && python -m gateway_peers.install

Both end up under build/peers, where the benchmarks find them. Portkey runs on Node, which is not
installed here.
"""

import json
import shutil
import subprocess
from typing import Final

from engine_peers.install import PEERS, environment, pip

LITELLM: Final = "litellm[proxy]==1.106.2"
PORTKEY: Final = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    # With later ones it answers no stream: its own answer's headers cannot be changed.
    "overrides": {"@hono/node-server": "1.11.1"},
}


def litellm() -> None:
    """Install LiteLLM with its proxy."""
    pip(environment("litellm"), LITELLM)


def portkey() -> None:
    """Install Portkey's gateway, if there is a Node to run it."""
    npm = shutil.which("npm")
    if npm is None:
        print("no npm")
        return
    folder = PEERS / "portkey"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps(PORTKEY))
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([npm, "install", *flags], check=True, cwd=folder)


def main() -> None:
    for install in (litellm, portkey):
        print(f"{install.__name__} …", flush=True)
        install()


if __name__ == "__main__":
    main()
