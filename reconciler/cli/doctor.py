"""`reconciler doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import SystemRandom
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
from reconciler.cli.output import say, say_wrapped, show_json
from reconciler.cli.past import zone_of
from reconciler.cli.wiring import load, now, open_store, progress, without_halo, without_infima
from reconciler.clock import SystemClock
from reconciler.errors import ConfigError, ExitCode, ReconcilerError, UsageError
from reconciler.http.connections import kept_connections
from reconciler.http.wire import read_proxy, unused_proxy
from reconciler.model import Mappings, Settings, Subscription, Tenant
from reconciler.providers.connect import ConnectedSystems, connect
from reconciler.providers.credentials import read_credentials
from reconciler.providers.halo_token import SCOPES
from reconciler.state.recorded import Recorded

_MARKS = {"ok": ("\u2713", "+"), "failed": ("\u2717", "x"), "look": ("!", "!"), "skipped": ("-", "-")}

_INDENT = 12

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
    connected: list[ConnectedSystems] = field(default_factory=list)
    mappings: Mappings | None = None
    partner: str | None = None
    halo_url: str | None = None
    listing: tuple[Subscription, ...] | None = None

    def run(self) -> None:
        """Check everything, in an order in which each part may use what those before it found."""
        file = self._file()
        halo, infima = self._variables()
        network = self._network()
        usable, both = file and network, halo and infima
        why = (
            "the proxy or the certificates do not work, see the line above"
            if file
            else "mappings.yaml is not valid, and no request is made before it is"
        )
        incomplete = "its variables are not complete"
        if usable and halo:
            self._halo(os.environ if both else without_infima(os.environ))
        else:
            self.tell(skipped("HaloPSA", incomplete if usable else why))
        if usable and infima:
            self._infima(os.environ if both else without_halo(os.environ))
        else:
            self.tell(skipped("INFIMA", incomplete if usable else why))
        if usable and (halo or infima):
            clocks = [ahead for each in self.connected for ahead in (each.clock_ahead(), each.source.clock_ahead)]
            known = [ahead for ahead in clocks if ahead is not None]
            self.tell(check_clock(max(known, key=abs, default=None)))
        self._state()

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
        say_wrapped(f"{mark} {check.status.value:<7} {check.name}: ", check.message, indent=_INDENT)
        if check.fix:
            say_wrapped(" " * _INDENT, check.fix, indent=_INDENT)

    def attempt(self, name: str, read: Callable[[], T], good: Callable[[T], str] | None = None) -> T | None:
        """The answer, told in the words of `good`, or a failed check in its place."""
        try:
            answer = read()
        except ReconcilerError as error:
            self.tell(from_error(name, error))
            return None
        if good is not None:
            self.tell(ok(name, good(answer)))
        return answer

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
            address = str(known.halo.url if system == "HaloPSA" else known.infima.url)
            plain = " (plain http, this machine only)" if address.startswith("http://") else ""
            self.tell(ok(name, f"set; {address}{plain}"))
            complete.append(True)
        return complete[0], complete[1]

    def _network(self) -> bool:
        """Whether RECONCILER_PROXY, SSL_CERT_FILE and SSL_CERT_DIR can be used."""
        proxy = self.attempt("Proxy", lambda: (read_proxy(os.environ),))
        if proxy is None:
            return False
        self.tell(check_proxy(str(proxy[0] or ""), unused_proxy(os.environ)))
        return self.attempt("Certificates", lambda: (kept_connections(1)("https://halo.example.com"),)) is not None

    # -- there ----------------------------------------------------------------------------------------------------

    def _connect(self, environ: Mapping[str, str]) -> ConnectedSystems:
        settings = self.mappings.settings if self.mappings else Settings()
        clock, observer = SystemClock(self.options.stopper.event), progress(self.options)
        systems = connect(read_credentials(environ), settings, clock=clock, observer=observer, rng=SystemRandom())
        self.connected.append(systems)
        return systems

    def _halo(self, environ: Mapping[str, str]) -> None:
        with self._connect(environ) as systems:
            self.halo_url, target = systems.halo_url, systems.target
            good = f"{systems.halo_url} gave one; host and certificate are good"
            scopes = self.attempt("HaloPSA token", lambda: (target.granted_scopes,), lambda _: good)
            if scopes is None:
                self.tell(skipped("HaloPSA rights", "there is no token"))
                return
            self.tell(check_scopes(scopes[0], SCOPES))
            self.attempt("Right: customers read", target.customers, lambda rows: f"{len(rows)} customers")
            self.listing = self.attempt(
                "Right: software licensing read",
                target.subscriptions,
                lambda rows: f"{sum(row.is_subscription for row in rows)} Subscriptions",
            )
            if self.listing is not None and (scopes[0] is None or "edit:softwarelicensing" in scopes[0]):
                why = 'only a write would show it; the Agent\'s role needs Software Licensing "Read and Modify"'
                self.tell(skipped("Right: software licensing modify", why))
            self.attempt(
                "Right: invoices read", target.recurring_invoices, lambda rows: f"{len(rows)} recurring invoices"
            )

    def _infima(self, environ: Mapping[str, str]) -> None:
        with self._connect(environ) as systems:
            source = systems.source
            self.partner = self.attempt("INFIMA key", source.partner, lambda partner: f"belongs to partner {partner}")
            if self.partner is None:
                self.tell(skipped("INFIMA clients", "the key does not work"))
                return
            clients = self.attempt("INFIMA clients", source.clients)
            if clients is None:
                return
            self.tell(check_clients(self.mappings, clients))
            sample = sample_of(self.mappings, clients)
            counts = self.attempt("INFIMA counts", lambda: source.user_counts([c.id for c in sample]))
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
