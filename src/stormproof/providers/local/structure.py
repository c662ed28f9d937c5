"""What an answer must look like, from what a request says about it."""

import json

from stormproof.engine import Grammar, Tokenizer
from stormproof.providers.local.schema import (
    ChatRequest,
    PlainFormat,
    SchemaFormat,
    StructuredOutputs,
)
from stormproof.providers.local.tools import offered


def chat_grammar(body: ChatRequest, tokenizer: Tokenizer) -> Grammar | None:
    """Return what the answer to a conversation must match, if anything.

    Raises:
        ValidationErrors: What it must match is too long.
    """
    if body.must_call:
        several = body.parallel_tool_calls is not False and body.tool_choice == "required"
        return tokenizer.tool_grammar(offered(body), several=several)
    match body.response_format:
        case SchemaFormat(json_schema=named):
            return Grammar.json_schema(named.json_schema)
        case PlainFormat(type="json_object"):
            return Grammar.json_object()
        case _:
            return structured(body.structured_outputs)


def structured(outputs: StructuredOutputs | None) -> Grammar | None:
    """Return what vLLM's extension asks for, if anything.

    Raises:
        ValidationErrors: It is too long.
    """
    match outputs:
        case None:
            return None
        case StructuredOutputs(json_schema=dict(schema)):
            return Grammar.json_schema(schema)
        case StructuredOutputs(regex=str(pattern)):
            return Grammar.regex(pattern)
        case StructuredOutputs(grammar=str(rules)):
            return Grammar.lark(rules)
        case _:
            choices = " | ".join(json.dumps(choice) for choice in outputs.choice or ())
            return Grammar.lark(f"start: {choices}")
