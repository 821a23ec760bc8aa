"""`reconciler explain`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import click

from reconciler.answers.attached import look_of
from reconciler.answers.explain import Story, Topic, answer, chapters, find_topic, next_step, topics
from reconciler.cli.options import CommonOptions, common_options, complete_keys_and_names, output_option
from reconciler.cli.output import Part, closest, did_you_mean, say, show_json, show_rows, tell
from reconciler.cli.status import look_now
from reconciler.cli.wiring import load, open_store, run_context
from reconciler.config import list_keys
from reconciler.errors import ApiError, ConfigError, UsageError
from reconciler.model import Json, Mapping, Mappings, Observation
from reconciler.names import folded as folded_name
from reconciler.names import same_name
from reconciler.plan import diff
from reconciler.plan_document.write import needs_json
from reconciler.planning.changes import Change
from reconciler.planning.observation import PlanOptions, RunContext
from reconciler.planning.outcomes import open_run_in_words
from reconciler.render.grid import Column
from reconciler.render.pen import Pen
from reconciler.run import make_plan, read_live
from reconciler.state.recorded import Recorded


def complete_explainable(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Keys and names, then what needs no mapping: rules, errors and questions."""
    looked_up = [topic.name for topic in topics() if topic.name.startswith(incomplete.casefold())]
    return [*complete_keys_and_names(context, parameter, incomplete), *looked_up]


@click.command()
@click.argument("name", nargs=-1, shell_complete=complete_explainable)
@click.option("--no-invoices", is_flag=True, help="Do not look whether the Subscription is on a recurring invoice.")
@output_option("text", "json")
@common_options
@click.pass_obj
def explain(options: CommonOptions, *, name: tuple[str, ...], no_invoices: bool, output: str) -> int:
    """Tell why a number is what it is: reads, rule, limits, Subscription, last changes, the one next step.

    NAME is a mapping's key, an INFIMA client's or a HaloPSA customer's name or id. The name of a safety rule, an error
    code or a question (not-updated, invoice-zero, renamed, deleted, customer-not-found) is answered without network;
    without NAME they are listed.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE. None of them for
    rules, errors and questions.

    \b
    Examples:
      reconciler explain infima-101
      reconciler explain acme dental
      reconciler explain same-name
      reconciler explain invoice-zero
    """
    wanted = " ".join(name).strip()
    if not wanted:
        return _list_topics(output)
    topic = find_topic(wanted)
    if topic is not None and wanted not in list_keys(options.mappings):  # a mapping of that key is meant before all
        return _show_topic(topic, output)
    mappings = _load(options, wanted)
    try:
        mapping = find_mapping(mappings, wanted)
    except UsageError:
        told = _without_mapping(options, mappings, wanted)
        if told is None:
            raise
        means, step = told
        chapters_told = {"Answer": (means,), "Next step": (step,)}
        return _show({"key": None, "answer": means, "next_step": step}, chapters_told, output)
    story = _tell(options, mappings, mapping, invoices=not no_invoices)
    return _show(_json(story), chapters(story), output)


def _load(options: CommonOptions, wanted: str) -> Mappings:
    try:
        return load(options)
    except ConfigError as error:
        near = closest(wanted, [topic.name for topic in topics()])
        if near:
            error.hint = f"{error.hint} Or did you mean the topic {near}?".strip()
        raise


def find_mapping(mappings: Mappings, wanted: str) -> Mapping:
    """The one mapping that a key, a name or an id means. Raises `UsageError` for none and for several."""
    every, folded = mappings.mappings, folded_name(wanted)
    names_of = {
        m.key: [folded_name(name) for name in (*(ref.name for ref in m.infima_clients), m.halo_customer.name)]
        for m in every
    }
    for hits in (
        [m for m in every if m.key == wanted],
        [m for m in every if folded_name(m.key) == folded],
        [m for m in every if wanted in {str(ref.id) for ref in m.infima_clients}],
        [m for m in every if folded in names_of[m.key]],
        [m for m in every if wanted in {str(m.halo_customer.id), str(m.subscription_id)}],
        [m for m in every if any(folded in one for one in names_of[m.key])],
    ):
        if len(hits) == 1:
            return hits[0]
        if hits:
            keys = ", ".join(m.key for m in hits[:12])
            raise UsageError(f"{wanted!r} may mean {len(hits)} mappings: {keys}.", hint="Give the key.")
    names = [str(m.key) for m in every] + [ref.name for m in every for ref in m.infima_clients]
    names += [topic.name for topic in topics()]
    hint = did_you_mean(wanted, names, "`reconciler clients` lists clients, `reconciler explain` the topics.")
    raise UsageError(f"Nothing in mappings.yaml and no topic is called {wanted!r}.", hint=hint)


def _without_mapping(options: CommonOptions, mappings: Mappings, wanted: str) -> tuple[str, str] | None:
    """Answer and next step for a client or customer that exists and that no mapping names; None for an unknown name."""
    for one in mappings.ignored:
        if same_name(wanted, one.client.name) or wanted == str(one.client.id):
            answer = f"INFIMA client {one.client.name} ({one.client.id}) is ignored on purpose: {one.reason}."
            undo = f"take it out of `ignore` ({one.place}), then: reconciler map {one.client.id}"
            return answer, f"Nothing. To bill it, {undo}"
    try:
        with run_context(options, mappings) as context:
            clients, customers = context.systems.source.clients(), context.systems.target.customers()
    except (ApiError, UsageError):
        return None  # that it is not in the file is then all that can be said
    for client in clients:
        if same_name(wanted, client.name) or wanted == str(client.id):
            answer = f"INFIMA client {client.name} ({client.id}) is neither mapped nor ignored: no mapping counts it."
            return answer, f"reconciler map {client.id} --customer ID, or --ignore REASON"
    for customer in customers:
        if same_name(wanted, customer.name):
            state = "is inactive in HaloPSA, and no" if customer.inactive else "is in HaloPSA, and no"
            return f"Customer {customer.name} ({customer.id}) {state} mapping bills to it.", "reconciler map"
    return None


def _tell(options: CommonOptions, mappings: Mappings, mapping: Mapping, *, invoices: bool) -> Story:
    """Read everything, as `status` does: whether the whole run would be refused hangs on everybody's users."""
    with run_context(options, mappings) as context:
        seen = read_live(context)
        for one in seen.recorded.open_runs:
            tell(f"Warning: {open_run_in_words(one, mappings.settings.timezone)}.")
        observation, recorded, unread = seen.observation, seen.recorded, ""
        if invoices:
            change = next(c for c in diff(mappings, observation, recorded).changes if c.key == mapping.key)
            recorded, unread = _look(context, change, recorded)
    history = tuple(open_store(options).history.changes_of(mapping.key))
    return replace(make_story(mappings, mapping, observation, recorded), history=history, unread=unread)


def make_story(mappings: Mappings, mapping: Mapping, observation: Observation, recorded: Recorded) -> Story:
    """The mapping's change in the whole plan, with what is known of its Subscription."""
    plan = make_plan(mappings, observation, recorded, PlanOptions())
    change = next(c for c in plan.changes if c.key == mapping.key)
    number = change.before.id if change.before else None
    return Story(
        change=change,
        plan=plan,
        limits=mappings.limits,
        now=observation.taken_at.astimezone(mappings.settings.timezone),
        subscription=next((s for s in observation.subscriptions if s.id == number), None),
        binding=recorded.bindings.get(mapping.key),
        attempt=recorded.attempts.get(mapping.key),
        look=look_of(mapping.key, recorded),
    )


def _look(context: RunContext, change: Change, recorded: Recorded) -> tuple[Recorded, str]:
    """The records with a look at the customer's recurring invoices in them, or why there is none."""
    try:
        return look_now(context, (change,), recorded, everywhere=False)[0], ""
    except ApiError as error:
        return recorded, f"Not checked now: {error.message} {error.hint}".strip()


def _show(document: MappingABC[str, Json], told: MappingABC[str, Sequence[str]], output: str) -> int:
    """The document, or its chapters as text: wrapped, but what is there to be copied stays on one line."""
    if output == "json":
        show_json(document)
        return 0
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    pen = Pen(width=width, encoding=sys.stdout.encoding or "ascii")
    for title, lines in told.items():
        say(f"{title}:")
        for line in lines:
            say("\n".join(pen.prose(line, indent="  ")) or "  ")
    return 0


def _json(story: Story) -> dict[str, Json]:
    change = story.change
    sections: list[Json] = [{"title": title, "lines": list(lines)} for title, lines in chapters(story).items()]
    return {
        "key": change.key,
        "answer": answer(story),
        "next_step": next_step(story),
        "counted": change.quantity.counted,
        "rule": change.quantity.rule,
        "result": change.quantity.result,
        "live": change.before.count if change.before else None,
        "subscription_id": change.before.id if change.before else None,
        "hold": None if change.hold is None else change.hold.rule.value,
        "refused_by": [str(refusal.rule) for refusal in story.plan.refusals],
        "needs": cast("list[Json]", needs_json(story.needs)),
        "sections": sections,
    }


def _show_topic(topic: Topic, output: str) -> int:
    if output != "json":
        say(f"{topic.name} ({topic.kind})")
    told = {"What it means": (topic.means,), "Why": (topic.why,), "What to do": (topic.do,)}
    document = {"topic": topic.name, "kind": topic.kind.value, "means": topic.means, "why": topic.why, "do": topic.do}
    return _show(document, told, output)


def _list_topics(output: str) -> int:
    if output == "json":
        show_json({"topics": [{"name": t.name, "kind": t.kind.value, "means": t.means} for t in topics()]})
        return 0
    parts: tuple[Part[Topic], ...] = (
        (Column(title="Topic"), lambda topic: topic.name),
        (Column(title="Kind"), lambda topic: str(topic.kind)),
        (Column(title="What it means", wrap=True), lambda topic: topic.means),
    )
    show_rows("text", parts, topics())
    return 0
