"""What the token's answer says, and what answers tell of the request limit."""

from __future__ import annotations

from reconciler.http.decoding import WireNumber
from reconciler.model import Json
from reconciler.probing.questions import Question
from reconciler.probing.report import NO, YES, yes_if
from reconciler.probing.session import ProbeSession
from reconciler.providers.halo_token import READ_LICENCES

LONGEST_LIFE = 10_000_000
"""Seconds: a token that is said to live for longer than four months is not believed."""


def sign_in(session: ProbeSession) -> None:
    """The token's lifetime and scopes, from the answer that the first read needed."""
    token = session.halo.token
    form = lifetime_form(token.lifetime, stated=token.states_lifetime)
    seconds = token.lifetime if form == "true" and isinstance(token.lifetime, int) else None
    told = f"{seconds} s" if seconds is not None else f"it is: {form}"
    value = {"seconds": seconds} if seconds is not None else form
    session.tell(Question.TOKEN_LIFETIME, yes_if(form == "true"), told, value=value)
    granted = token.scopes
    if granted is None:
        session.tell(Question.TOKEN_SCOPES, NO, "it names none", value="unnamed")
    else:
        missing = () if "all" in granted else tuple(sorted(set(token.asked) - granted))
        told = f"not granted: {', '.join(missing)}" if missing else "all of them"
        session.tell(Question.TOKEN_SCOPES, yes_if(not missing), told, value=missing)
    if granted is not None and {READ_LICENCES, "all"} & granted and READ_LICENCES not in token.asked:
        session.cannot(Question.EDIT_READS, "the token was granted more than was asked for")
    else:
        session.tell(Question.EDIT_READS, YES, "the listing was given")


def lifetime_form(lifetime: Json, *, stated: bool) -> str:
    """How the token's answer gives its lifetime: true, absent, zero, text, float, huge, negative or other."""
    match lifetime:
        case None:
            form = "other" if stated else "absent"
        case bool():
            form = "other"
        case str():
            form = "text"
        case WireNumber():
            form = "float"
        case 0:
            form = "zero"
        case int() as seconds:
            form = "negative" if seconds < 0 else "huge" if seconds > LONGEST_LIFE else "true"
        case _:
            form = "other"
    return form


def limits(session: ProbeSession) -> None:
    """Headers of all answers; a limit that was not met is not looked for."""
    names = tuple(sorted(session.limit_headers - {"retry-after"}))
    told = f"{', '.join(names)}" if names else f"none of {session.answers} answers had one"
    session.tell(Question.LIMIT_HEADERS, yes_if(bool(names)), told, value=names)
    met = session.throttled
    if met is None:
        for question in (Question.LIMIT_RETRY_AFTER, Question.LIMIT_BODY):
            session.cannot(question, "the limit was not met, and a probe does not run into it on purpose")
        return
    kind, body = met.retry_after, met.exchange.body
    told = f"Retry-After: {kind}"
    session.tell(Question.LIMIT_RETRY_AFTER, yes_if(kind in {"seconds", "date"}), told, value=kind, by=met.exchange)
    form = "string" if isinstance(body, str) else "object" if body else "empty"
    session.tell(Question.LIMIT_BODY, yes_if(body), f"the body was: {form}", value=form, by=met.exchange)
