"""What can be looked up offline: everything that a message may name."""

from __future__ import annotations

import pytest

from reconciler import errors
from reconciler.answers.explain import Topic, TopicKind, find_topic, topics
from reconciler.planning.rules import Rule


def error_codes() -> set[str]:
    found = {errors.ReconcilerError}
    while more := {sub for kind in found for sub in kind.__subclasses__()} - found:
        found |= more
    return {kind.code for kind in found if kind.__module__ == "reconciler.errors"}


def test_every_rule_and_every_error_code_has_a_topic() -> None:
    assert {t.name for t in topics() if t.kind is TopicKind.RULE} == {str(rule) for rule in Rule}
    assert {t.name for t in topics() if t.kind is TopicKind.ERROR} == error_codes()


def test_no_two_topics_share_a_name() -> None:
    names = [topic.name for topic in topics()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("topic", topics(), ids=lambda topic: topic.name)
def test_each_tells_meaning_reason_and_step_in_sentences(topic: Topic) -> None:
    assert all(text.endswith((".", "?", "FILE", "`")) and len(text) > 15 for text in (topic.means, topic.why, topic.do))


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule.liftable])
def test_a_rule_that_can_be_lifted_says_how(rule: Rule) -> None:
    topic = find_topic(rule)
    assert topic is not None
    assert f"--allow {rule}" in topic.do


@pytest.mark.parametrize("spelling", ["same-name", "SAME-NAME", "same name", "same_name"])
def test_spelling_is_forgiven(spelling: str) -> None:
    found = find_topic(spelling)
    assert found is not None
    assert found.name == "same-name"


def test_unknown_names_find_nothing() -> None:
    assert find_topic("no-such-thing") is None
