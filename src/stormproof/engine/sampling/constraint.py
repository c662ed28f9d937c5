"""Which tokens may follow, so that an answer matches its grammar.

Grammars are strangers' programs: compiled under limits of time and memory, by llguidance.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar, cast

from stormproof.engine.sampling.grammar import COMPACT_JSON, Grammar, GrammarKind
from stormproof.engine.sampling.grammar_limits import check_lark, check_schema, refused
from stormproof.errors import InvalidRequest, OutOfMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from llguidance import LLMatcher, LLParserLimits, LLTokenizer
    from llguidance._lib import JsonCompileOptions

    from stormproof.engine.tokens.tokenizer import Tokenizer

T = TypeVar("T")

MAX_KEPT: Final = 32

# Whatever the schema itself may wish: an answer that validates, or a refusal.
_JSON_OPTIONS: Final = {**COMPACT_JSON, "lenient": False, "coerce_one_of": False}
_BEGUN_OPTIONS: Final = {
    "whitespace_pattern": r"[\x20\x0A\x0D\x09]{0,64}",
    "lenient": False,
    "coerce_one_of": False,
}
"""For a document that somebody else began, in whatever layout; space has an end here, too."""

_COMPILER_STACK: Final = 256 << 20
"""Bytes. Rules refer to rules as deep as a grammar is long, and the compiler recurses."""


class Grammars:
    """Compiles grammars for one vocabulary, and keeps those used last; thread-safe.

    Args:
        tokenizer: Whose tokens they are.
        eos_ids: Tokens that end an answer; allowed where the grammar is satisfied.
        vocab_size: How many tokens the model can choose from.
    """

    def __init__(self, tokenizer: Tokenizer, *, eos_ids: Iterable[int], vocab_size: int) -> None:
        self._tokenizer = tokenizer
        self._eos_ids = sorted(token for token in eos_ids if token < vocab_size)
        self._vocab_size = vocab_size
        self._compiled: OrderedDict[tuple[Grammar, bool], LLMatcher] = OrderedDict()
        self._lock = threading.Lock()
        self._compiling = threading.Lock()

    def __len__(self) -> int:
        return len(self._compiled)

    def matcher(self, grammar: Grammar, begun: Sequence[int] = ()) -> Matcher:
        """Return what watches over one answer.

        Compiles the grammar, for up to about a second, unless it was used lately.

        Args:
            grammar: What the answer must match.
            begun: Its first tokens, if it goes on; those that match nothing are no part of it.

        Raises:
            InvalidRequest: The grammar is wrong, unsupported, contradictory or too complex.
            OutOfMemory: There is none for compiling it now.
        """
        if begun:
            state = self._state(grammar, loosely=True)
            if state.try_consume_tokens(list(begun)) == len(begun):
                return Matcher(state, self._vocab_size)
        return Matcher(self._state(grammar, loosely=False), self._vocab_size)

    def _state(self, grammar: Grammar, *, loosely: bool) -> LLMatcher:
        """Return where an answer begins.

        Args:
            grammar: What it must match.
            loosely: Whether its white space is up to whoever began it.
        """
        key = grammar, loosely
        compiled = self._kept(key)
        if compiled is None:
            with self._compiling:  # one at a time, and nobody who needs none has to wait
                compiled = self._kept(key) or self._compile(grammar, loosely=loosely)
            self._keep(key, compiled)
        return compiled.deep_copy()

    def _kept(self, key: tuple[Grammar, bool]) -> LLMatcher | None:
        with self._lock:
            if key in self._compiled:
                self._compiled.move_to_end(key)
            return self._compiled.get(key)

    def _keep(self, key: tuple[Grammar, bool], compiled: LLMatcher) -> None:
        with self._lock:
            self._compiled[key] = compiled
            if len(self._compiled) > MAX_KEPT:
                self._compiled.popitem(last=False)

    def _compile(self, grammar: Grammar, *, loosely: bool) -> LLMatcher:
        from llguidance import LLMatcher  # noqa: PLC0415 - takes a while, and few need it

        try:
            source = _source(grammar, _BEGUN_OPTIONS if loosely else _JSON_OPTIONS)
        except ValueError as error:  # nested too deeply for it, or half a surrogate pair
            raise refused(str(error)) from error
        tokens = self._tokens
        compiled = _on_large_stack(lambda: LLMatcher(tokens, source, log_level=0, limits=_limits()))
        _check(compiled)
        return compiled

    @cached_property
    def _tokens(self) -> LLTokenizer:
        from llguidance import LLTokenizer, TokenizerWrapper  # noqa: PLC0415

        if not self._eos_ids:
            raise refused("the model has no token with which an answer ends")
        vocabulary = _Vocabulary(self._tokenizer, self._eos_ids, self._vocab_size)
        return LLTokenizer(
            TokenizerWrapper(vocabulary), n_vocab=self._vocab_size, eos_token=self._eos_ids
        )


class Matcher:
    """Follows one answer through its grammar.

    Args:
        state: Where the answer is; used by this matcher alone.
        vocab_size: How many tokens a mask speaks of.
    """

    def __init__(self, state: LLMatcher, vocab_size: int) -> None:
        self._state = state
        self._vocab_size = vocab_size
        self._mask_bytes = 4 * -(-vocab_size // 32)

    @property
    def finished(self) -> bool:
        """Whether the answer is complete and cannot go on."""
        return self._state.is_stopped()

    def allowed(self) -> bytes:
        """Return the tokens that may come next, see `Draw.allowed`; at least one.

        Raises:
            InvalidRequest: Following the grammar has become too complex, or it has no way on.
        """
        mask = self._state.compute_bitmask()
        _check(self._state)
        return mask[: self._mask_bytes].ljust(self._mask_bytes, b"\0")

    def advance(self, token: int) -> None:
        """Take the next token of the answer.

        Raises:
            InvalidRequest: The grammar does not allow it.
        """
        self._state.consume_token(token)
        _check(self._state)

    def allowed_along(self, drafted: Sequence[int]) -> list[bytes]:
        """Return the masks before each of these tokens and after the last, and stay here.

        The list ends early at a token that its mask does not allow, that ends the answer, or after
        which the grammar becomes too complex: the draft may be wrong.

        Raises:
            InvalidRequest: As for `allowed`.
        """
        masks = [self.allowed()]
        ahead = Matcher(self._state.deep_copy(), self._vocab_size)
        with suppress(InvalidRequest):
            for token in drafted:
                ahead.advance(token)
                if ahead.finished:
                    break
                masks.append(ahead.allowed())
        return masks


class _Vocabulary:
    """A tokenizer as llguidance wants it."""

    def __init__(self, tokenizer: Tokenizer, eos_ids: Sequence[int], vocab_size: int) -> None:
        known = range(min(tokenizer.vocab_size, vocab_size))
        spelled = [tokenizer.token_bytes(token) for token in known]
        self.special_token_ids = [token for token in known if not spelled[token]]
        self.tokens = [text or b"<%d>" % token for token, text in zip(known, spelled, strict=True)]
        self.eos_token_id = eos_ids[0]
        self.bos_token_id = None
        self._tokenizer = tokenizer

    def __call__(self, text: bytes) -> list[int]:
        return self._tokenizer.encode(text.decode("utf-8", "replace"), special=False)


def _limits() -> LLParserLimits:
    from llguidance import LLParserLimits  # noqa: PLC0415

    return LLParserLimits(
        max_items_in_row=2_000,
        initial_lexer_fuel=100_000,
        step_lexer_fuel=50_000,
        step_max_items=10_000,
        max_lexer_states=10_000,
        max_grammar_size=10_000,
        verbose_errors=False,
    )


def _source(grammar: Grammar, json_options: Mapping[str, object]) -> str:
    """Return the grammar in llguidance's own form."""
    from llguidance import LLMatcher  # noqa: PLC0415

    match grammar.kind:
        case GrammarKind.JSON_SCHEMA:
            check_schema(grammar.text)
            options = cast("JsonCompileOptions", json_options)
            return LLMatcher.grammar_from_json_schema(grammar.text, overrides=options)
        case GrammarKind.REGEX:
            return LLMatcher.grammar_from_regex(grammar.text)
        case GrammarKind.LARK:
            check_lark(grammar.text)
            return LLMatcher.grammar_from_lark(grammar.text)


def _check(state: LLMatcher) -> None:
    if state.is_error():
        # The lines that follow quote the grammar at length.
        raise refused(state.get_error().partition("\n")[0])


def _on_large_stack(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, having called it in a thread of its own."""
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            result.set_exception(error)

    with _STACK_SIZE:
        usual = threading.stack_size(_COMPILER_STACK)
        try:
            threading.Thread(target=run, name="stormproof-grammar", daemon=True).start()
        except RuntimeError as error:
            raise OutOfMemory from error
        finally:
            threading.stack_size(usual)
    return result.result()


_STACK_SIZE: Final = threading.Lock()
"""Held while the size that all new threads get is another."""
