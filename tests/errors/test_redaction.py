"""Secrets are blanked out of whatever an error shows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormproof.errors import redact

BODY = "a1B2c3D4e5F6g7H8i9J0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://me:hunter2@db/x", "postgres://[redacted]@db/x"),
        ("redis://:hunter2@cache", "redis://[redacted]@cache"),
        (f"Authorization: Bearer {BODY}", "Authorization: Bearer [redacted]"),
        (f"authorization: Basic {BODY}==", "authorization: Basic [redacted]"),
        ("password=hunter2", "password=[redacted]"),
        ('{"api_key": "hunter2", "n": 1}', '{"api_key": "[redacted]", "n": 1}'),
        (r"{\"api_key\": \"hunter2\"}", r"{\"api_key\": \"[redacted]\"}"),
        ("?access_token=abcdef&n=1", "?access_token=[redacted]&n=1"),
        ("?X-Amz-Signature=abcdef&n=1", "?X-Amz-Signature=[redacted]&n=1"),
        ("accessToken: abcdef0123", "accessToken: [redacted]"),
        ("set-cookie: session", "set-cookie: [redacted]"),
        (f"key sk-proj-{BODY} refused", "key [redacted] refused"),
        (f"sp-{'a_-Z' * 8} refused", "[redacted] refused"),
        (f"ghp_{BODY}", "[redacted]"),
        (f"github_pat_{BODY}", "[redacted]"),
        (f"hf_{BODY}", "[redacted]"),
        (f"GSK_{BODY}", "[redacted]"),
        (f"xoxb-{BODY}", "[redacted]"),
        (f"pk-{BODY}, RK-{BODY}", "[redacted], [redacted]"),
        (f"token {BODY}", "token [redacted]"),
        ("Passphrase: hunter2", "Passphrase: [redacted]"),
        ("private-key=hunter2", "private-key=[redacted]"),
        ("clientSecret=hunter2", "clientSecret=[redacted]"),
        ("ASIAABCDEFGHIJKLMNOP", "[redacted]"),
        (f"AIza{BODY}", "[redacted]"),
        ("AKIAABCDEFGHIJKLMNOP", "[redacted]"),
        (f"eyJ{BODY}.eyJ{BODY}.sig-nature_", "[redacted]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----!", "[redacted]!"),
        ("-----BEGIN PRIVATE KEY-----\nMII, cut", "[redacted]"),
    ],
)
def test_secrets_are_blanked(text: str, expected: str) -> None:
    """Secrets of known shapes go; what says which secret it was stays, on a second pass too."""
    assert redact(text) == expected
    assert redact(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "the token sequence is too long",
        "tokenization error: unknown token: hello",
        "max_tokens: 500, prompt_tokens=12",
        "a basic understanding of tokens",
        "https://example.org:8080/v1/models",
        "mail me@example.org",
        "secretary of state",
        "desk-chairs",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    """An error that blanks what it is about helps nobody."""
    assert redact(text) == text


def test_long_text_is_cut() -> None:
    assert redact("a" * 10_000) == "a" * 4096 + "…"


@given(st.text(), st.sampled_from([f"sk-{BODY}", f"password={BODY}", f"Bearer {BODY}"]), st.text())
@settings(deadline=None)
def test_a_secret_goes_whatever_stands_around_it(before: str, secret: str, after: str) -> None:
    """A boundary is enough; what follows or comes before does not bring the secret back."""
    assert BODY not in redact(f"{before} {secret} {after}")
