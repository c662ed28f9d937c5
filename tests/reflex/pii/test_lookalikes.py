"""What only looks like something is not found."""

import pytest

from support.findable import found


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111112",
        "5500 0000 0000 0005",
        "DE89 3704 0044 0532 0130 01",
        "GB29NWBK60161331926818",
        "1NEDqZPvTWRaoho48qXuLLsrYomMXPABfE",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp",
        "Tb1TLa2f6VPqDgRE67v1736s7bJ8Ray5wY",
        "TB1ABDGHKLNPQRSUVWXYZABDGHKLNPQRS",
        "LtcaN4qQyzXo8RJ7wLhVbGmE5tFkPd9",
        "54362315-Z",
        "RCCMNL83S18D969G",
        "PESEL 44051401358",
        "756.9217.0769.84",
        "BSN: 111252333",
        "880320-0018",
        "390.533.447-06",
        "CNP 1630615123458",
        "000-12-3456",
        "300.1.2.3",
        "sk-your-api-key-goes-right-here",
        "eyJub25lIjoxfQ.eyJzdWIiOiIxIn0.c2ln",
    ],
)
def test_a_wrong_check_digit_is_nothing(number: str) -> None:
    """One character away from something valid is not that."""
    assert not found(f"The reference is {number}, I believe.")


@pytest.mark.parametrize(
    "text",
    [
        "Version 1.2.3.4 runs on 127.0.0.1 since 2024-01-15T12:30:45Z.",
        "See request 550e8400-e29b-41d4-a716-446655440000, which took 1700000000000 ms.",
        "Clone git@github.com:acme/app.git, and see icon@2x.png for the rest.",
        "The ISBN is 978-3-16-148410-0, the order 123-1234567-1234567.",
        "pi is 3.14159265358979, the vector [0.1234, 0.5678, 52.5200, 13.4050].",
        "password: must be long. password = os.environ['PASSWORD']; password=getpass()",
        "Set api_key=YOUR_API_KEY or token=${TOKEN}; postgres://user:$PASSWORD@host/db",
        "She was born in a storm; the meeting is on 2024-01-15.",
        "std::vector and Face::add at 12:30:45, or a::b.",
        "Call me in 20 minutes, it takes 1234567 steps.",
        "9999 8888 7777 6666 5555 4444",
        "-----BEGIN PUBLIC KEY-----\nMIGf\n-----END PUBLIC KEY-----",
    ],
)
def test_what_only_looks_like_something_is_nothing(text: str) -> None:
    """Programs and papers are full of numbers."""
    assert not found(text)
