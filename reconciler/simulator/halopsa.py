"""HaloPSA's API over the world: which request goes where, who may ask what, the token, customers and invoices."""

from __future__ import annotations

import base64
import operator
import re
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs

import httpx

from reconciler.simulator.answers import Query, empty, encode, not_valid, oauth_error, paged, raw, reply
from reconciler.simulator.licences import delete_licence, list_licences, read_licence, write_licences
from reconciler.simulator.records import Endpoint, Row
from reconciler.simulator.world import World

_ROUTES: tuple[tuple[str, str, Endpoint, str | None], ...] = (
    ("POST", r"/auth/token", Endpoint.TOKEN, None),
    ("GET", r"/api/softwarelicence", Endpoint.LICENCES, "read:softwarelicensing"),
    ("POST", r"/api/softwarelicence", Endpoint.WRITE, "edit:softwarelicensing"),
    ("GET", r"/api/softwarelicence/[^/]+", Endpoint.LICENCE, "read:softwarelicensing"),
    ("DELETE", r"/api/softwarelicence/[^/]+", Endpoint.DELETE, "edit:softwarelicensing"),
    ("GET", r"/api/client", Endpoint.CUSTOMERS, "read:customers"),
    ("GET", r"/api/client/[^/]+", Endpoint.CUSTOMER, "read:customers"),
    ("GET", r"/api/recurringinvoice", Endpoint.INVOICES, "read:invoices"),
    ("GET", r"/api/recurringinvoice/[^/]+", Endpoint.INVOICE, "read:invoices"),
    ("GET", r"/api/licencechange", Endpoint.CHANGES, "read:softwarelicensing"),
)
_NEEDED = {endpoint: scope for *_, endpoint, scope in _ROUTES}


def endpoint_of(method: str, path: str) -> Endpoint:
    """What a request to Halo is for; routes do not care about case."""
    plain = path.lower().rstrip("/")
    found = (endpoint for wanted, route, endpoint, _ in _ROUTES if method == wanted and re.fullmatch(route, plain))
    return next(found, Endpoint.OTHER)


def answer(world: World, request: httpx.Request) -> httpx.Response:
    """The plain answer to a request, faults aside."""
    path = request.url.path.rstrip("/")
    endpoint = endpoint_of(request.method, path)
    if endpoint is Endpoint.TOKEN:
        return _token(world, request)
    if not path.lower().startswith("/api/"):
        return empty(404)
    if path.lower() == "/api/authinfo":
        origin = str(request.url.copy_with(path="/", query=None, fragment=None)).rstrip("/")
        return reply(200, {"auth_url": f"{origin}/auth", "tenant_id": world.credentials.halo_tenant})
    if path.lower() == "/api/instanceinfo":
        return reply(200, {"version": "2.250.32", "product": "HaloPSA"})
    if refusal := _over_limit(world) or _refuse(world, request, endpoint):
        return refusal
    query, last = Query(request), path.rsplit("/", 1)[-1]
    answers: dict[Endpoint, Callable[[], httpx.Response]] = {
        Endpoint.LICENCES: lambda: list_licences(world, query),
        Endpoint.LICENCE: lambda: read_licence(world, query, last),
        Endpoint.WRITE: lambda: write_licences(world, request),
        Endpoint.DELETE: lambda: delete_licence(world, last),
        Endpoint.CUSTOMERS: lambda: _customers(world, query),
        Endpoint.CUSTOMER: lambda: _one(world.customers, last),
        Endpoint.INVOICES: lambda: _invoices(world, query),
        Endpoint.INVOICE: lambda: _one(world.invoices, last),
        Endpoint.CHANGES: lambda: _changes(world, query),
    }
    # Neighbouring resources and their writes need scopes that a quantity sync does not hold.
    return answers.get(endpoint, lambda: empty(403))()


# ---- who may ask ----------------------------------------------------------------------------------------------------


def _token(world: World, request: httpx.Request) -> httpx.Response:  # noqa: PLR0911 - one a refusal
    switches, known = world.switches, world.credentials
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return oauth_error(400, "invalid_request", "The form was not found.")
    form = {name: values[-1] for name, values in parse_qs(request.content.decode("utf-8", "replace")).items()}
    tenant = request.url.params.get("tenant", form.get("tenant"))
    if tenant is None and switches.tenant_required:
        return oauth_error(400, "invalid_request", "The tenant is missing.")
    if tenant is not None and tenant != known.halo_tenant:
        return empty(500)
    if form.get("grant_type") != "client_credentials":
        return oauth_error(400, "unsupported_grant_type", "The grant type is not supported.")
    if (form.get("client_id"), form.get("client_secret")) != (known.halo_client_id, known.halo_client_secret):
        return oauth_error(401, "invalid_client", "The client credentials are not valid.")
    asked = form.get("scope", "").split()
    if not set(asked) <= set(switches.application_scopes):
        return oauth_error(400, "invalid_scope", "A scope is unknown or not allowed for this application.")
    expires = world.clock.now() + timedelta(seconds=switches.token_seconds)
    granted = [scope for scope in asked if scope not in switches.scopes_withheld]
    token = world.issue_token(frozenset(granted), expires)
    claims = base64.urlsafe_b64encode(encode({"sub": "21", "name": "API Agent"})).decode().rstrip("=")
    body: Row = {"access_token": token, "token_type": "Bearer", "id_token": f"e30.{claims}.none"}
    if asked and switches.scope_in_token_answer:
        body["scope"] = " ".join(granted)
    if switches.expires_in != "absent":
        body["expires_in"] = _expires_in(switches.expires_in, switches.token_seconds)
    return reply(200, body)


def _expires_in(form: str, seconds: float) -> object:
    forms = {"zero": 0, "text": str(int(seconds)), "float": float(seconds), "huge": 10**12, "negative": -1}
    return forms.get(form, int(seconds))


def _refuse(world: World, request: httpx.Request, endpoint: Endpoint) -> httpx.Response | None:
    scheme, _, name = request.headers.get("Authorization", "").partition(" ")
    token = world.tokens.get(name) if scheme.lower() == "bearer" else None
    if token is None or token.expires <= world.clock.now():
        return empty(401)
    needed = _NEEDED.get(endpoint)
    if needed is None:
        return None
    enough = {needed, needed.replace("read:", "edit:")} if world.switches.edit_implies_read else {needed}
    if not enough & token.scopes:
        return empty(401 if not token.scopes else world.switches.missing_scope_status)
    return empty(403) if needed in world.switches.agent_lacks else None


def _over_limit(world: World) -> httpx.Response | None:
    """The 429 when the rolling window is full; requests that were refused do not count into it."""
    switches = world.switches
    if switches.rate_limit is None:
        return None
    now = world.clock.now()
    while world.accepted and (now - world.accepted[0]).total_seconds() >= switches.rate_window_seconds:
        world.accepted.popleft()
    if len(world.accepted) < switches.rate_limit:
        world.accepted.append(now)
        return None
    free_at = world.accepted[0] + timedelta(seconds=switches.rate_window_seconds)
    wait = max(1, int((free_at - now).total_seconds()) + 1)
    after = {"seconds": str(wait), "date": format_datetime(free_at, usegmt=True), "absurd": "1000000000"}
    return too_many(world, after.get(switches.retry_after))


def too_many(world: World, retry_after: str | None) -> httpx.Response:
    """A 429 with the body that the world's switch asks for, and with Retry-After where one is given."""
    message, form = "Rate Limit Reached - 300 Requests per rolling 5 minute window", world.switches.rate_body
    body = {"string": encode(message), "object": encode({"error": message}), "empty": b""}[form]
    response = raw(429, body)
    if retry_after is not None:
        response.headers["Retry-After"] = retry_after
    return response


# ---- customers, invoices, changes -----------------------------------------------------------------------------------


def _customers(world: World, query: Query) -> httpx.Response:
    rows = sorted(world.customers.values(), key=lambda row: int(row["id"]))
    if not query.flag("includeinactive", default=False) and query.text("activeinactive") is None:
        rows = [row for row in rows if not row.get("inactive")]
    words = (query.text("search") or query.text("search_name_only") or "").casefold()
    if words and world.switches.search != "ignored":
        matches = operator.eq if world.switches.search == "exact" else operator.contains
        rows = [row for row in rows if matches(str(row["name"]).casefold(), words)]
    if world.switches.customer_currency is not None:
        rows = [{**row, "clientcurrency": world.switches.customer_currency} for row in rows]
    return paged(world, query, "clients", rows)


def _one(rows: dict[int, Row], text: str) -> httpx.Response:
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        return not_valid("id", text)
    row = rows.get(int(text))
    return empty(404) if row is None else reply(200, row)


def _invoices(world: World, query: Query) -> httpx.Response:
    rows = [dict(row) for _, row in sorted(world.invoices.items())]
    wanted = {each for name in ("client_id", "client_ids") for each in (query.text(name) or "").split(",") if each}
    if wanted:
        rows = [row for row in rows if str(row["client_id"]) in wanted]
    form = world.switches.invoice_lines_in_list if query.flag("includelines", default=False) else "none"
    for row in rows:
        lines = row.pop("lines", [])
        if form == "filled":
            row["lines"] = lines
        elif form == "bare":
            row["lines"] = [{k: v for k, v in line.items() if not k.startswith("quantity_")} for line in lines]
    return paged(world, query, "invoices", rows)


def _changes(world: World, query: Query) -> httpx.Response:
    """Halo's own change log of one licence, newest last."""
    wanted = query.text("licence_id")
    changes = [
        {
            "id": mutation.number * 100 + place,
            "licence_id": mutation.object_id,
            "field_id": place,
            "field_name": name,
            "old_value": "" if old is None else str(old),
            "new_value": "" if new is None else str(new),
            "who": "API Agent" if mutation.actor == "api" else "Dana Fields",
            "datetime": mutation.time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
            "user_id": 0,
            "user_name": "",
        }
        for mutation in world.mutations
        if mutation.kind == "licence" and mutation.action != "create" and str(mutation.object_id) == wanted
        for place, (name, (old, new)) in enumerate(mutation.changes.items(), start=1)
    ]
    return reply(200, {"changes": changes})
