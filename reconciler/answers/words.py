"""Words that all answers and drawings share: days, invoices, edits in HaloPSA, names with ids, whole sentences."""

from __future__ import annotations

from datetime import date, datetime

from reconciler.model import ClientRef, CustomerRef, HaloCustomer, InfimaClient, Mapping
from reconciler.names import same_name
from reconciler.planning.changes import CountedClient


def day_words(moment: datetime | date) -> str:
    """ "26 Nov 2026"."""
    return f"{moment.day} {moment:%b %Y}"


def in_days(day: date, today: date, *, short: bool = False) -> str:
    """How far away a day is: "in 3 days (2026-12-02)", or short: "2 Dec (in 3 days)"."""
    left = (day - today).days
    when = "today" if left == 0 else "tomorrow" if left == 1 else f"in {left} days"
    return f"{day.day} {day:%b} ({when})" if short else f"{when} ({day.isoformat()})"


def due_words(next_invoice: date | None, today: date) -> str:
    """ "before the invoice of 1 Dec (in 2 days)"; empty where no day is known."""
    return "" if next_invoice is None else f"before the invoice of {in_days(next_invoice, today, short=True)}"


def edited_words(live: int | None, since: datetime | None, counted: int | None, counted_then: int | None) -> str:
    """ "changed in HaloPSA to 20 since the run of 26 Nov; INFIMA still counts 12"."""
    when = f"since the run of {since.day} {since:%b}" if since else "since the last run"
    still = " still" if counted is not None and counted == counted_then else ""
    counts = "" if counted is None else f"; INFIMA{still} counts {counted}"
    return f"changed in HaloPSA to {'an unknown number' if live is None else live} {when}{counts}"


def fixed_beside(fixed: int | None, listed: int | None) -> str:
    """What INFIMA lists, where that is not what the contract says; empty where it is, or is not known."""
    return "" if listed is None or listed == fixed else f" (INFIMA's client list says {listed} users)"


def named(one: InfimaClient | HaloCustomer | ClientRef | CustomerRef | CountedClient) -> str:
    """ "Acme Dental (12)"."""
    return f"{one.name} ({one.id})"


def who_of(mapping: Mapping) -> str:
    """The names of a mapping's clients and of its customer."""
    clients = " + ".join(client.name for client in mapping.infima_clients)
    customer = mapping.halo_customer.name
    return customer if same_name(clients, customer) else f"{clients} -> {customer}"


def as_step(text: str) -> str:
    """A next step as a sentence; where it ends with a command, no full stop gets into what is pasted."""
    text = text.strip()
    return text if text.startswith("reconciler ") else capital(text)


def as_sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    return sentence(capital(text.strip()))


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends with a mark of its own or is empty."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def plural(number: int, noun: str) -> str:
    """ "1 change", "2 changes", "3 quantities"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s".replace("itys", "ities")
