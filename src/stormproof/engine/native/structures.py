"""The structures of stormproof.h for ctypes: the same names, fields and order."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_double, c_float, c_int32, c_void_p
from enum import IntEnum
from typing import ClassVar


class Packed(IntEnum):
    """How a matrix lies in memory for the kernels."""

    Q4 = 0
    Q8 = 1
    F32 = 2
    F16 = 3
    BF16 = 4


class Status(IntEnum):
    """How a call went."""

    OK = 0
    OUT_OF_MEMORY = 1
    BAD_ARGUMENT = 2


class Activation(IntEnum):
    """What the MLP applies to its inner numbers."""

    SILU = 0
    GELU_TANH = 1


class SpMatrix(ctypes.Structure):
    """A packed matrix [rows, cols] with the bias of its rows."""

    _fields_: ClassVar = [
        ("data", c_void_p),
        ("bias", c_void_p),
        ("format", c_int32),
        ("rows", c_int32),
        ("cols", c_int32),
    ]


class SpNorm(ctypes.Structure):
    """Scale and shift of a norm; all null where there is none."""

    _fields_: ClassVar = [("weight", c_void_p), ("bias", c_void_p)]


class SpLayer(ctypes.Structure):
    """The weights of a layer."""

    _fields_: ClassVar = [
        ("attention_norm", SpNorm),
        ("qkv", SpMatrix),
        ("query_norm", SpNorm),
        ("key_norm", SpNorm),
        ("output", SpMatrix),
        ("post_attention_norm", SpNorm),
        ("mlp_norm", SpNorm),
        ("up", SpMatrix),
        ("down", SpMatrix),
        ("post_mlp_norm", SpNorm),
        ("window", c_int32),
        ("rope", c_int32),
    ]


class SpModel(ctypes.Structure):
    """A model: its sizes, and where its weights lie."""

    _fields_: ClassVar = [
        ("hidden", c_int32),
        ("layers", c_int32),
        ("heads", c_int32),
        ("kv_heads", c_int32),
        ("head_dim", c_int32),
        ("intermediate", c_int32),
        ("vocab", c_int32),
        ("max_context", c_int32),
        ("gated", c_int32),
        ("activation", c_int32),
        ("layer_norm", c_int32),
        ("rope_tables", c_int32),
        ("norm_eps", c_float),
        ("attention_scale", c_float),
        ("attention_softcap", c_float),
        ("final_softcap", c_float),
        ("embedding_scale", c_float),
        ("rope_frequencies", c_void_p),
        ("position_embedding", c_void_p),
        ("embedding", SpMatrix),
        ("head", SpMatrix),
        ("norm", SpNorm),
        ("layer", POINTER(SpLayer)),
    ]


class SpDraw(ctypes.Structure):
    """How the token after one row is chosen, and what was."""

    _fields_: ClassVar = [
        ("row", c_int32),
        ("temperature", c_float),
        ("top_p", c_float),
        ("min_p", c_float),
        ("top_k", c_int32),
        ("uniform", c_double),
        ("offsets", c_int32),
        ("offset_tokens", c_void_p),
        ("offset_values", c_void_p),
        ("allowed", c_void_p),
        ("logprobs", c_int32),
        ("top_tokens", c_void_p),
        ("top_logprobs", c_void_p),
        ("token", c_int32),
        ("logprob", c_float),
    ]


class SpStep(ctypes.Structure):
    """The rows of one forward pass, and the tokens to be chosen after some of them."""

    _fields_: ClassVar = [
        ("rows", c_int32),
        ("sequences", c_int32),
        ("draws", c_int32),
        ("tokens", c_void_p),
        ("query_lengths", c_void_p),
        ("context_lengths", c_void_p),
        ("block_tables", c_void_p),
        ("table_stride", c_int32),
        ("draw", POINTER(SpDraw)),
        ("logits", c_void_p),
    ]
