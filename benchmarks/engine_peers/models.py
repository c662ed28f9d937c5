"""The one model that every engine answers with, in the formats that they read."""

import shutil
from pathlib import Path
from typing import Any

from engine_peers.process import BUILD
from stormproof.weights import ModelLibrary


def gguf() -> Path:
    """Return the embedded model's file: 4-bit matrices (Q4_1) under an 8-bit embedding (Q8_0)."""
    return ModelLibrary().pull("smollm2")


def hugging_face() -> Path:
    """Return the same weights as a bfloat16 safetensors folder, made the first time."""
    folder = BUILD / "bench" / "smollm2-bfloat16"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        _dequantise(gguf(), partial)
        partial.rename(folder)
    return folder


def _dequantise(path: Path, folder: Path) -> None:
    import torch  # noqa: PLC0415 - heavy, and not needed again
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    shutil.rmtree(folder, ignore_errors=True)
    source, name = path.parent, path.name
    model: Any = AutoModelForCausalLM.from_pretrained(source, gguf_file=name, dtype=torch.bfloat16)
    # It still takes itself for quantised, and would refuse to be written.
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source, gguf_file=name).save_pretrained(folder)
