"""A process that keeps answers in a file until it is killed; it tells each that is on disk."""

import sys
from itertools import count
from pathlib import Path

from stormproof.reflex.cache.answer_file import AnswerFile, Row


def main() -> None:
    path, first = Path(sys.argv[1]), int(sys.argv[2])
    file = AnswerFile(path, max_bytes=1 << 26)
    for number in count(first):
        file.write({key(number): Row(value(number), 4e9)})
        print(number, flush=True)  # for who kills it


def key(number: int) -> bytes:
    return number.to_bytes(32)


def value(number: int) -> bytes:
    return str(number).encode() * 500


if __name__ == "__main__":
    main()
