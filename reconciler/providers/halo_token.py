"""HaloPSA's bearer token: asked for with exactly the needed scopes, renewed in time, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from threading import RLock
from urllib.parse import urlencode

from reconciler.clock import Clock
from reconciler.errors import Rejected, UnreadableAnswer
from reconciler.http.redaction import Redactor
from reconciler.http.transport import Call, Query, Transport
from reconciler.model import Json
from reconciler.providers.credentials import HaloCredentials, Secret

SCOPES = ("read:customers", "read:invoices", "edit:softwarelicensing")
"""The least that the work needs; the same three that INFIMA's own integration asks for (halopsa.md 2.4)."""

READ_LICENCES = "read:softwarelicensing"
"""Asked for as well where HaloPSA lists no Subscriptions without it: whether edit implies read is not known (H31)."""

PERMISSIONS_TAB = "In HaloPSA: Configuration > Integrations > Halo PSA API > the application > Permissions"

_ASSUMED_LIFE = 600.0  # seconds, where expires_in is absent or absurd; a 401 renews in any case
_LONGEST_LIFE = 86_400.0
_RENEW_AT = 0.8  # of the token's life
_BEFORE_WRITE = 300.0  # seconds that must be left before a write, or half of a shorter life
_MAX_TOKEN = 16_384


class HaloToken:
    """Keeps one access token. Safe to use from several threads: one of them renews, the others wait for it."""

    def __init__(self, *, credentials: HaloCredentials, transport: Transport, clock: Clock, redactor: Redactor) -> None:
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._redactor = redactor
        self._lock = RLock()
        self._token: Secret | None = None
        self._asked_at = 0.0
        self._life = 0.0
        self._scopes: frozenset[str] | None = None
        self.asked: tuple[str, ...] = SCOPES  # the scopes that are asked for
        self._read_is_refused = False
        self.lifetime: Json = None  # as the newest answer states it, whatever that is
        self.states_lifetime = False

    def bearer(self, *, for_write: bool = False) -> Secret:
        """The token to send now, renewed at 80 % of its life, or when a write would run close to its end."""
        with self._lock:
            age, life = self._clock.monotonic() - self._asked_at, self._life
            ends_too_soon = for_write and life - age < min(_BEFORE_WRITE, life / 2)
            if self._token is None or age >= life * _RENEW_AT or ends_too_soon:
                self._token = self._renewed()
            return self._token

    def reject(self, token: Secret) -> None:
        """Forget this token because HaloPSA answered 401 to it; a newer one stays."""
        with self._lock:
            if self._token is token:
                self._token = None

    def ask_to_read_licences(self) -> bool:
        """Ask for `read:softwarelicensing` from now on; false where that has been tried, or HaloPSA refuses it."""
        with self._lock:
            if self._read_is_refused or READ_LICENCES in self.asked:
                return False
            self.asked = (*SCOPES, READ_LICENCES)
            self._token = None
            self.bearer()
            return READ_LICENCES in self.asked

    def lacks(self, scope: str) -> bool:
        """True when the token answer names what it grants, and this is not among it."""
        granted = self.scopes
        return granted is not None and not {scope, "all"} & granted

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes that the token answer names; None where it names none."""
        self.bearer()
        return self._scopes

    def _renewed(self) -> Secret:
        asked_at = self._clock.monotonic()
        answer = self._answer()
        members = answer if isinstance(answer, dict) else {}
        token = _token_of(members)
        self._redactor.learn(token)
        self._asked_at = asked_at
        self._life = _life_of(members.get("expires_in"))
        self.lifetime, self.states_lifetime = members.get("expires_in"), "expires_in" in members
        scope = members.get("scope")
        self._scopes = frozenset(scope.split()) if isinstance(scope, str) and scope.strip() else None
        return Secret(token)

    def _answer(self) -> Json:
        """The token endpoint's answer. Where a scope is refused, says which: each is asked for by itself."""
        try:
            return self._transport.read(self._call(self.asked))
        except Rejected as error:
            if error.oauth_error != "invalid_scope":
                raise
            if READ_LICENCES in self.asked:
                self.asked, self._read_is_refused = SCOPES, True
                return self._answer()
            refused = [scope for scope in SCOPES if self._is_refused(scope)]
            wanted = ", ".join(refused or (*SCOPES, READ_LICENCES))
            error.hint = f"{PERMISSIONS_TAB}: tick {wanted}. The client id and the secret are good."
            raise

    def _is_refused(self, scope: str) -> bool:
        try:
            self._transport.read(self._call((scope,)))
        except Rejected as error:
            return error.oauth_error == "invalid_scope"
        return False

    def _call(self, scopes: tuple[str, ...]) -> Call:
        known, address = self._credentials, self._credentials.auth_url
        form = {
            "grant_type": "client_credentials",
            "client_id": known.client_id.reveal(),
            "client_secret": known.client_secret.reveal(),
            "scope": " ".join(scopes),
        }
        return Call(
            method="POST",
            origin=address.origin,
            path=address.path,
            query=(("tenant", known.tenant),) if known.tenant else (),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode("ascii"),
        )


def authorised(token: Secret, method: str, origin: str, path: str, *, query: Query = (), body: bytes = b"") -> Call:
    """A request that carries the token, and JSON where it has a body."""
    headers = {"Authorization": f"Bearer {token.reveal()}"} | ({"Content-Type": "application/json"} if body else {})
    return Call(method=method, origin=origin, path=path, query=query, headers=headers, body=body)


def _token_of(members: Mapping[str, Json]) -> str:
    """The access token; it must be able to stand in a header, and be a bearer token where a type is named."""
    token, kind = members.get("access_token"), members.get("token_type")
    fit = isinstance(token, str) and 0 < len(token) <= _MAX_TOKEN and all("!" <= c <= "~" for c in token)
    if not fit or not isinstance(token, str) or (kind is not None and str(kind).lower() != "bearer"):
        raise UnreadableAnswer(
            "HaloPSA's token answer holds no usable bearer token.",
            system="HaloPSA",
            hint="Check HALO_AUTH_URL: it must be the token endpoint, usually HALO_URL/auth/token.",
        )
    return token


def _life_of(expires_in: Json) -> float:
    """Seconds that the token lives: what HaloPSA says where that is a sensible number."""
    if isinstance(expires_in, str) and expires_in.isdecimal() and expires_in.isascii():
        expires_in = int(expires_in[:9])
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or expires_in <= 0:
        return _ASSUMED_LIFE
    return min(float(expires_in), _LONGEST_LIFE)
