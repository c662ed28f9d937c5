"""The official client talks to us, and raises its own exceptions for our errors."""

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import openai
import pytest

from support.serving import MODEL, Server

Messages = list[openai.types.chat.ChatCompletionUserMessageParam]

HI: Messages = [{"role": "user", "content": "Name the capital of France."}]


def connect(server: Server, key: str = "none") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)


def test_it_chats(server: Server) -> None:
    """A whole answer parses into the client's own types."""
    with connect(server) as client:
        answer = client.chat.completions.create(
            model=MODEL, messages=HI, temperature=0, max_tokens=16
        )
    assert "Paris" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


def test_it_streams(server: Server) -> None:
    """Chunks parse, the text adds up, the usage comes last."""
    with connect(server) as client:
        stream = client.chat.completions.create(
            model=MODEL,
            messages=HI,
            temperature=0,
            max_tokens=16,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "Paris" in text
    assert chunks[-1].usage is not None


def test_it_lists_models(server: Server) -> None:
    """Both models are there, by name."""
    with connect(server) as client:
        assert [model.id for model in client.models.list()] == [MODEL, "minilm"]
        assert client.models.retrieve(MODEL).id == MODEL


def test_it_embeds(server: Server) -> None:
    """The client asks for base64 by itself, and gets the same numbers either way."""
    texts = ["The storm passed over the harbour.", "A tempest swept across the port.", "My cat."]
    with connect(server) as client:
        packed = client.embeddings.create(model="minilm", input=texts)
        plain = client.embeddings.create(model="minilm", input=texts, encoding_format="float")
    vectors = [entry.embedding for entry in packed.data]
    assert vectors == [pytest.approx(entry.embedding, abs=1e-6) for entry in plain.data]
    storm, tempest, cat = vectors
    assert dot(storm, tempest) > 0.5 > dot(storm, cat)
    assert dot(storm, storm) == pytest.approx(1, abs=1e-5)
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 15


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_a_bad_value_is_its_bad_request_error(server: Server) -> None:
    """400, with our code and the name of the parameter."""
    with connect(server) as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=HI, temperature=-1)
    assert caught.value.code == "INVALID_REQUEST"
    assert caught.value.param == "temperature"
    assert caught.value.request_id


def test_an_unknown_model_is_its_not_found_error(server: Server) -> None:
    """404, naming what there is."""
    with connect(server) as client, pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-9", messages=HI)
    assert caught.value.code == "MODEL_NOT_FOUND"
    assert MODEL in str(caught.value)


def test_a_wrong_key_is_its_authentication_error(serve: Callable[..., Server]) -> None:
    """401 without the right key; an answer with it; and no key is ever echoed."""
    server = serve(STORMPROOF_API_KEY="right-key-1,right-key-2")
    with (
        connect(server, "wrong-key") as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.models.list()
    assert caught.value.code == "UNAUTHORIZED"
    assert "key-1" not in str(caught.value.body)
    assert "wrong-key" not in str(caught.value.body)
    for key in ("right-key-1", "right-key-2"):
        with connect(server, key) as client:
            assert client.models.list().data


def test_a_full_queue_is_its_internal_server_error_with_retry_after(
    serve: Callable[..., Server],
) -> None:
    """503 CAPACITY_EXCEEDED says when to come back."""
    server = serve("--max-sequences", "1", "--max-waiting", "1")
    with connect(server) as client:
        held = [
            client.chat.completions.create(
                model=MODEL,
                messages=HI,
                max_tokens=600,
                stream=True,
                extra_body={"ignore_eos": True},
            )
        ]
        with pytest.raises(openai.InternalServerError) as caught:
            # The first runs; the second waits, and so sends no headers yet: it needs a thread.
            _ask_until_refused(server)
        for stream in held:
            stream.close()
    assert caught.value.status_code == 503
    assert caught.value.code == "CAPACITY_EXCEEDED"
    assert int(caught.value.response.headers["retry-after"]) >= 1


def _ask_until_refused(server: Server) -> None:
    def ask() -> None:
        with connect(server) as client:
            client.chat.completions.create(model=MODEL, messages=HI, max_tokens=2)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        done, _ = wait(asked, return_when=FIRST_EXCEPTION)
        server.process.kill()  # lets the one that waits go
    for future in done:
        future.result()


def test_an_error_inside_a_stream_is_its_api_error(serve: Callable[..., Server]) -> None:
    """What fails after the stream has begun arrives as an error event, and raises."""
    server = serve("--request-timeout", "2")
    with connect(server) as client, pytest.raises(openai.APIError) as caught:
        for _ in client.chat.completions.create(
            model=MODEL,
            messages=HI,
            max_tokens=3000,
            stream=True,
            extra_body={"ignore_eos": True},
        ):
            pass
    assert caught.value.code == "TIMEOUT_ERROR"
