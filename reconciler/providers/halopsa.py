"""HaloPSA: where quantities go. Facts about its API are in the fact sheet, sections 2 to 6."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from threading import Lock

from reconciler.errors import ApiError, ConnectFailed, Forbidden, IncompleteRead, NotAuthorised, UnreadableAnswer
from reconciler.http.redaction import Redactor
from reconciler.http.transport import Call, Query, Route, Transport
from reconciler.http.waiting import Deadline, RateLimiter
from reconciler.model import HaloCustomer, Json, Settings, Subscription, SubscriptionId
from reconciler.providers.base import CountWrite, NewSubscription, Refused, Unclear, WriteAnswer, WriteRequest
from reconciler.providers.credentials import HaloCredentials
from reconciler.providers.halo_rows import counts_body, create_body, customer_of, judge, sent_rows, subscription_of
from reconciler.providers.halo_token import HaloToken, authorised
from reconciler.providers.listing import ListPage, PagedList, ReadPool, Row, page_from, row_id

SYSTEM = "HaloPSA"
PAGE_ROWS = 1_000
"""Rows to ask for; a server that grants fewer is followed."""

_INACTIVE_TOO = (("includeinactive", "true"),)
_CONNECT_HINT = (
    "Check HALO_CLIENT_ID and HALO_CLIENT_SECRET, that the application is active and its login type is Agent (or "
    "Application Identity, with roles), and HALO_TENANT where your HaloPSA is hosted."
)
_SCOPES = {
    "/api/SoftwareLicence": "edit:softwarelicensing",
    "/api/Client": "read:customers",
    "/api/RecurringInvoice": "read:invoices",
}
_ROLE = "on the Agent's role (with login type Application Identity: on the application's roles)"
_RIGHTS = {
    "/api/SoftwareLicence": "the scopes edit:softwarelicensing and read:softwarelicensing, ticked on the application's "
    f'Permissions tab, and {_ROLE} Software Licensing "Read and Modify"',
    "/api/Client": f"the scope read:customers, ticked on the application's Permissions tab, and {_ROLE} Customers read",
    "/api/RecurringInvoice": "the scope read:invoices, ticked on the application's Permissions tab, and "
    f"{_ROLE} Invoices read",
}


def halo_routes(credentials: HaloCredentials) -> tuple[Route, ...]:
    """Everything that may ever be asked of HaloPSA: reads, the token, and one kind of write."""
    origin = credentials.url.origin
    routes = [
        ("GET", r"/api/SoftwareLicence(/[0-9]{1,10})?"),
        ("POST", r"/api/SoftwareLicence"),
        ("GET", r"/api/Client(/[0-9]{1,10})?"),
        ("GET", r"/api/RecurringInvoice(/-?[0-9]{1,10})?"),
    ]
    return (
        *(Route(method=method, origin=origin, path=re.compile(path)) for method, path in routes),
        Route(method="POST", origin=credentials.auth_url.origin, path=re.compile(re.escape(credentials.auth_url.path))),
    )


def halo_hint(call: Call, status: int) -> str:
    """The next step for a failed call. 401 and 403 mean a missing permission far oftener than a bad token (2.5)."""
    right = next((needed for path, needed in _RIGHTS.items() if call.path.startswith(path)), "")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "Check HALO_URL: it must be the address that answers by itself."
    match status:
        case 429:
            hint = "Something else uses HaloPSA's request limit too: lower settings.halo_budget in mappings.yaml."
        case 401 | 403 if right:
            hint = f"The application probably lacks a right: it needs {right}."
        case 404 if call.path in _RIGHTS:
            hint = "Check HALO_URL: there is no HaloPSA at this address."
        case 400 | 401 | 403 | 500 if not right:
            hint = _CONNECT_HINT
        case 200 | 404 if not right:
            hint = "Check HALO_AUTH_URL: it must be the token endpoint, usually HALO_URL/auth/token."
        case _:
            hint = ""
    return hint


class HaloTarget:
    """Implements `SubscriptionTarget`, which says what its methods promise, and what `doctor` asks besides."""

    def __init__(
        self,
        *,
        credentials: HaloCredentials,
        transport: Transport,
        token: HaloToken,
        pool: ReadPool,
        deadline: Deadline,
        limiter: RateLimiter,
        redactor: Redactor,
        settings: Settings,
    ) -> None:
        self._origin = credentials.url.origin
        self._transport = transport
        self._token = token
        self._pool = pool
        self._deadline = deadline
        self._limiter = limiter
        self._redactor = redactor
        self._marker = settings.marker_field
        self._lock = Lock()
        self._known: Mapping[int, Mapping[str, Json]] = {}
        self._rows_to_ask: dict[str, int] = {}  # what this run has learned of the lists at these paths:
        self._counts_lists: set[str] = set()  # there `record_count` is that of the list, not of the page
        self._invoice_requests = 0

    # -- reading ------------------------------------------------------------------------------------------------------

    def customers(self) -> tuple[HaloCustomer, ...]:
        return self._customers(_INACTIVE_TOO)

    def find_customers(self, search: str, *, include_inactive: bool = False) -> tuple[HaloCustomer, ...]:
        return self._customers((("search", search), *(_INACTIVE_TOO if include_inactive else ())))

    def subscriptions(self) -> tuple[Subscription, ...]:
        rows = self._list("SoftwareLicence", "licences", "list of Subscriptions", _INACTIVE_TOO)
        found = tuple(sorted((subscription_of(row, self._marker) for row in rows), key=lambda one: one.id))
        self._remember(found)
        return found

    def subscription(self, subscription_id: SubscriptionId) -> Subscription:
        path = f"/api/SoftwareLicence/{int(subscription_id)}"
        found = subscription_of(self._object(path), self._marker)
        if found.id != subscription_id:
            raise UnreadableAnswer(f"HaloPSA answered with another Subscription (GET {path}).", system=SYSTEM)
        self._remember((found,))
        return found

    @property
    def invoice_requests(self) -> int:
        """How many requests for recurring invoices were sent so far; a repeated one counts once."""
        return self._invoice_requests

    def recurring_invoices(self, most_requests: int | None = None) -> tuple[Mapping[str, Json], ...]:
        """All recurring invoices as HaloPSA gives them, inactive ones included; ids are negative (fact sheet, 5).

        Lines are asked for; not every instance gives them in a list (fact sheet, 11). Raises `IncompleteRead` where the
        list takes more than `most_requests` requests.
        """
        begun = self._invoice_requests

        def count() -> None:
            if most_requests is not None and self._invoice_requests - begun >= most_requests:
                message = f"HaloPSA's list of recurring invoices takes more than {most_requests} requests."
                raise IncompleteRead(message, system=SYSTEM, hint="To look at all of them: reconciler check-invoices")
            self._count_invoice_request()

        query, name = (("includelines", "true"), *_INACTIVE_TOO), "list of recurring invoices"
        return tuple(self._list("RecurringInvoice", "invoices", name, query, least_id=-(2**31), before=count))

    def recurring_invoice(self, invoice_id: int) -> Mapping[str, Json]:
        self._count_invoice_request()
        return self._object(f"/api/RecurringInvoice/{invoice_id:d}", (("includedetails", "true"),))

    @property
    def granted_scopes(self) -> frozenset[str] | None:
        """The scopes that HaloPSA says it granted; None where it does not say. Asks for a token if there is none."""
        return self._token.scopes

    # -- writing ------------------------------------------------------------------------------------------------------

    def prepare_create(self, new: NewSubscription) -> WriteRequest:
        return create_body(new, self._marker)

    def prepare_counts(self, writes: Sequence[CountWrite], *, along: Sequence[str] = ()) -> WriteRequest:
        return counts_body(writes, self._known, along)

    def send(self, request: WriteRequest) -> WriteAnswer:
        """Send a prepared write exactly once, whatever the answer; never raises an `ApiError`.

        The token is settled before, as a read is, so that what remains is a single POST.
        """
        sent = sent_rows(request, self._known)
        try:
            token = self._token.bearer(for_write=True)
        except ApiError as exc:
            return Refused(status=None, message=f"Not sent, because there is no token: {exc.message}")
        call = authorised(token, "POST", self._origin, "/api/SoftwareLicence", body=request.body)
        try:
            reply = self._transport.write(call)
        except ConnectFailed as exc:
            return Refused(status=None, message=exc.message)
        except ApiError as exc:
            return Unclear(status=None, message=exc.message)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            self._token.reject(token)
        return judge(reply, sent, self._redactor.hide, self._transport.asks_to_wait(reply))

    def wait(self, seconds: float, reason: str) -> None:
        self._deadline.wait(seconds, reason)

    def await_budget(self, requests: int) -> None:
        self._token.bearer(for_write=True)
        self._limiter.await_room(requests)
        self._token.bearer(for_write=True)  # the wait may have aged the token; a renewal then takes one of the slots
        self._limiter.await_room(requests)

    def _count_invoice_request(self) -> None:
        with self._lock:
            self._invoice_requests += 1

    # -- pieces -------------------------------------------------------------------------------------------------------

    def _customers(self, query: Query) -> tuple[HaloCustomer, ...]:
        rows = self._list("Client", "clients", "list of customers", query)
        return tuple(sorted((customer_of(row) for row in rows), key=lambda one: one.id))

    def _list(
        self,
        resource: str,
        envelope: str,
        name: str,
        query: Query,
        *,
        least_id: int = 1,
        before: Callable[[], None] = lambda: None,
    ) -> list[Row]:
        """All rows of a list, in the order of their ids as far as HaloPSA keeps to what is asked.

        `before` is called before each page is asked for, and may raise.
        Raises `Forbidden` before asking where the token answer itself says that the right was not granted: a plan that
        no apply could carry out is not shown as one (FAULTS H16).
        """
        path = f"/api/{resource}"
        if self._token.lacks(_SCOPES[path]):
            message = f"HaloPSA's token does not grant {_SCOPES[path]}, which was asked for."
            hint = f"In HaloPSA, on the application's Permissions tab, tick it: it needs {_RIGHTS[path]}."
            raise Forbidden(message, system=SYSTEM, request=f"GET {path}", hint=hint)

        def fetch(start: int, size: int) -> ListPage:
            before()
            number = str(start // size + 1)
            paging = (("pageinate", "true"), ("page_no", number), ("page_size", str(size)))
            answer = self._read(path, (*paging, ("order", "id"), ("orderdesc", "false"), *query))
            return page_from(answer, rows=envelope, total="record_count", system=SYSTEM, name=name)

        identify = partial(row_id, system=SYSTEM, name=name, least=least_id)
        return PagedList(
            system=SYSTEM, name=name, fetch=fetch, identify=identify,
            ask=self._rows_to_ask.get(path, PAGE_ROWS), on_smaller=lambda size: self._rows_to_ask.update({path: size}),
            total_is_sure=path in self._counts_lists, on_sure=lambda: self._counts_lists.add(path),
            parallel=self._pool.map,
        ).read()  # fmt: skip

    def _object(self, path: str, query: Query = ()) -> Row:
        answer = self._read(path, query)
        if not isinstance(answer, dict):
            raise UnreadableAnswer(f"HaloPSA gave something other than one object (GET {path}).", system=SYSTEM)
        return answer

    def _read(self, path: str, query: Query) -> Json:
        """Read with the token; where Subscriptions are refused, once more with a token for `read:softwarelicensing`."""
        try:
            return self._read_with_token(path, query)
        except (NotAuthorised, Forbidden):
            if not path.startswith("/api/SoftwareLicence") or not self._may_read_with_more():
                raise
        return self._read_with_token(path, query)

    def _may_read_with_more(self) -> bool:
        try:
            return self._token.ask_to_read_licences()
        except ApiError:  # the refusal of the list says more than that there is no second token
            return False

    def _read_with_token(self, path: str, query: Query) -> Json:
        """A 401 renews the token and asks once more; the second 401 speaks of permissions."""
        token = self._token.bearer()
        try:
            return self._transport.read(authorised(token, "GET", self._origin, path, query=query))
        except NotAuthorised:
            self._token.reject(token)
        return self._transport.read(authorised(self._token.bearer(), "GET", self._origin, path, query=query))

    def _remember(self, subscriptions: Sequence[Subscription]) -> None:
        with self._lock:
            self._known = {**self._known, **{int(one.id): one.raw for one in subscriptions}}
