"""What guessing tokens from what was said before gains, by kind of answer.

    python benchmarks/speculation.py

One request at a time, greedy, 192 new tokens, with and without speculation in turn. The answers are
the same; only the time differs.
"""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from engine_peers.libraries.stormproof import answer
from engine_peers.models import gguf
from engine_peers.readme import markdown_table, write_section
from engine_peers.timing import decode_rate
from engine_peers.workload import Request
from stormproof.engine import EngineConfig, EngineCore
from stormproof.engine.start import start_core

ROUNDS: Final = 5
NEW_TOKENS: Final = 192
PASSAGE: Final = Path(__file__).with_name("accuracy.txt").read_text()[:900]

QUESTIONS: Final = {
    "repeats a text": f"Repeat this text word for word:\n\n{PASSAGE}",
    "writes code": "Write a Python function that parses a line of CSV, with a docstring and tests.",
    "tells a story": "Write a short story about a lighthouse keeper.",
}


def rates(cores: Mapping[str, EngineCore], question: str) -> dict[str, list[float]]:
    """Return the tokens per second of each round, by engine."""
    found: dict[str, list[float]] = {name: [] for name in cores}
    for _ in range(ROUNDS):
        for name, core in cores.items():
            prompt = core.tokenizer.chat([{"role": "user", "content": question}])
            found[name].append(decode_rate(answer(core, [Request(prompt, NEW_TOKENS)])))
    return found


def main() -> None:
    cores = {
        "off": start_core(EngineConfig(model=str(gguf()), num_blocks=64, speculation="off")),
        "auto": start_core(EngineConfig(model=str(gguf()), num_blocks=64, speculation="auto")),
    }
    lines = []
    for name, question in QUESTIONS.items():
        found = rates(cores, question)
        off, auto = (statistics.median(found[one]) for one in ("off", "auto"))
        ratio = statistics.median(a / b for a, b in zip(found["auto"], found["off"], strict=True))
        lines.append([name, f"{off:.0f}", f"{auto:.0f}", f"{ratio:.2f}"])
    head = ["the answer", "off, tokens/s", "auto, tokens/s", "times"]
    table = markdown_table(1, head, lines)
    print(table)
    write_section("speculation", table)


if __name__ == "__main__":
    main()
