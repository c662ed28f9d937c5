"""Clients as people use them, which ask the same and hear the same."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Protocol, TypeAlias

import anthropic
import openai
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI

WEATHER: Final = {
    "type": "object",
    "properties": {"place": {"type": "string"}},
    "required": ["place"],
    "additionalProperties": False,
}
TOOL: Final = {
    "type": "function",
    "function": {"name": "weather", "description": "Tell the weather.", "parameters": WEATHER},
}
CHOICE: Final = {
    "title": "choice",
    "type": "object",
    "properties": {"place": {"type": "string"}, "because": {"type": "string"}},
    "required": ["place", "because"],
    "additionalProperties": False,
}
Messages: TypeAlias = list[Any]
"""In OpenAI's form."""


@dataclass(frozen=True)
class Heard:
    """What a client had of an answer."""

    text: str
    calls: Sequence[tuple[str, str, Mapping[str, Any]]] = ()
    usage: tuple[int, int] = (0, 0)

    @property
    def message(self) -> dict[str, Any]:
        """The same as a message of the conversation."""
        calls = [
            {
                "id": call_id,
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for call_id, name, arguments in self.calls
        ]
        said = {"role": "assistant", "content": self.text}
        return {**said, "tool_calls": calls} if calls else said


class Client(Protocol):
    """Whoever asks."""

    def __init__(self, url: str, model: str) -> None: ...

    async def ask(self, messages: Messages, *, stream: bool) -> Heard:
        """Ask for an answer that may call tools."""

    async def choose(self, messages: Messages, *, stream: bool) -> Heard:
        """Ask for an answer in JSON, of a schema."""

    async def aclose(self) -> None:
        """Leave."""


class OpenAIClient:
    """The official client of OpenAI."""

    def __init__(self, url: str, model: str) -> None:
        self._client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        self._model = model

    async def ask(self, messages: Messages, *, stream: bool) -> Heard:
        return await self._heard(stream, messages=messages, tools=[TOOL])

    async def choose(self, messages: Messages, *, stream: bool) -> Heard:
        schema = {"name": "choice", "schema": CHOICE, "strict": True}
        form = {"type": "json_schema", "json_schema": schema}
        return await self._heard(stream, messages=messages, response_format=form)

    async def aclose(self) -> None:
        await self._client.close()

    async def _heard(self, stream: bool, **asked: Any) -> Heard:
        asked["model"] = self._model
        if not stream:
            return self._read(await self._client.chat.completions.create(**asked))
        options: Any = {"include_usage": True}
        async with self._client.chat.completions.stream(**asked, stream_options=options) as events:
            return self._read(await events.get_final_completion())

    def _read(self, answer: Any) -> Heard:
        [choice] = answer.choices
        calls = choice.message.tool_calls or []
        assert choice.finish_reason == ("tool_calls" if calls else "stop")
        made = [
            (call.id, call.function.name, json.loads(call.function.arguments)) for call in calls
        ]
        usage = answer.usage.prompt_tokens, answer.usage.completion_tokens
        return Heard(choice.message.content or "", made, usage)


class LangChain:
    """LangChain's `ChatOpenAI`."""

    def __init__(self, url: str, model: str) -> None:
        self._http = openai.DefaultAsyncHttpxClient()  # by default, all would share one for ever
        options: Any = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0}
        self._model = ChatOpenAI(
            model=model, stream_usage=True, http_async_client=self._http, **options
        )

    async def ask(self, messages: Messages, *, stream: bool) -> Heard:
        return await self._heard(self._model.bind_tools([TOOL]), messages, stream=stream)

    async def choose(self, messages: Messages, *, stream: bool) -> Heard:
        bound = self._model.with_structured_output(CHOICE, method="json_schema", include_raw=True)
        if not stream:
            answer: Any = await bound.ainvoke(messages)
        else:
            answer = {}
            async for part in bound.astream(messages):
                answer = {**answer, **part}
        assert answer["parsing_error"] is None
        return Heard(json.dumps(answer["parsed"]))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _heard(self, model: Any, messages: Messages, *, stream: bool) -> Heard:
        if not stream:
            return self._read(await model.ainvoke(messages))
        first, *others = [part async for part in model.astream(messages)]
        assert isinstance(first, AIMessageChunk)
        return self._read(first.__add__(others))

    def _read(self, answer: Any) -> Heard:
        calls = [(call["id"], call["name"], call["args"]) for call in answer.tool_calls]
        usage = answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]
        return Heard(str(answer.text), calls, usage)


class ResponsesClient:
    """The official client of OpenAI, through its newer API."""

    def __init__(self, url: str, model: str) -> None:
        self._client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        self._model = model

    async def ask(self, messages: Messages, *, stream: bool) -> Heard:
        function: Any = TOOL["function"]
        return await self._heard(stream, messages, tools=[{"type": "function", **function}])

    async def choose(self, messages: Messages, *, stream: bool) -> Heard:
        form = {"type": "json_schema", "name": "choice", "schema": CHOICE, "strict": True}
        return await self._heard(stream, messages, text={"format": form})

    async def aclose(self) -> None:
        await self._client.close()

    async def _heard(self, stream: bool, messages: Messages, **asked: Any) -> Heard:
        items = [item for message in messages for item in _items(message)]
        asked |= {"model": self._model, "input": items, "store": False}
        if not stream:
            return self._read(await self._client.responses.create(**asked))
        async with self._client.responses.stream(**asked) as events:
            return self._read(await events.get_final_response())

    def _read(self, answer: Any) -> Heard:
        assert answer.status == "completed"
        calls = [
            (item.call_id, item.name, json.loads(item.arguments))
            for item in answer.output
            if item.type == "function_call"
        ]
        usage = answer.usage.input_tokens, answer.usage.output_tokens
        return Heard(answer.output_text, calls, usage)


class AnthropicClient:
    """The official client of Anthropic, through its own API."""

    def __init__(self, url: str, model: str) -> None:
        self._client = anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0)
        self._model = model

    async def ask(self, messages: Messages, *, stream: bool) -> Heard:
        function: Any = TOOL["function"]
        tool = {
            "name": function["name"],
            "description": function["description"],
            "input_schema": function["parameters"],
        }
        return await self._heard(stream, messages, tools=[tool])

    async def choose(self, messages: Messages, *, stream: bool) -> Heard:
        form = {"type": "json_schema", "schema": CHOICE}
        return await self._heard(stream, messages, output_config={"format": form})

    async def aclose(self) -> None:
        await self._client.close()

    async def _heard(self, stream: bool, messages: Messages, **asked: Any) -> Heard:
        system, *told = messages
        asked |= {"model": self._model, "max_tokens": 999, "system": system["content"]}
        asked["messages"] = [
            {"role": role, "content": [block for message in turn for block in _blocks(message)]}
            for role, turn in groupby(told, key=_side)
        ]
        if not stream:
            return self._read(await self._client.messages.create(**asked))
        async with self._client.messages.stream(**asked) as events:
            return self._read(await events.get_final_message())

    def _read(self, answer: Any) -> Heard:
        texts = [block.text for block in answer.content if block.type == "text"]
        calls = [
            (block.id, block.name, block.input)
            for block in answer.content
            if block.type == "tool_use"
        ]
        assert answer.stop_reason == ("tool_use" if calls else "end_turn")
        usage = answer.usage.input_tokens, answer.usage.output_tokens
        return Heard("".join(texts), calls, usage)


def _items(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a message as the newer API has it."""
    if message["role"] == "tool":
        result = {"type": "function_call_output", "call_id": message["tool_call_id"]}
        yield {**result, "output": message["content"]}
        return
    yield {"role": message["role"], "content": message["content"]}
    for call in message.get("tool_calls", ()):
        yield {"type": "function_call", "call_id": call["id"], **call["function"]}


def _side(message: Mapping[str, Any]) -> str:
    return "assistant" if message["role"] == "assistant" else "user"


def _blocks(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a message of OpenAI's as Anthropic has it."""
    if message["role"] == "tool":
        result = {"type": "tool_result", "tool_use_id": message["tool_call_id"]}
        yield {**result, "content": message["content"]}
        return
    yield {"type": "text", "text": message["content"]}
    for call in message.get("tool_calls", ()):
        function = call["function"]
        arguments = json.loads(function["arguments"])
        yield {"type": "tool_use", "id": call["id"], "name": function["name"], "input": arguments}
