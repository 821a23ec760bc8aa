"""`reconciler doctor`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import SystemRandom
from textwrap import wrap
from typing import TypeVar

import click

from reconciler.answers.doctor import (
    Check,
    check_clients,
    check_clock,
    check_counters,
    check_habits,
    check_last_run,
    check_marker,
    check_probe,
    check_proxy,
    check_scopes,
    check_state,
    connected,
    failed,
    from_error,
    ok,
    sample_of,
    skipped,
    verdict,
)
from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import safe, say, show_json
from reconciler.cli.past import zone_of
from reconciler.cli.wiring import load, now, open_store, progress, without_halo, without_infima
from reconciler.clock import SystemClock
from reconciler.errors import ConfigError, ExitCode, ReconcilerError, UsageError
from reconciler.http.connections import kept_connections
from reconciler.http.wire import read_proxy, unused_proxy
from reconciler.model import Mappings, Recorded, Settings, Subscription, Tenant
from reconciler.providers.connect import ConnectedSystems, ServerDates, connect
from reconciler.providers.credentials import read_credentials
from reconciler.providers.halo_token import SCOPES

_MARKS = {"ok": ("\u2713", "+"), "failed": ("\u2717", "x"), "look": ("!", "!"), "skipped": ("-", "-")}

T = TypeVar("T")


@click.command()
@output_option("text", "json")
@common_options
@click.pass_obj
def doctor(options: CommonOptions, output: str) -> int:
    """Check both connections: file, variables, addresses, token, each right, counts, marker, state, clock.

    Every line says ok, look, failed or skipped, and what to do. It reads only, and never shows a secret. Exit code 0
    when connected, 1 when something failed.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE; RECONCILER_MAPPINGS, RECONCILER_STATE.

    \b
    Examples:
      reconciler doctor
      reconciler doctor -o json
    """
    visit = _Visit(options=options, drawn=output != "json")
    visit.run()
    if output == "json":
        show_json(
            {
                "connected": connected(visit.checks),
                "verdict": verdict(visit.checks),
                "checks": [
                    {"name": c.name, "status": c.status.value, "message": c.message, "fix": c.fix or None}
                    for c in visit.checks
                ],
            }
        )
    else:
        say("")
        say(verdict(visit.checks))
    return ExitCode.DONE if connected(visit.checks) else ExitCode.ERROR


@dataclass(slots=True, kw_only=True)
class _Visit:
    """One check-up: each part says its line as soon as it is known, and goes on after a failure."""

    options: CommonOptions
    drawn: bool
    checks: list[Check] = field(default_factory=list)
    mappings: Mappings | None = None
    partner: str | None = None
    halo_url: str | None = None
    listing: tuple[Subscription, ...] | None = None

    def run(self) -> None:
        dates = ServerDates(SystemClock())
        usable = self._file()
        halo, infima = self._variables()
        usable = self._network() and usable
        if usable:
            self._systems(dates, halo=halo, infima=infima)
        else:
            self._not_asked()
        self._state()

    def _systems(self, dates: ServerDates, *, halo: bool, infima: bool) -> None:
        if halo:
            self._halo(dates, infima=infima)
        else:
            self._skip("HaloPSA", "its variables are not complete")
        if infima:
            self._infima(dates, halo=halo)
        else:
            self._skip("INFIMA", "its variables are not complete")
        if halo or infima:
            self.tell(check_clock(dates.ahead))

    def _not_asked(self) -> None:
        for system in ("HaloPSA", "INFIMA"):
            self._skip(system, "mappings.yaml is not valid, and no request is made before it is")

    def tell(self, check: Check) -> None:
        """Keep a check and say it."""
        self.checks.append(check)
        if not self.drawn:
            return
        encoding = sys.stdout.encoding or "ascii"
        mark, plain = _MARKS[check.status.value]
        try:
            mark.encode(encoding)
        except UnicodeEncodeError:
            mark = plain
        _wrapped(f"{mark} {check.status.value:<7} {check.name}: ", check.message)
        if check.fix:
            _wrapped(" " * 12, check.fix)

    def attempt(self, name: str, read: Callable[[], T]) -> T | None:
        """The answer, or a failed check in its place."""
        try:
            return read()
        except ReconcilerError as error:
            self.tell(from_error(name, error))
            return None

    def _skip(self, name: str, why: str) -> None:
        self.tell(skipped(name, why))

    # -- here -----------------------------------------------------------------------------------------------------

    def _file(self) -> bool:
        """False where there is a file that is not valid: its settings say how the systems may be asked."""
        path = self.options.mappings
        try:
            self.mappings = load(self.options)
        except ConfigError as error:
            fix = "reconciler init starts one" if not path.exists() else "reconciler validate shows every problem"
            self.tell(failed("mappings.yaml", error.message.splitlines()[0], fix))
            return not path.exists()
        counted = f"{len(self.mappings.mappings)} mappings, {len(self.mappings.ignored)} ignored clients"
        self.tell(ok("mappings.yaml", f"{path} is valid: {counted}"))
        return True

    def _variables(self) -> tuple[bool, bool]:
        """Whether each system's variables are complete and well-formed. Values are never shown, addresses are."""
        complete = []
        for system, other in (("HaloPSA", without_infima(os.environ)), ("INFIMA", without_halo(os.environ))):
            name = f"{system} variables"
            try:
                known = read_credentials(other)
            except UsageError as error:
                for line in error.message.splitlines()[1:]:
                    self.tell(failed(name, line.strip(), "Set it in the shell or in the CI environment."))
                complete.append(False)
                continue
            address = known.halo.url if system == "HaloPSA" else known.infima.url
            self.tell(ok(name, f"set; {address}" + (" (plain http, this machine only)" if _plain(address) else "")))
            complete.append(True)
        return complete[0], complete[1]

    def _network(self) -> bool:
        """Whether RECONCILER_PROXY, SSL_CERT_FILE and SSL_CERT_DIR can be used."""
        proxy = self.attempt("Proxy", lambda: (read_proxy(os.environ),))
        if proxy is not None:
            self.tell(check_proxy(str(proxy[0] or ""), unused_proxy(os.environ)))
        certificates = proxy and self.attempt(
            "Certificates", lambda: (kept_connections(1)("https://halo.example.com"),)
        )
        return certificates is not None

    # -- there ----------------------------------------------------------------------------------------------------

    def _connect(self, dates: ServerDates, environ: Mapping[str, str]) -> ConnectedSystems:
        settings = self.mappings.settings if self.mappings else Settings()
        return connect(
            read_credentials(environ),
            settings,
            clock=SystemClock(self.options.stopper.event),
            observer=progress(self.options),
            rng=SystemRandom(),
            transport_factory=dates.noting(kept_connections(settings.concurrency + 1)),
        )

    def _halo(self, dates: ServerDates, *, infima: bool) -> None:
        with self._connect(dates, os.environ if infima else without_infima(os.environ)) as systems:
            self.halo_url, target = systems.halo_url, systems.target
            scopes = self.attempt("HaloPSA token", lambda: (target.granted_scopes,))
            if scopes is None:
                self._skip("HaloPSA rights", "there is no token")
                return
            self.tell(ok("HaloPSA token", f"{systems.halo_url} gave one; host and certificate are good"))
            self.tell(check_scopes(scopes[0], SCOPES))
            customers = self.attempt("Right: customers read", target.customers)
            if customers is not None:
                self.tell(ok("Right: customers read", f"{len(customers)} customers"))
            self.listing = self.attempt("Right: software licensing read", target.subscriptions)
            if self.listing is not None:
                mine = sum(s.is_subscription for s in self.listing)
                self.tell(ok("Right: software licensing read", f"{mine} Subscriptions"))
                self._modify(scopes[0])
            invoices = self.attempt("Right: invoices read", target.recurring_invoices)
            if invoices is not None:
                self.tell(ok("Right: invoices read", f"{len(invoices)} recurring invoices"))

    def _modify(self, scopes: frozenset[str] | None) -> None:
        if scopes is None or "edit:softwarelicensing" in scopes:
            why = 'only a write would show it; the Agent\'s role needs Software Licensing "Read and Modify"'
            self.tell(skipped("Right: software licensing modify", why))

    def _infima(self, dates: ServerDates, *, halo: bool) -> None:
        with self._connect(dates, os.environ if halo else without_halo(os.environ)) as systems:
            self.partner = self.attempt("INFIMA key", systems.source.partner)
            if self.partner is None:
                self._skip("INFIMA clients", "the key does not work")
                return
            self.tell(ok("INFIMA key", f"belongs to partner {self.partner}"))
            clients = self.attempt("INFIMA clients", systems.source.clients)
            if clients is None:
                return
            self.tell(check_clients(self.mappings, clients))
            sample = sample_of(self.mappings, clients)
            counts = self.attempt("INFIMA counts", lambda: systems.source.user_counts([c.id for c in sample]))
            if counts:
                self.tell(check_counters(sample, counts))

    # -- what is remembered ---------------------------------------------------------------------------------------

    def _state(self) -> None:
        read = self.attempt("State", self._read_state)
        if read is None:
            return
        recorded, location, unfinished = read
        tenant = None
        if self.halo_url is not None and self.partner is not None:
            tenant = Tenant(halo_url=self.halo_url, infima_partner=self.partner)
        if self.listing is not None:
            known = replace(recorded, halo=recorded.halo.of(self.halo_url or ""))
            self.tell(check_marker(self.mappings, known, self.listing))
        self.tell(check_state(recorded, location, tenant, unfinished=unfinished))
        self.tell(check_habits(recorded.halo.of(self.halo_url or "")))
        at = now().astimezone(zone_of(self.mappings))
        for check in check_probe(recorded, self.halo_url, at):
            self.tell(check)
        self.tell(check_last_run(recorded, at))

    def _read_state(self) -> tuple[Recorded, str, int]:
        store = open_store(self.options)
        recorded = store.read()
        store.prove_writable()
        return recorded, store.location, len(store.history.unfinished())


def _plain(address: object) -> bool:
    return str(address).startswith("http://")


def _wrapped(lead: str, text: str) -> None:
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    indent = " " * 12
    lines = wrap(safe(lead + text), width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    for line in lines:
        say(line)
