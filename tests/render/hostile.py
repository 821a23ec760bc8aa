"""Names as an attacker would choose them, and plans full of them (FAULTS 2.8, T12)."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from reconciler.model import MAX_COUNT, HaloCustomerId, InfimaClient, InfimaClientId, SubscriptionId
from reconciler.planning.changes import Action, Change, Plan, UnmanagedSubscription, Violation
from reconciler.planning.rules import Level, Rule
from tests.builders import build_change, build_hold, build_mapping, build_plan

LISTED = (
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31mred",
    "a\rPlan: 0 to create",
    "line\nbreak",
    "para\u2029graph\u2028line",
    "\u202egnp.exe\u2066",
    "zero\u200bwidth\u200d\ufeff",
    "soft\u00adhyphen",
    "\ue000private",
    "lone\ud800surrogate",
    "nul\x00",
    "\x85next",
    "::error file=a::b",
    "  ::add-mask::secret",
    "x,line=1,title=y::z%0A::error::",
    "##[error]x",
    "##vso[task.complete result=Succeeded;]",
    "a::::b####[group]",
    "@octo/team",
    "mail@acme.example",
    "#1",
    "acme/repo#1",
    "GH-1",
    "JIRA-12",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    "!1 %1 $1 &1 ~bug",
    "https://evil.example",
    "www.evil.example",
    "mailto:a@acme.example",
    "[x](https://evil.example)",
    "![x](https://evil.example/p.png)",
    "[x]: https://evil.example",
    "<https://evil.example>",
    "<img src=x onerror=alert(1)>",
    "<!-- comment",
    "</details></table>",
    "&lt;script&gt;",
    "a | b \\| c",
    "`code` ``` fence",
    "~~~\nfence",
    "**bold** __u__ ~~s~~ $x$",
    "> quote",
    "# heading",
    "- list",
    "1. list",
    ":tada: :smile:",
    "\\",
    "=cmd|'/c calc'!A1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    '"=1',
    " =1",
    "\uff1d1\uff0b\uff0d\uff20",
    "[link=https://evil.example]x[/link]",
    "{{ 7*7 }} ${7*7} %(x)s {0}",
    "e\u0301" * 50,
    "o" + "\u0335" * 500,
    "x" * 5000,
    "\u5b57" * 100,
    "",
    " ",
)

_PIECES = [piece for name in LISTED for piece in (name, name[:3], name[-3:])] + list("abc |`*_[]()<>#@:!\\\n\x1b\u202e")


def thousand_names(seed: int = 20261122) -> list[str]:
    """The listed names and random mixtures of their parts, a thousand in all."""
    mix = random.Random(seed)  # noqa: S311 - reproducible, not secret
    mixed = ["".join(mix.choices(_PIECES, k=mix.randint(1, 6))) for _ in range(1000 - len(LISTED))]
    return [*LISTED, *mixed]


names = st.one_of(st.sampled_from(LISTED), st.text(max_size=30), st.text(alphabet=st.characters(), max_size=10))
counts = st.integers(min_value=0, max_value=MAX_COUNT)
ids = st.integers(min_value=1, max_value=MAX_COUNT)
mapping_rules = st.sampled_from([rule for rule in Rule if rule.level is Level.MAPPING])


@st.composite
def changes(draw: st.DrawFn, key: str) -> Change:
    """One change as `diff` and `safety.check` can leave it."""
    mapping = build_mapping(
        draw(ids), draw(ids), name=draw(names), customer_name=draw(names), key=key, subscription_name=draw(names)
    )
    hold = build_hold(draw(mapping_rules), draw(names), draw(names)) if draw(st.booleans()) else None
    caused_by = draw(st.sampled_from([None, "mappings", "counts", "drift"]))
    if draw(st.booleans()):
        after = draw(st.none() | counts) if hold else draw(counts)
        return build_change(
            mapping, subscription=None, after=after, action=Action.CREATE, hold=hold, caused_by=caused_by
        )
    before, after = draw(counts), draw(counts)
    return build_change(
        mapping, before=before, after=after, subscription=draw(ids), hold=hold, caused_by=caused_by, rule=draw(names)
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A whole plan with hostile names everywhere."""
    keys = draw(st.lists(st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True), unique=True, max_size=6))
    rows = [draw(changes(key)) for key in keys]
    held = [row for row in rows if row.hold]
    violations = [
        Violation(
            rule=row.hold.rule, name=row.key, message=row.hold.message, remedy=row.hold.remedy, measured=draw(counts)
        )
        for row in held
        if row.hold
    ]
    if draw(st.booleans()):
        allowed = draw(st.none() | names)
        violations.append(
            Violation(rule=Rule.SOURCE_DROPPED, name="", message=draw(names), remedy=draw(names), allowed=allowed)
        )
    return build_plan(
        *rows,
        violations=tuple(violations),
        unmapped=tuple(
            InfimaClient(id=InfimaClientId(draw(ids)), name=draw(names), user_count=draw(st.none() | counts))
            for _ in range(draw(st.integers(0, 2)))
        ),
        unmanaged=tuple(
            UnmanagedSubscription(
                id=SubscriptionId(draw(ids)),
                key=draw(names),
                name=draw(names),
                customer_id=HaloCustomerId(draw(ids)),
                customer_name=draw(names),
                count=draw(st.none() | counts),
            )
            for _ in range(draw(st.integers(0, 2)))
        ),
        warnings=tuple(draw(st.lists(names, max_size=2))),
        complete=draw(st.booleans()),
    )
