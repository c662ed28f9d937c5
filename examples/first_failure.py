"""A model that is down, and an answer all the same.

Start a server (``make serve``), then run this. The first address has nobody behind it. Two calls
find that out, the circuit opens, and from then on nobody waits for the dead one. Every question is
answered by the local engine.
"""

import sys

import httpx2

from stormproof.errors import from_wire
from stormproof.recovery import (
    CircuitBreaker,
    ConsecutiveFailures,
    Fallback,
    Pipeline,
    Retry,
    subscribe,
)

DEAD = "http://127.0.0.1:9"
ALIVE = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"


def ask(base_url: str, question: str) -> str:
    """Ask one server; raise the error that it answers with."""
    body = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": 32,
    }
    response = httpx2.post(f"{base_url}/v1/chat/completions", json=body, timeout=60)
    if response.is_error:
        raise from_wire(response.json())
    return str(response.json()["choices"][0]["message"]["content"])


def ask_alive(_base_url: str, question: str) -> str:
    """Ask the server that is there, patiently: it may be busy."""
    return patient.call(ask, ALIVE, question)


patient = Pipeline(Retry(attempts=5), name="alive")
answering = Pipeline(
    Fallback(ask_alive),
    CircuitBreaker("dead", opens_on=ConsecutiveFailures(2)),
    Retry(attempts=2),
    name="answering",
)


def main() -> None:
    """Ask three questions, and show what happens on the way."""
    subscribe(lambda event: print("   ", event))
    for country in ("France", "Italy", "Japan"):
        question = f"What is the capital of {country}?"
        print(question)
        print("  →", answering.call(ask, DEAD, question))


if __name__ == "__main__":
    main()
