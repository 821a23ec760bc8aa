"""The git backend against real repositories: compare-and-set by push, and nothing of the user's is touched."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import StateConflict, StateError, StateLocked
from reconciler.model import MappingKey
from reconciler.state import gitcommand
from reconciler.state.base import IntentResult
from reconciler.state.branch import StateBranch
from reconciler.state.git import GitState
from reconciler.state.gitcommand import clean
from reconciler.state.recorded import Recorded
from tests.state.gitworld import git, install_hook
from tests.state.samples import StillClock, attempt, binding, change, intent, run_info, verdict

BRANCH = "reconciler-state"


def test_missing_branch_is_the_empty_state(state: GitState) -> None:
    assert state.read() == Recorded()


def test_another_clone_reads_what_was_recorded(state: GitState, elsewhere: GitState) -> None:
    with state.open_run(run_info()) as run:
        run.record_attempts([attempt("acme"), attempt("borealis")])
        run.record_bindings([binding("acme", 9001)])
        run.finish(verdict())

    recorded = elsewhere.read()
    assert recorded.bindings == {"acme": binding("acme", 9001)}
    assert recorded.attempts == {"borealis": attempt("borealis")}
    assert recorded.last_good_run is not None
    assert recorded.durable


def test_history_of_the_branch_reads_like_a_diary(state: GitState, remote: Path, git_environ: dict[str, str]) -> None:
    with state.open_run(run_info()) as run:
        run.record_attempts([attempt(key) for key in ("acme", "borealis", "corvid", "dunmore")])
        run.record_bindings([binding("acme", 9001)])
        run.intend(intent(1))
        run.conclude(1, IntentResult.OK)
        run.finish(verdict())

    told = git(remote, git_environ, "log", "--reverse", "--format=%s|%an|%at", BRANCH).splitlines()
    when = int(datetime(2026, 11, 22, 5, 17, 3, tzinfo=UTC).timestamp())
    assert told == [
        f"Attempt: create Subscription for acme, +3|reconciler|{when}",
        f"Bound: acme|reconciler|{when}",
        f"Run r1 is over.|reconciler|{when}",
    ]


def test_branch_is_an_orphan_with_the_same_files_as_a_directory(
    state: GitState, remote: Path, git_environ: dict[str, str]
) -> None:
    with state.open_run(run_info()) as run:
        run.finish(verdict())

    assert git(remote, git_environ, "ls-tree", "-r", "--name-only", BRANCH).splitlines() == [
        "history/2026-11.jsonl",
        "journal/20261122T051703Z-r1.jsonl",
        "state.json",
    ]
    assert git(remote, git_environ, "rev-list", "--count", BRANCH) == "1"
    assert json.loads(git(remote, git_environ, "show", f"{BRANCH}:state.json"))["format"] == 2


def test_person_at_work_notices_nothing(state: GitState, work: Path, git_environ: dict[str, str]) -> None:
    (work / "mappings.yaml").write_text("version: 1 # half done\n")
    (work / "new.txt").write_text("staged")
    git(work, git_environ, "add", "new.txt")

    def look() -> tuple[object, ...]:
        return (
            git(work, git_environ, "status", "--porcelain=v2", "--branch"),
            git(work, git_environ, "branch", "--list"),
            (work / ".git" / "index").read_bytes(),
            (work / ".git" / "HEAD").read_bytes(),
            (work / ".git" / "config").read_bytes(),
            sorted(path.name for path in work.iterdir()),
            (work / ".git" / "FETCH_HEAD").exists(),
        )

    before = look()
    with state.open_run(run_info()) as run:
        run.record_attempts([attempt("acme")])
        run.finish(verdict())
    state.read()
    assert look() == before


def test_hooks_and_signing_stay_out_of_it(state: GitState, work: Path, git_environ: dict[str, str]) -> None:
    for name in ("pre-push", "reference-transaction", "commit-msg", "post-index-change"):
        install_hook(work / ".git", name, "touch hook-ran; exit 1")
    for setting in ("commit.gpgSign", "push.gpgSign"):
        git(work, git_environ, "config", setting, "true")
    git(work, git_environ, "config", "gpg.program", "/nonexistent")

    with state.open_run(run_info()) as run:
        assert run.record_attempts([attempt("acme")]) == {"acme"}
    assert not list(work.rglob("hook-ran"))


def test_commits_carry_the_configured_name(
    state: GitState, work: Path, remote: Path, git_environ: dict[str, str]
) -> None:
    git(work, git_environ, "config", "user.name", "Zoë Example")
    git(work, git_environ, "config", "user.email", "zoe@example.com")
    with state.open_run(run_info()) as run:
        run.finish(verdict())

    assert git(remote, git_environ, "log", "-1", "--format=%an <%ae>", BRANCH) == "Zoë Example <zoe@example.com>"


def test_variables_of_an_outer_git_do_not_mislead(
    work: Path, tmp_path: Path, clock: StillClock, git_environ: dict[str, str]
) -> None:
    outer = {"GIT_DIR": str(tmp_path / "nowhere"), "GIT_INDEX_FILE": str(tmp_path / "index"), "GIT_TRACE": "1"}

    store = GitState(work, clock=clock, environ={**git_environ, **outer})
    with store.open_run(run_info()) as run:
        assert run.record_attempts([attempt("acme")]) == {"acme"}
    assert not (tmp_path / "index").exists()


def test_two_machines_share_one_grant(state: GitState, elsewhere: GitState) -> None:
    with state.open_run(run_info("r1")) as one, elsewhere.open_run(run_info("r2")) as two:
        assert one.record_attempts([attempt("acme", "n1", run="r1"), attempt("corvid", "n1")]) == {"acme", "corvid"}
        assert two.record_attempts([attempt("acme", "n2", run="r2"), attempt("borealis", "n2")]) == {"borealis"}
        assert one.record_attempts([attempt("borealis", "n3")]) == frozenset()
        one.record_bindings([binding("acme", 9001)])
        with pytest.raises(StateConflict):
            two.record_bindings([binding("acme", 9002)])
        two.finish(verdict("r2"))
        one.finish(verdict("r1"))

    assert [run.info.id for run in elsewhere.history.runs()] == ["r2", "r1"]
    assert elsewhere.history.verify() == ()


def test_same_clone_is_locked_with_the_holders_name(state: GitState) -> None:
    locked = pytest.raises(StateLocked, match=r"branch reconciler-state of origin: `apply` by .+ process \d+")
    with state.open_run(run_info("r1")), locked:
        state.open_run(run_info("r2")).__enter__()


def test_unreachable_remote_refuses_the_run(state: GitState, remote: Path) -> None:
    shutil.move(remote, remote.with_suffix(".away"))

    with pytest.raises(StateError, match="cannot be fetched"):
        state.open_run(run_info()).__enter__()
    with pytest.raises(StateError, match="cannot be fetched"):
        state.read()


def test_remote_lost_after_the_start_grants_nothing(state: GitState, remote: Path) -> None:
    with pytest.raises(StateError, match="unknown"), state.open_run(run_info()) as run:  # noqa: PT012 - the run is the subject
        shutil.move(remote, remote.with_suffix(".away"))
        run.record_attempts([attempt("acme")])


def test_push_that_arrived_without_an_answer_is_granted(
    state: GitState, remote: Path, git_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remote takes the commit and then dies before it says so."""
    answers = []
    real = StateBranch.push
    monkeypatch.setattr(StateBranch, "push", lambda branch, commit: answers.append(real(branch, commit)) or answers[-1])
    install_hook(remote, "post-update", "kill -9 $PPID")

    with state.open_run(run_info()) as run:
        assert run.record_attempts([attempt("acme", "mine")]) == {"acme"}
        assert len(answers) == 1
        assert answers[0] != ""
        remote.joinpath("hooks", "post-update").unlink()
    assert "mine" in git(remote, git_environ, "show", f"{BRANCH}:state.json")


def test_answer_lost_while_another_machine_was_faster_is_refused(
    state: GitState, elsewhere: GitState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our push never arrives, and its answer does not say so; the newest state names another's nonce."""
    real = StateBranch.push

    def lose(branch: StateBranch, commit: str) -> str:
        monkeypatch.setattr(StateBranch, "push", real)
        with elsewhere.open_run(run_info("r2")) as other:
            assert other.record_attempts([attempt("acme", "theirs", run="r2")]) == {"acme"}
        return "the remote end hung up unexpectedly"

    with state.open_run(run_info("r1")) as run:
        monkeypatch.setattr(StateBranch, "push", lose)
        assert run.record_attempts([attempt("acme", "mine"), attempt("corvid", "mine")]) == {"corvid"}
        assert run.recorded.attempts[MappingKey("acme")].nonce == "theirs"


def test_push_that_dies_before_its_effect_is_repeated(
    state: GitState, remote: Path, git_environ: dict[str, str]
) -> None:
    install_hook(remote, "pre-receive", 'test -e "$GIT_DIR/died" || { touch "$GIT_DIR/died"; kill -9 $PPID; }')

    with state.open_run(run_info()) as run:
        assert run.record_attempts([attempt("acme", "mine")]) == {"acme"}
    assert (remote / "died").exists()
    assert (
        git(remote, git_environ, "log", "--format=%s", BRANCH)
        .splitlines()
        .count("Attempt: create Subscription for acme")
        == 1
    )


def test_remote_that_refuses_every_push_stops_the_attempt(state: GitState, remote: Path) -> None:
    install_hook(remote, "pre-receive", "echo 'branch is protected'; exit 1")

    def create() -> None:
        with state.open_run(run_info()) as run:
            run.record_attempts([attempt("acme")])

    with pytest.raises(StateError, match="did not take our commit") as caught:
        create()
    assert "contents: write" in caught.value.hint
    assert "pre-receive hook declined" in caught.value.message
    assert state.read().attempts == {}


def test_missing_right_to_push_stops_the_first_write(state: GitState, work: Path, git_environ: dict[str, str]) -> None:
    """Reading works, pushing does not: known before the first request, not after the last."""
    git(work, git_environ, "config", "remote.origin.pushurl", str(work / "nowhere.git"))

    def write() -> None:
        with state.open_run(run_info()) as run:
            run.intend(intent(1))

    with pytest.raises(StateError, match="did not take our commit"):
        write()


def test_right_to_push_is_asked_anew_when_the_branch_moved(state: GitState, elsewhere: GitState) -> None:
    with elsewhere.open_run(run_info("r0")) as first:
        first.finish(verdict("r0"))
    with state.open_run(run_info("r1")) as run:
        with elsewhere.open_run(run_info("r2")) as other:
            other.record_bindings([binding("acme", 9001)])
        run.intend(intent(1))
        assert set(run.recorded.bindings) == {"acme"}


def test_first_write_to_a_branch_that_is_not_there_yet_is_permitted(state: GitState, elsewhere: GitState) -> None:
    with state.open_run(run_info()) as run:
        assert elsewhere.read() == Recorded()
        run.intend(intent(1))
        assert elsewhere.read().bindings == {}  # and the branch is there: it took a real push before the request
        assert "reconciler-state" in state.location


def test_branch_that_keeps_moving_is_followed_only_so_long(
    state: GitState, elsewhere: GitState, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = StateBranch.push
    turns = iter(range(100))

    def overtaken(branch: StateBranch, commit: str) -> str:
        with monkeypatch.context() as inner:
            inner.setattr(StateBranch, "push", real)
            with elsewhere.open_run(run_info(f"other{next(turns)}")) as other:
                other.record_attempts([attempt(f"k{next(turns)}")])
        return real(branch, commit)

    monkeypatch.setattr("reconciler.state.git.PUSH_TRIES", 4)

    def create() -> None:
        with state.open_run(run_info("r1")) as run, monkeypatch.context() as moving:
            moving.setattr(StateBranch, "push", overtaken)
            run.record_attempts([attempt("acme")])

    with pytest.raises(StateError, match="did not take our commit"):
        create()
    assert "acme" not in elsewhere.read().attempts


def test_author_in_the_environment_counts(
    work: Path, remote: Path, clock: StillClock, git_environ: dict[str, str]
) -> None:
    bot = {
        f"GIT_{role}_{part}": f"bot-{part.lower()}" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
    }
    store = GitState(work, clock=clock, environ={**git_environ, **bot, "GIT_AUTHOR_DATE": "yesterday"})
    with store.open_run(run_info()) as run:
        run.finish(verdict())

    assert git(remote, git_environ, "log", "-1", "--format=%an <%ae> %cn <%ce>", BRANCH) == (
        "bot-name <bot-email> bot-name <bot-email>"
    )


def test_git_that_cannot_be_started_is_said(tmp_path: Path, clock: StillClock, git_environ: dict[str, str]) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/nonexistent\n")
    program.chmod(0o700)

    with pytest.raises(StateError, match="git cannot be started"):
        GitState(tmp_path, clock=clock, environ={**git_environ, "PATH": str(program.parent)}).read()


def test_interrupted_git_is_ended(work: Path, git_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def interrupt(process: subprocess.Popen[bytes], *_: object, **__: object) -> None:
        started.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        gitcommand.Git(work, git_environ).run("-c", "alias.wait=!sleep 60", "wait")
    assert started[0].returncode == -signal.SIGKILL


def test_git_is_ended_where_there_are_no_process_groups(
    work: Path, git_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "killpg")

    with pytest.raises(StateError, match="took longer"):
        gitcommand.Git(work, git_environ).run("cat-file", "--batch", seconds=0)


def test_place_without_a_remote_is_refused(tmp_path: Path, clock: StillClock, git_environ: dict[str, str]) -> None:
    git(tmp_path, git_environ, "init", "-q", "lone")

    with pytest.raises(StateError, match="remote named origin"):
        GitState(tmp_path / "lone", clock=clock, environ=git_environ).read()
    with pytest.raises(StateError, match="not a git repository"):
        GitState(tmp_path, clock=clock, environ=git_environ).read()


def test_outside_a_repository_the_next_step_is_said(
    tmp_path: Path, clock: StillClock, git_environ: dict[str, str]
) -> None:
    with pytest.raises(StateError, match="not a git repository") as caught:
        GitState(tmp_path, clock=clock, environ=git_environ).read()
    assert "git init" in caught.value.hint
    assert "--state directory:.reconciler" in caught.value.hint


@pytest.mark.parametrize("spec", [BRANCH, f"upstream/{BRANCH}"])
def test_the_only_remote_is_taken_whatever_its_name(
    work: Path, remote: Path, clock: StillClock, git_environ: dict[str, str], spec: str
) -> None:
    git(work, git_environ, "remote", "rename", "origin", "upstream")
    store = GitState(work, clock=clock, branch=spec, environ=git_environ)
    assert store.location == f"branch {BRANCH} of upstream"
    with store.open_run(run_info()) as run:
        run.finish(verdict())
    assert BRANCH in git(remote, git_environ, "branch", "--list")
    assert len(store.history.runs()) == 1


def test_one_of_several_remotes_is_named_like_git_names_it(
    work: Path, tmp_path: Path, clock: StillClock, git_environ: dict[str, str]
) -> None:
    other = tmp_path / "other.git"
    git(tmp_path, git_environ, "init", "-q", "--bare", str(other))
    git(work, git_environ, "remote", "add", "upstream", str(other))
    for branch, place in ((BRANCH, "origin"), (f"upstream/{BRANCH}", "upstream"), ("a/b", "origin")):
        store = GitState(work, clock=clock, branch=branch, environ=git_environ)
        assert store.remote == place
        with store.open_run(run_info()) as run:
            run.finish(verdict())
    assert git(other, git_environ, "branch", "--list").split() == [BRANCH]


def test_several_remotes_without_origin_are_listed(work: Path, clock: StillClock, git_environ: dict[str, str]) -> None:
    git(work, git_environ, "remote", "rename", "origin", "here")
    git(work, git_environ, "remote", "add", "there", "https://git.example.com/x.git")
    git(work, git_environ, "checkout", "-q", "--detach")
    with pytest.raises(StateError, match="There are here, there") as caught:
        GitState(work, clock=clock, environ=git_environ).read()
    assert "--state git:here/reconciler-state" in caught.value.hint


def test_missing_git_is_said(work: Path, clock: StillClock, git_environ: dict[str, str]) -> None:
    store = GitState(work, clock=clock, environ={**git_environ, "PATH": "/nonexistent"})

    with pytest.raises(StateError, match="git is not installed"):
        store.read()


def test_remote_that_hangs_is_given_up(state: GitState, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_hook(remote, "pre-receive", "sleep 60")
    with state.open_run(run_info()) as run:
        monkeypatch.setattr("reconciler.state.branch.NETWORK_SECONDS", 0.5)
        monkeypatch.setattr("reconciler.state.git.PUSH_TRIES", 1)
        with pytest.raises(StateError, match="took longer"):
            run.record_attempts([attempt("acme")])
        monkeypatch.undo()
        install_hook(remote, "pre-receive", "exit 0")


def test_crashed_runs_journal_is_pushed_by_the_next_run(
    state: GitState, remote: Path, git_environ: dict[str, str], work: Path
) -> None:
    crashed = state.open_run(run_info("r1"))
    run = crashed.__enter__()
    run.intend(intent(1))
    run._journal.close()  # what a SIGKILL leaves: the journal on this disk, nothing pushed
    journal = next((work / ".git" / "reconciler" / BRANCH / "journal").iterdir())
    content = journal.read_bytes()
    with pytest.raises(StateError):
        crashed.__exit__(None, None, None)
    assert journal.read_bytes() == content

    with state.open_run(run_info("r2")) as run:
        run.finish(verdict("r2"))

    assert git(remote, git_environ, "show", f"{BRANCH}:journal/{journal.name}").encode() + b"\n" == content
    lost = state.history.unfinished().values()
    assert [(reading.records[0].run, reading.unknown_intents) for reading in lost] == [("r1", (1,))]
    assert not journal.exists()


def test_local_journal_that_is_no_continuation_does_not_replace_the_pushed_one(
    state: GitState, work: Path, remote: Path, git_environ: dict[str, str]
) -> None:
    with state.open_run(run_info("r1")) as run:
        run.finish(verdict("r1"))
    name = "journal/20261122T051703Z-r1.jsonl"
    pushed = git(remote, git_environ, "show", f"{BRANCH}:{name}")
    (work / ".git" / "reconciler" / BRANCH / name).write_text("something else\n")

    with state.open_run(run_info("r2")) as run:
        run.finish(verdict("r2"))
    assert git(remote, git_environ, "show", f"{BRANCH}:{name}") == pushed
    assert state.history.verify() == ()


def test_run_without_a_verdict_still_pushes_what_it_did(state: GitState, elsewhere: GitState) -> None:
    def crash() -> None:
        with state.open_run(run_info()) as run:
            run.intend(intent(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert [lost.unknown_intents for lost in elsewhere.history.unfinished().values()] == [(1,)]


def test_run_that_did_nothing_pushes_nothing(state: GitState, remote: Path, git_environ: dict[str, str]) -> None:
    with state.open_run(run_info()) as run:
        run.note("refused", {"rule": "source-empty"})

    assert git(remote, git_environ, "branch", "--list", BRANCH) == ""


def test_history_is_read_without_a_network(state: GitState, remote: Path) -> None:
    with state.open_run(run_info()) as run:
        run.finish(verdict(changes=(change("acme"),)))
    shutil.move(remote, remote.with_suffix(".away"))

    assert [found.change.after for found in state.history.changes_of(MappingKey("acme"))] == [15]


def test_gits_words_are_shown_without_credentials() -> None:
    said = (
        b"fatal: unable to access 'https://x-access-token:not-a-real-one@git.example.com/a.git/': 403\n"
        b"AUTHORIZATION: basic bm90LXJlYWw=\n\x1b[31mred\n"
    )

    shown = clean(said)
    assert "not-a-real-one" not in shown
    assert "bm90LXJlYWw" not in shown
    assert "git.example.com" in shown
    assert shown.isprintable()


def test_git_is_asked_no_questions(work: Path, git_environ: dict[str, str]) -> None:
    answer = gitcommand.Git(work, git_environ).run("-c", "alias.look=!env", "look")

    assert "GIT_TERMINAL_PROMPT=0" in answer.text.splitlines()


def test_a_real_push_is_tried_not_a_dry_run(state: GitState, elsewhere: GitState, remote: Path) -> None:
    """A ruleset on the branch says yes to a dry run and no to the push."""
    state.prove_writable()
    assert elsewhere.read().bindings == {}
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'the ruleset says no' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(StateError, match="did not take our commit"):
        state.prove_writable()


def test_a_run_that_cannot_ask_the_remote_any_more_counts_as_overtaken(state: GitState, remote: Path) -> None:
    """Only a look at the branch could say that no other run went on meanwhile."""
    with state.open_run(run_info()) as run:
        run.record_bindings([binding("acme", 9001)])
        away = remote.rename(remote.with_name("away.git"))
        assert run.overtaken()
        away.rename(remote)
        run.finish(verdict())
