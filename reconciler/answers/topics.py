"""What each safety rule, each error and each everyday question means, in words for the person who has to act.

Read by `explain` without any network. A rule or an error code without a topic is a failing test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.planning.rules import Rule


class TopicKind(StrEnum):
    """What a topic is about."""

    RULE = "safety rule"
    ERROR = "error"
    QUESTION = "question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One thing that can be looked up: what it means, why it is so, what to do."""

    name: str
    kind: TopicKind
    means: str
    why: str
    do: str


_RULES: Mapping[Rule, tuple[str, str, str]] = {
    Rule.SOURCE_EMPTY: (
        (
            "INFIMA lists no client at all, or fewer than half of the clients that mappings.yaml names, or gives the "
            "users of none of them."
        ),
        "That is how an outage or a key with fewer rights looks. Missing is not zero: nothing at all is written.",
        (
            "Run `reconciler doctor`: is it the right INFIMA_API_KEY, a partner-level one? Most clients left for good: "
            "reconciler apply --allow source-empty --reason '...'."
        ),
    ),
    Rule.SOURCE_DROPPED: (
        "The sum of all counts fell by more than limits.max_total_decrease_percent permits.",
        (
            "Many clients shrinking in one night is rarely true, and often a source that answers badly. After a loss "
            "of the state there are no earlier counts to compare with; the plan then warns that nothing was checked."
        ),
        (
            "Look at a few clients in INFIMA. If it is true: "
            "reconciler apply --allow source-dropped --reason '...' for one run."
        ),
    ),
    Rule.MANY_CREATES: (
        "More Subscriptions would be created than limits.max_creates permits.",
        "A lost state, a shifted spreadsheet column or another HaloPSA all look like many new mappings.",
        (
            "On a first run it is expected: "
            "reconciler apply --allow many-creates --reason '...', or apply in parts with --only."
        ),
    ),
    Rule.WRONG_TENANT: (
        "The state belongs to another HaloPSA or another INFIMA partner, or all known Subscriptions vanished.",
        "Ids of one HaloPSA mean other things in another one: everything would be written to strangers.",
        (
            "Check HALO_URL, INFIMA_API_KEY and --state. After a real move: "
            "reconciler apply --allow wrong-tenant --reason '...'."
        ),
    ),
    Rule.HALO_UNFIT: (
        "A probe of this HaloPSA found that it cannot be written safely, such as an update that resets other members.",
        "Every quantity that is written would do damage which no later run can see or mend.",
        (
            "It cannot be lifted. Send probe.json to the project, and after an update of HaloPSA ask again: "
            "reconciler probe --customer ID. docs/probe.md tells what each answer means."
        ),
    ),
    Rule.AMOUNTS_DROP: (
        "The decreases of one run add up to more money a month than limits.max_total_decrease permits.",
        "Many small falls, none beyond its own limit, can still be a large hole in the month's billing.",
        (
            "Look at the largest falls in INFIMA. If they are true: "
            "reconciler apply --allow amounts-drop --reason '...' for one run."
        ),
    ),
    Rule.AMOUNTS_RISE: (
        "The increases of one run add up to more money a month than limits.max_total_increase permits.",
        "A source that counts too many bills many customers a little too much, and each of them complains.",
        (
            "Look at the largest rises in INFIMA. If they are true: "
            "reconciler apply --allow amounts-rise --reason '...' for one run."
        ),
    ),
    Rule.ZERO: (
        "INFIMA counts nobody where the quantity in HaloPSA is above 0.",
        "A client that lost all its users overnight has usually lost its directory sync, not its people.",
        (
            "Ask the client. If it is true: quantity: {allow_zero: true} in mappings.yaml for those that may be empty, "
            "retired: true for one that has left, or reconciler apply --allow zero:KEY --reason '...' for one run."
        ),
    ),
    Rule.DECREASE: (
        "The quantity would fall by more users and by more per cent than limits.max_decrease permits.",
        "A large fall is more often a broken directory sync than a fact, and under-billing is noticed late.",
        "Look at the client's users in INFIMA. If it is true: reconciler apply --allow decrease:KEY --reason '...'.",
    ),
    Rule.INCREASE: (
        "The quantity would rise by more users and by more per cent than limits.max_increase permits.",
        "A directory sync that takes in guests and shared mailboxes looks like this, and the customer gets the bill.",
        "Look at the client's users in INFIMA. If it is true: reconciler apply --allow increase:KEY --reason '...'.",
    ),
    Rule.AMOUNT_DECREASE: (
        (
            "The monthly amount would fall by more than limits.max_decrease.amount, or the file limits falls by amount "
            "and this mapping's unit price is not known in that currency."
        ),
        "Few users can be much money. Where the price is not known the limit cannot be judged, so it holds.",
        (
            "Look at the client's users in INFIMA, or write its price into mappings.yaml. If it is true: "
            "reconciler apply --allow amount-decrease:KEY --reason '...'."
        ),
    ),
    Rule.AMOUNT_INCREASE: (
        (
            "The monthly amount would rise by more than limits.max_increase.amount, or the file limits rises by amount "
            "and this mapping's unit price is not known in that currency."
        ),
        "Few users can be much money. Where the price is not known the limit cannot be judged, so it holds.",
        (
            "Look at the client's users in INFIMA, or write its price into mappings.yaml. If it is true: "
            "reconciler apply --allow amount-increase:KEY --reason '...'."
        ),
    ),
    Rule.CLIENT_MISSING: (
        "INFIMA does not list the client that the mapping names.",
        "It was deleted or archived, or the key may not see it. Missing is not zero, so the quantity stays.",
        (
            "If the client has left, set retired: true; otherwise restore it in INFIMA. It cannot be lifted: there is "
            "no number to write."
        ),
    ),
    Rule.CUSTOMER_INACTIVE: (
        "The HaloPSA customer is inactive, or is not among the customers any more.",
        "Nobody should be billed more under a customer that was closed.",
        (
            "Activate the customer in HaloPSA, or set retired: true to bring the quantity to 0. For one run: "
            "reconciler apply --allow customer-inactive:KEY --reason '...'."
        ),
    ),
    Rule.CUSTOMER_UNKNOWN: (
        "A Subscription would be created for a customer that HaloPSA does not list.",
        "The id is mistyped, or the Agent may not see the customer. Nobody can say whom it would bill.",
        "Correct halo_customer (reconciler customers SEARCH), or let the Agent see it. It cannot be lifted.",
    ),
    Rule.NAME_MISMATCH: (
        "A new Subscription would be created, and a name in mappings.yaml is not the live name of that id.",
        "The id decides, and a mistyped id would bill a stranger: the name is the second witness.",
        (
            "Correct the id or the name in mappings.yaml; if both are right: "
            "reconciler apply --allow name-mismatch:KEY --reason '...'."
        ),
    ),
    Rule.NAME_SWAPPED: (
        "A name in mappings.yaml is the live name of another client or customer than the id beside it.",
        "Two ids that were swapped bill each of two customers for the other; the name is the witness that tells.",
        (
            "The hold names both lines and what to write there. After a real renaming write today's name beside the "
            "id. If both are right as they stand: reconciler apply --allow name-swapped:KEY --reason '...'."
        ),
    ),
    Rule.CLIENT_UNREADABLE: (
        "The client's users could not be read completely.",
        "Half a list is no list: a number from it would be too small.",
        "Run again. If it stays, see whether the key may read this client; the other mappings go on meanwhile.",
    ),
    Rule.SUBSCRIPTION_GONE: (
        "The mapping's Subscription was deleted or made inactive in HaloPSA, or its end date has passed.",
        "A person did that. It is never re-created silently: a new one bills only once it is on a recurring invoice.",
        (
            "Restore it in HaloPSA, or move its end date. Or give it up: "
            "reconciler resolve KEY --recreate --reason '...'; or retired: true."
        ),
    ),
    Rule.MOVED: (
        "The Subscription belongs to another customer than the mapping says.",
        "Either somebody moved it in HaloPSA, or halo_customer was changed in the file. One of them is wrong.",
        (
            "Move it back, or correct halo_customer. To bill another customer from now on give the mapping a new key, "
            "and keep the old key with retired: true."
        ),
    ),
    Rule.IDENTITY_CONFLICT: (
        "File, state and marker name different Subscriptions, or one that cannot be this mapping's.",
        "The program never guesses which of two Subscriptions is meant.",
        "Look at the ids named. Decide with: reconciler adopt KEY ID --reason '...', or correct subscription_id.",
    ),
    Rule.DUPLICATE_MARKER: (
        "Two or more live Subscriptions carry the mapping's marker.",
        "Somebody copied one, or a create took effect twice. None of them is touched.",
        "Delete the wrong one in HaloPSA, or decide with: reconciler adopt KEY ID --reason '...'.",
    ),
    Rule.SAME_NAME: (
        (
            "The customer already has a Subscription with the name that a new one would get, live or not; or another "
            "mapping of the same customer has or gets one of that name."
        ),
        "It may be the one that is billed today; a second one would bill the customer twice.",
        (
            "If it is the one: reconciler adopt KEY ID --reason '...', or subscription_id in mappings.yaml. Two "
            "clients that are billed as one: infima_clients in one mapping. If it is another: "
            "reconciler apply --allow same-name:KEY --reason '...'."
        ),
    ),
    Rule.RESEMBLES: (
        (
            "The customer has a live Subscription that no mapping has and that may be this one under another name: "
            'two words of the template are in its name, or "infima".'
        ),
        "People name Subscriptions as they like; a second one beside it would bill the customer twice.",
        (
            "If it is the one: reconciler adopt KEY ID --reason '...'. If it is something else: "
            "reconciler apply --allow resembles:KEY --reason '...'."
        ),
    ),
    Rule.STATE_LOST: (
        (
            "The state does not know Subscriptions that carry markers of this file: it was lost, or another one was "
            "named. A mapping without a marker may have a Subscription all the same."
        ),
        (
            "What was adopted carries no marker, so that a lost state cannot tell it from what was never made. Each "
            "mapping stays held, run after run, until a person has decided it."
        ),
        (
            "Name the right state with --state. Else decide each mapping: reconciler adopt KEY ID --reason '...' where "
            "the customer has a Subscription; where it has none: "
            "reconciler apply --allow state-lost:KEY --reason '...'."
        ),
    ),
    Rule.ATTEMPT_OPEN: (
        "A create was sent, no usable answer came, and nothing shows yet whether it took effect.",
        (
            "A second create could make a second Subscription. It is looked for in every run until it is found, or "
            "until settings.settle_hours have passed."
        ),
        (
            "Wait; or look in HaloPSA yourself: reconciler resolve KEY --adopt ID --reason '...', or "
            "reconciler resolve KEY --abandon --reason '...'. Without a terminal add --yes."
        ),
    ),
    Rule.FALLING: (
        "The quantity would fall, and fewer nights in a row have counted that than limits.decrease_nights asks for.",
        "One bad night of a source looks like people who have left; several in a row hardly ever do.",
        (
            "Wait: the next nights decide by themselves. If it is right and cannot wait, approve it in mappings.yaml "
            "(reconciler approve KEY), or for one run: --allow falling:KEY --reason '...'."
        ),
    ),
    Rule.CONTRACT_EXPIRED: (
        "The last day of a fixed quantity is over.",
        "What was agreed no longer holds, and what holds now has to be agreed by people. Other mappings go on.",
        (
            "Agree with the customer, then edit the quantity in mappings.yaml: a later until, another fixed, or delete "
            "fixed, reason and until to count users again."
        ),
    ),
    Rule.STATE_NOT_DURABLE: (
        "A Subscription would be created in CI while the state is a directory that dies with the job.",
        "Without a kept record of what was sent, a lost answer could lead to a second Subscription.",
        (
            "Use --state git:reconciler-state, or name a directory that is kept. Updates go on as they are. For one "
            "run: reconciler apply --allow state-not-durable --reason '...'."
        ),
    ),
}

_ERRORS: Mapping[str, tuple[str, str, str]] = {
    "error": (
        "Something this program reports that has no narrower name.",
        "The message says what.",
        "Follow the line below the message.",
    ),
    "usage": (
        "The command line or an environment variable is wrong. Exit code 64.",
        "Nothing was read or written.",
        "Add --help to the command; `reconciler doctor` checks the variables.",
    ),
    "config": (
        "mappings.yaml has problems.",
        "An invalid file leads to no request at all.",
        "`reconciler validate` shows every problem with line and column, and how to fix it.",
    ),
    "plan-file": (
        "A saved plan cannot be read, or was made from another file, for other systems, or too long ago.",
        "A saved plan may only take writes away, never add one; so it has to fit.",
        "Make a new one: reconciler plan --out FILE",
    ),
    "decision-refused": (
        "What adopt or resolve was told does not fit what HaloPSA, the state and mappings.yaml say.",
        "A wrong binding bills the wrong customer, or bills twice.",
        "The message names the fact that is against it. Change that fact, or name another id.",
    ),
    "state": (
        "The state (bindings, journal, history) cannot be read or written.",
        "Nothing is sent before its record is on disk.",
        "Look at the path or branch in the message: rights, space, network. Losing the state loses no money.",
    ),
    "state-locked": (
        "Another run holds the state.",
        "Two runs at once could judge by each other's halves.",
        "The message names the holder and since when. Wait, or end that process: the lock ends with it.",
    ),
    "state-conflict": (
        "Somebody else changed the state in between.",
        "Compare-and-set: who comes second has to look again.",
        "Run again. If it stays, `reconciler explain KEY` shows what is recorded.",
    ),
    "api": (
        "INFIMA or HaloPSA did not give what is needed.",
        "The message names the system, the request and what came back.",
        "`reconciler doctor` tries each right on its own.",
    ),
    "connect-failed": (
        "No connection was made: name, network or certificate.",
        "The request surely never left this machine.",
        "Check HALO_URL and INFIMA_URL, the network, a proxy that is in the way (proxies are not used).",
    ),
    "response-lost": (
        "The connection broke after the request may have been sent.",
        "A read is sent again; a write is not, because it may have taken effect.",
        "Run again: the next run looks at what is there and goes on from it.",
    ),
    "deadline": (
        "The time for a request or for the whole run is over.",
        "A run that hangs would hide that no quantity is brought up to date.",
        "Run again. For large files raise settings.run_timeout_minutes in mappings.yaml.",
    ),
    "not-authorised": (
        "401: the key or the token was not accepted.",
        "In HaloPSA a 401 far oftener means a missing permission than a wrong secret.",
        "`reconciler doctor` names the right; check that the application's login type is Agent, and the role's rights.",
    ),
    "forbidden": (
        "403: the key or the Agent's role lacks a right.",
        "Needed are: customers read, software licensing read and modify, invoices read. Nothing more.",
        "`reconciler doctor` shows which one is missing.",
    ),
    "not-found": (
        "404: nothing is at that address.",
        "Usually HALO_URL or HALO_AUTH_URL points somewhere else; for one object, it was deleted.",
        "Open HALO_URL in a browser: it should be your HaloPSA.",
    ),
    "rate-limited": (
        "429, for longer than waiting is permitted.",
        "HaloPSA counts requests in a rolling window, and other integrations count too.",
        "Run later, or lower settings.halo_budget in mappings.yaml.",
    ),
    "server-failed": (
        "The server failed (408 or 5xx), and asking again did not help.",
        "It is the vendor's side.",
        "Run later. What was under way is found and finished by the next run.",
    ),
    "rejected": (
        "The server refused the request, with words of its own in the message.",
        "A definite no, without effect.",
        "Read the server's words. If they make no sense, report them with the request named in the message.",
    ),
    "unreadable-answer": (
        "An answer that is not what the contract says: a web page, a redirect, a number that is no number.",
        "What is not plainly right is refused, never guessed.",
        "Check the URLs. A maintenance page looks like this too: run later.",
    ),
    "answer-too-large": (
        "An answer of more than 10 MiB, even where a list was asked for in pages of ten rows.",
        "So much is never read: it would fill the memory, and no page of a list should be as large.",
        "Look at what answers at that address, and whether somebody has put files into a text field of these rows.",
    ),
    "incomplete-read": (
        "A list that cannot be read completely: rows are missing, repeated or changing.",
        "A number from half a list would be wrong, so nothing is decided from it.",
        "Run again when nobody is changing the list.",
    ),
    "request-forbidden": (
        "A request that is not on the list of permitted ones. Nothing was sent.",
        "It is a bug in this program, and the list is there to catch it.",
        "Please report it.",
    ),
    "unexpected": (
        "Something broke inside this program after a request that writes had left. Exit code 4.",
        "It is a bug here. What was sent and what HaloPSA shows is told for every change, as far as it is known.",
        "Look at the changes that are told as unknown, run again, and report the kind and place that the error names.",
    ),
    "interrupted": (
        "Somebody, or the CI runner, asked to stop. Exit code 130.",
        "The write in flight was finished and recorded, no new one was started.",
        "Run again: it goes on from there.",
    ),
}

_QUESTIONS: Mapping[str, tuple[str, str, str]] = {
    "not-updated": (
        "One client's quantity did not change last night.",
        "It is held, fixed or bounded by its rule, retired, not mapped, or INFIMA's number did not change.",
        "`reconciler explain KEY_OR_NAME` tells which; `reconciler status` lists all that are held.",
    ),
    "invoice-zero": (
        "The invoice shows 0, or no line at all, though the Subscription has a quantity.",
        (
            "A Subscription bills only through a recurring invoice line that takes its quantity. That line is made by "
            "hand in HaloPSA, once. An invoice that was made before the sync keeps its old number."
        ),
        "`reconciler check-invoices` lists the Subscriptions that are on no recurring invoice.",
    ),
    "renamed": (
        "The Subscription, the customer or the client was renamed.",
        "That is fine. Ids decide, names never do; plan tells it as a warning, and nothing is held.",
        "Nothing to do. Bring the names in mappings.yaml up to date when convenient.",
    ),
    "deleted": (
        "The Subscription was deleted in HaloPSA.",
        (
            "The mapping is held (subscription-gone): a new one is never made silently, since it has to be attached to "
            "a recurring invoice by hand."
        ),
        "Restore it; or reconciler resolve KEY --recreate --reason '...'; or retired: true in mappings.yaml.",
    ),
    "customer-not-found": (
        "A customer does not appear in `customers` or `map`.",
        "HaloPSA needs a minute to index a new customer, and inactive ones are left out.",
        "Try again in a minute, with fewer letters, or with --inactive. The Agent must be allowed to read customers.",
    ),
}


def topics() -> tuple[Topic, ...]:
    """Everything that can be looked up: rules, then errors, then questions."""
    found = [_topic(str(rule), TopicKind.RULE, text) for rule, text in _RULES.items()]
    found += [_topic(code, TopicKind.ERROR, text) for code, text in _ERRORS.items()]
    found += [_topic(name, TopicKind.QUESTION, text) for name, text in _QUESTIONS.items()]
    return tuple(found)


def find_topic(name: str) -> Topic | None:
    """The topic of that name, whatever its case; spaces and underscores count as hyphens."""
    folded = "-".join(name.casefold().replace("_", " ").split())
    return next((topic for topic in topics() if topic.name == folded), None)


def _topic(name: str, kind: TopicKind, text: tuple[str, str, str]) -> Topic:
    means, why, do = text
    return Topic(name=name, kind=kind, means=means, why=why, do=do)
