"""The dead man's switch: an address that is called after each good night, and raises the alarm when it is not."""

from __future__ import annotations

import re
from random import Random

from reconciler.errors import ApiError, UsageError
from reconciler.http.redaction import Redactor
from reconciler.http.transport import Call, Route, Transport, TransportFactory
from reconciler.http.waiting import Deadline, Retries
from reconciler.providers.credentials import parse_address

VARIABLE = "DEAD_MANS_SWITCH_URL"
_SECONDS = 20.0


def ping(url: str, *, deadline: Deadline, factory: TransportFactory, rng: Random) -> None:
    """Call the address. Raises `UsageError` for one that cannot be used, `ApiError` when it does not answer.

    The address is a secret (whoever knows it can keep the alarm silent), so no message holds it.
    """
    try:
        address = parse_address(url, port=True)
    except ValueError as exc:
        raise UsageError(f"{VARIABLE} {exc}.", hint="Give the address as the monitoring service shows it.") from exc
    path = address.path or "/"
    transport = Transport(
        system="The dead man's switch",
        routes=[Route(method="GET", origin=address.origin, path=re.compile(re.escape(path)))],
        factory=factory,
        deadline=deadline,
        rng=rng,
        timeout=_SECONDS,
        redactor=Redactor(),
    )
    try:
        call = Call(method="GET", origin=address.origin, path=path)
        Retries(deadline=deadline, rng=rng).run(
            lambda: _call(transport, call), reason="The dead man's switch did not answer. Trying again."
        )
    except ApiError as exc:  # its own message would show the address: only its kind is told
        raise ApiError(
            f"The dead man's switch could not be told that the night went well ({exc.code}).",
            system="The dead man's switch",
            hint=f"Check {VARIABLE} and the monitoring service; without the call it will raise its alarm.",
        ) from None
    finally:
        transport.close()


def _call(transport: Transport, call: Call) -> None:
    error = transport.complaint(call, transport.write(call))
    if error is not None:
        raise error
