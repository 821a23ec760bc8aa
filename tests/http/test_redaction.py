"""No secret, whole, in part or disguised, survives in a message."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.http.redaction import Redactor

SECRET = 'k9+Vx/"canary"&€7Q=p'

secrets = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)


def hide(text: str, *known: str) -> str:
    redactor = Redactor()
    for secret in known or (SECRET,):
        redactor.learn(secret)
    return redactor.hide(text)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET[::-1],
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        SECRET.encode().hex(),
        b64encode(SECRET.encode()).decode(),
        SECRET[3:14],
    ],
)
def test_every_form_is_hidden(form: str) -> None:
    assert hide(f"before {form} after").startswith("before ***")
    assert hide(f"before {form} after").endswith(" after")


@given(secret=secrets, before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_no_eight_characters_of_the_middle_survive_base64_at_any_offset(
    secret: str, before: bytes, after: bytes
) -> None:
    text = b64encode(before + secret.encode() + after).decode()
    shown = hide(text, secret)
    start, end = (len(before) * 8 + 5) // 6, (len(before) + len(secret)) * 8 // 6
    inner = text[start:end]
    assert not [inner[i : i + 8] for i in range(len(inner) - 7) if inner[i : i + 8] in shown]


@given(secret=secrets, before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_eight_characters_of_the_secret_survive(secret: str, before: str, after: str) -> None:
    shown = hide(before + secret + after, secret)
    assert not [secret[i : i + 8] for i in range(len(secret) - 7) if secret[i : i + 8] in shown]


@given(text=st.text(alphabet="abcdef \n", max_size=60))
def test_other_text_stays_as_it_is(text: str) -> None:
    assert hide(text) == text


def test_a_short_secret_is_hidden_as_a_whole() -> None:
    assert hide("the pin1 is pin1", "pin1") == "the *** is ***"


def test_several_secrets_are_hidden() -> None:
    assert hide("a first-secret b other-secret c", "first-secret", "other-secret") == "a *** b *** c"
