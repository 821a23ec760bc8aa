"""HaloPSA's answers as they come, one request each: for `probe`, which asks what no documentation tells (DESIGN 15).

What may leave is narrower than what an apply may send: new rows of the probe's own name at the one customer, with the
quantity 0 or 1, and changes of rows that it has itself read under that name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.errors import ApiError, ConnectFailed, RequestForbidden
from reconciler.http.decoding import text_of, whole_number
from reconciler.http.transport import Reply, Transport
from reconciler.http.waiting import Deadline, RateLimiter
from reconciler.model import SUBSCRIPTION_TYPE, HaloCustomerId, Json, MarkerField
from reconciler.providers.halo_rows import MAY_GO_ALONG
from reconciler.providers.halo_token import HaloToken, authorised

PROBE_NAME = "reconciler probe, may be deleted"
"""What every Subscription of a probe is called, with a word of its own behind it."""

UNKNOWN_ID = 987_654_321
"""An id that no row has; a probe sends it only after HaloPSA has answered 404 to it."""

NO_NUMBER = "not a number"
"""A quantity that no HaloPSA can take: the bad row of a batch where an unknown id is none."""

MARKER_FIELDS = tuple(field.value for field in MarkerField if field is not MarkerField.NONE)
_OF_A_CREATE = {"id", "type", "client_id", "name", "count", *MARKER_FIELDS}
_TOKEN_TRIES = 5


class RawHalo:
    """Sends single requests and returns whatever comes back. Every request counts, the token's too."""

    def __init__(
        self, *, origin: str, transport: Transport, token: HaloToken, limiter: RateLimiter, deadline: Deadline
    ) -> None:
        self._origin = origin
        self._transport = transport
        self._limiter = limiter
        self._deadline = deadline
        self.token = token
        self.customer: HaloCustomerId | None = None
        self._own: dict[int, Mapping[str, Json]] = {}

    @property
    def sent(self) -> int:
        """How many requests have left so far."""
        return self._limiter.admitted

    def has_room(self, most: int) -> bool:
        """True while one more request, and a token that has to be asked for several times, stay within `most`."""
        return self.sent + _TOKEN_TRIES < most

    def is_own(self, row: Mapping[str, Json]) -> bool:
        """True for a row that a probe made at this customer."""
        return row.get("client_id") == self.customer and text_of(row.get("name")).startswith(PROBE_NAME)

    def learn(self, row: Mapping[str, Json]) -> int | None:
        """Keep a row that HaloPSA has just shown, where it is a probe's own: from now on it may be changed."""
        number = whole_number(row.get("id"), least=1)
        if number is None or not self.is_own(row):
            return None
        self._own[number] = dict(row)
        return number

    def shown(self, number: int) -> Mapping[str, Json]:
        """A probe's own row as HaloPSA showed it last; empty where it did not."""
        return self._own.get(number, {})

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Reply:
        """One read. Raises `ApiError` where no answer came."""
        return self._transport.look(authorised(self.token.bearer(), "GET", self._origin, path, query=tuple(query)))

    def post(self, body: bytes) -> Reply:
        """One write, sent exactly once. Raises `ConnectFailed` where it never left, another `ApiError` in doubt."""
        for row in json.loads(body):
            self._check(row)
        try:
            token = self.token.bearer(for_write=True)
        except ApiError as exc:
            raise ConnectFailed(f"Not sent, because there is no token: {exc.message}", hint=exc.hint) from exc
        return self._transport.write(authorised(token, "POST", self._origin, "/api/SoftwareLicence", body=body))

    def wait(self, seconds: float, reason: str) -> None:
        """Wait, saying why. Raises `DeadlineExceeded` and `Interrupted` as every wait does."""
        self._deadline.wait(seconds, reason)

    def asks_to_wait(self, reply: Reply) -> float | None:
        """How many seconds an answer asks to wait; None where it does not say, or says something absurd."""
        return self._transport.asks_to_wait(reply)

    def _check(self, row: Mapping[str, Any]) -> None:
        """Refuse everything but a probe's own rows. Nothing of a customer's can be sent by a bug elsewhere."""
        number, count = row.get("id"), row.get("count")
        small = type(count) is int and count in (0, 1)
        if type(number) is int and number in self._own:
            besides = {name: value for name, value in row.items() if name not in {"id", "count"}}
            unchanged = all(self._own[number].get(name) == value for name, value in besides.items())
            fits = set(besides) <= MAY_GO_ALONG and unchanged and (small or count == NO_NUMBER)
        else:
            new = number in {None, UNKNOWN_ID} and self.is_own(row) and row.get("type") == SUBSCRIPTION_TYPE
            fits = new and set(row) <= _OF_A_CREATE and small
        if not fits:
            raise RequestForbidden(
                "A probe may only write Subscriptions of its own, with the quantity 0 or 1. Nothing was sent.",
                hint="This is a bug in reconciler: please report it.",
            )
