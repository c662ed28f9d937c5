"""A tokenizer that anybody can follow."""

import json

from stormproof.engine.tokens.tokenizer import Tokenizer

EOS = 256
VOCAB = 257


def byte_tokenizer() -> Tokenizer:
    """Make a tokenizer whose tokens are the 256 bytes, and one that ends a text."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + place) for place, byte in enumerate(others)}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    definition = {
        "version": "1.0",
        "added_tokens": [
            {"id": EOS, "content": "<|im_end|>", "special": True, "normalized": False}
            | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        ],
        "pre_tokenizer": level | {"use_regex": False},
        "decoder": level | {"use_regex": False},
        "model": {
            "type": "BPE",
            "vocab": {letter: byte for byte, letter in letters.items()} | {"<|im_end|>": EOS},
            "merges": [],
        },
    }
    text = json.dumps(definition)
    return Tokenizer.from_json(text, eos_ids=frozenset({EOS}), template=None, names={})
