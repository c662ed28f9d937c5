"""What an engine is started with."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from stormproof.engine.drafting.speculation import MAX_DRAFTED
from stormproof.engine.scheduling.scheduler import SchedulerLimits
from stormproof.errors import ConfigurationError

Device: TypeAlias = Literal["auto", "cpu", "cuda"]
Speculate: TypeAlias = Literal["auto", "off"]
DType: TypeAlias = Literal["auto", "float32", "bfloat16", "float16", "int4"]

_CHOICES: Final = {
    "device": get_args(Device),
    "dtype": get_args(DType),
    "speculation": get_args(Speculate),
}

_POSITIVE: Final = (
    "threads",
    "block_size",
    "num_blocks",
    "cache_bytes",
    "max_sequences",
    "max_step_tokens",
    "max_waiting",
    "max_waiting_tokens",
    "step_deadline",
    "tensor_parallel",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Every setting of an engine; checked together when it is made.

    Attributes:
        model: A GGUF file, or a folder with config.json, safetensors and a tokenizer.
        adapter: A folder with a LoRA adapter, as PEFT writes it, that is merged into the model.
        device: ``cpu``, ``cuda``, or ``auto``.
        dtype: What weights become: ``float32``, ``bfloat16``, ``float16``, ``int4`` (only on a CPU)
            or ``auto``: on a CPU, quantised ones stay as they are and others get 8 bits; on CUDA
            all become ``bfloat16``.
        tensor_parallel: How many processes share the model, each with a GPU where there are any.
        threads: How many compute on a CPU; None for as many cores as this process may use.
        block_size: Tokens in a block of the cache.
        num_blocks: Blocks of the cache; None for as many as ``cache_bytes`` hold.
        cache_bytes: Memory for the cache, where ``num_blocks`` does not say.
        max_sequences: Requests that are answered at once.
        max_step_tokens: Tokens that the model reads in one step.
        max_waiting: Requests that wait.
        max_waiting_tokens: Tokens that waiting requests have together.
        prefix_cache: Whether a prompt that begins like an earlier one shares what was computed for
            it. How soon an answer comes then tells whether somebody asked alike a while ago.
        speculation: Whether tokens are guessed from what was said before and verified several at
            once, where that is faster; it changes no answer. ``auto`` or ``off``.
        draft_model: A smaller model with the same vocabulary, that guesses instead: a file or a
            folder. Its cache is not part of ``cache_bytes``.
        embedding_model: A folder with a model that turns texts into vectors, for ``embed``: this
            one writes, and was not made for that.
        step_deadline: Seconds within which a step of an engine in its own process must end; one
            that takes longer counts as hung, and the process is replaced.

    Raises:
        ConfigurationError: Settings are wrong or contradict each other; all of them are named.
    """

    model: str
    adapter: str | None = None
    device: Device = "auto"
    dtype: DType = "auto"
    tensor_parallel: int = 1
    threads: int | None = None
    block_size: int = 16
    num_blocks: int | None = None
    cache_bytes: int = 1 << 30
    max_sequences: int = 32
    max_step_tokens: int = 512
    max_waiting: int = 256
    max_waiting_tokens: int = 1 << 18
    prefix_cache: bool = True
    speculation: Speculate = "auto"
    draft_model: str | None = None
    embedding_model: str | None = None
    step_deadline: float = 60.0

    def __post_init__(self) -> None:
        problems = {
            name: "must be positive"
            for name in _POSITIVE
            if (value := getattr(self, name)) is not None and value <= 0
        }
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                problems[name] = f"must be one of {', '.join(choices)}"
        if not self.model:
            problems["model"] = "must name a file or a folder"
        if self.embedding_model == "":
            problems["embedding_model"] = "must name a folder"
        if self.draft_model is not None and self.speculation == "off":
            problems["draft_model"] = "is of no use with speculation off"
        if self.max_step_tokens < self.max_sequences:
            problems.setdefault("max_step_tokens", "must be at least max_sequences")
        if problems:
            reason = "; ".join(f"{name} {what}" for name, what in problems.items())
            raise ConfigurationError(setting=", ".join(problems), reason=reason)

    @property
    def max_draws(self) -> int:
        """How many tokens are chosen in one step."""
        return min(max(self.max_sequences, 1 + MAX_DRAFTED), self.max_step_tokens)

    def limits(self, context: int) -> SchedulerLimits:
        """Return the scheduler's part.

        Args:
            context: Tokens that the model can attend to.
        """
        return SchedulerLimits(
            context=context,
            sequences=self.max_sequences,
            step_tokens=self.max_step_tokens,
            waiting=self.max_waiting,
            waiting_tokens=self.max_waiting_tokens,
        )
