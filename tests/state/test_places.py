"""Which store a spec means; moving a state: whole, verified, both ways; the old place is refused from then on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import StateError, StateLocked, UsageError
from reconciler.state.directory import DirectoryState, HeldDirectory
from reconciler.state.git import GitState
from reconciler.state.places import Place, move_state, open_state, runs_in_ci
from tests.state.gitworld import clone, git, install_hook
from tests.state.samples import StillClock, attempt, binding, change, run_info, verdict

CLOCK = StillClock()


def location(spec: str | None, environ: dict[str, str] | None = None) -> str:
    mappings = Path("/srv/billing/mappings.yaml")
    return open_state(spec, mappings_path=mappings, clock=CLOCK, environ=environ or {}).location


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (None, "directory /srv/billing/.reconciler"),
        ("", "directory /srv/billing/.reconciler"),
        ("directory:/var/lib/r", "directory /var/lib/r"),
        ("directory:C:/state", "directory C:/state"),
        ("/var/lib/r", "directory /var/lib/r"),
        ("relative", "directory relative"),
        ("./odd:name", "directory odd:name"),
        ("git:billing-state", "branch billing-state of origin"),
        ("git", "branch reconciler-state of origin"),
    ],
)
def test_spec_names_the_place(spec: str | None, expected: str) -> None:
    assert location(spec) == expected


@pytest.mark.parametrize("spec", ["directory:", "git:", "gti:branch", "s3:bucket"])
def test_spec_of_no_known_kind_is_a_usage_error(spec: str) -> None:
    with pytest.raises(UsageError, match="neither directory:PATH nor git:BRANCH"):
        location(spec)


def test_variable_counts_where_the_option_is_missing() -> None:
    assert location(None, {"RECONCILER_STATE": "git:b"}) == "branch b of origin"
    assert location("directory:/x", {"RECONCILER_STATE": "git:b"}) == "directory /x"


@pytest.mark.parametrize(
    "name",
    [
        "CI", "TF_BUILD", "JENKINS_URL", "CODEBUILD_BUILD_ID", "TEAMCITY_VERSION", "GITLAB_CI",
        "BITBUCKET_BUILD_NUMBER", "KUBERNETES_SERVICE_HOST", "GITHUB_ACTIONS",
    ],
)  # fmt: skip
def test_ci_is_told_by_what_each_system_sets(name: str) -> None:
    assert runs_in_ci({name: "10.0.0.1"})
    assert runs_in_ci({"CI": "false", name: "True"})
    assert not any(runs_in_ci({name: value}) for value in ("", "0", "false", "False", " "))


def test_nothing_set_is_no_ci() -> None:
    assert not runs_in_ci({"PATH": "/bin", "CIRCUS": "1"})


@pytest.mark.parametrize(
    ("spec", "environ", "durable"),
    [
        (None, {}, True),
        (None, {"CI": "true"}, False),
        (None, {"CI": ""}, True),
        (None, {"CI": "false"}, True),
        (None, {"JENKINS_URL": "https://ci.example.com"}, False),
        (None, {"CI": "true", "RECONCILER_STATE": "kept"}, True),
        ("directory:kept", {"CI": "true"}, True),
    ],
)
def test_unnamed_directory_is_not_durable_in_ci(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spec: str | None,
    environ: dict[str, str],
    *,
    durable: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_state(spec, mappings_path=tmp_path / "mappings.yaml", clock=CLOCK, environ=environ)

    assert store.read().durable is durable


def test_opening_touches_nothing(tmp_path: Path) -> None:
    open_state(None, mappings_path=tmp_path / "mappings.yaml", clock=CLOCK, environ={})

    assert list(tmp_path.iterdir()) == []


def test_git_state_lives_in_the_clone_of_mappings_yaml(work: Path, remote: Path, git_environ: dict[str, str]) -> None:
    store = open_state("git:kept", mappings_path=work / "mappings.yaml", clock=CLOCK, environ=git_environ | {"CI": "1"})
    with store.open_run(run_info()) as run:
        assert run.recorded.durable
        run.finish(verdict())

    assert git(remote, git_environ, "log", "-1", "--format=%s", "kept") == "Run r1 is over."


NOW = datetime(2026, 11, 29, 5, 0, tzinfo=UTC)


@pytest.fixture
def branch(work: Path, clock: StillClock, git_environ: dict[str, str]) -> GitState:
    return GitState(work, clock=clock, environ=git_environ)


@pytest.fixture
def other(tmp_path: Path, clock: StillClock) -> DirectoryState:
    return DirectoryState(tmp_path / "other", clock=clock)


def fill(place: DirectoryState | GitState, name: str = "r1") -> None:
    with place.open_run(run_info(name)) as run:
        run.record_attempts([attempt("acme"), attempt("borealis")])
        run.record_bindings([binding("acme", 9001)])
        run.finish(verdict(name, changes=(change("acme"),)))


def move(source: Place, target: Place) -> None:
    move_state(source, target, run_info("mv"), now=NOW)


@pytest.mark.parametrize("way", ["to a branch", "to a directory"])
def test_everything_goes_along_and_the_old_place_is_refused(
    store: DirectoryState, branch: GitState, other: DirectoryState, way: str
) -> None:
    target = branch if way == "to a branch" else other
    fill(store)
    before, runs = store.read(), store.history.runs()
    move(store, target)
    assert target.read() == before
    assert target.history.runs() == runs
    for use in (store.read, lambda: store.history, lambda: store.open_run(run_info("r2")).__enter__()):
        with pytest.raises(StateError, match=r"was moved to .* on 2026-11-29 05:00 UTC") as caught:
            use()
        assert f"--state {target.spec}" in caught.value.hint


def test_it_goes_on_where_it_was_moved_to_and_comes_back(store: DirectoryState, branch: GitState) -> None:
    fill(store)
    move(store, branch)
    with branch.open_run(run_info("r2")) as run:
        run.record_bindings([binding("borealis", 9002)])
        run.finish(verdict("r2"))
    move(branch, store)
    assert set(store.read().bindings) == {"acme", "borealis"}
    assert [past.info.id for past in store.history.runs()] == ["r1", "r2"]
    with pytest.raises(StateError, match="was moved to directory:"):
        branch.read()
    fill(store, "r3")
    move(store, branch)
    assert [past.info.id for past in branch.history.runs()] == ["r1", "r2", "r3"]


def test_the_chains_are_whole_after_a_move(store: DirectoryState, other: DirectoryState) -> None:
    fill(store)
    move(store, other)
    fill_more = other.open_run(run_info("r2"))
    with fill_more as run:
        run.finish(verdict("r2"))
    assert other.read().damage == ()


def test_a_place_with_a_state_of_its_own_is_not_written_over(store: DirectoryState, other: DirectoryState) -> None:
    fill(store)
    fill(other, "r9")
    there = other.read()
    with pytest.raises(StateError, match="holds a state of its own already"):
        move(store, other)
    assert other.read() == there
    assert store.read().bindings


def test_nothing_is_moved_from_nowhere(store: DirectoryState, other: DirectoryState) -> None:
    with pytest.raises(StateError, match="There is no state at"):
        move(store, other)


def test_a_place_is_not_moved_to_itself(store: DirectoryState) -> None:
    fill(store)
    with pytest.raises(StateError, match="already"):
        move(store, store)
    assert store.read().bindings


def test_nothing_is_moved_while_a_run_goes_on(store: DirectoryState, other: DirectoryState) -> None:
    fill(store)
    with store.open_run(run_info("r2")) as run, pytest.raises(StateLocked):
        move(store, other)
    del run
    assert store.read().bindings


class Forgetful(DirectoryState):
    """A disk that keeps other bytes than it was given."""

    @contextmanager
    def hold(self, info: object):  # type: ignore[no-untyped-def]
        with super().hold(info) as held:  # type: ignore[arg-type]

            class Odd(HeldDirectory):
                def put(self, files: Mapping[str, bytes], *, message: str) -> None:
                    short = {name: content[:-1] if "journal" in name else content for name, content in files.items()}
                    super().put(short, message=message)

            yield Odd(held._directory)


def test_a_copy_that_is_not_the_same_leaves_the_old_place_in_use(
    store: DirectoryState, tmp_path: Path, clock: StillClock
) -> None:
    fill(store)
    with pytest.raises(StateError, match="is not what was copied there"):
        move(store, Forgetful(tmp_path / "odd", clock=clock))
    assert store.read().bindings


def test_a_move_that_was_cut_between_copy_and_note_is_finished_by_the_same_command(
    store: DirectoryState, other: DirectoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    whole = HeldDirectory.put

    def cut(self: HeldDirectory, files: Mapping[str, bytes], *, message: str) -> None:
        if "moved to" in message:
            raise StateError("the power went")
        whole(self, files, message=message)

    monkeypatch.setattr(HeldDirectory, "put", cut)
    with pytest.raises(StateError, match="the power went"):
        move(store, other)
    monkeypatch.undo()
    move(store, other)
    assert other.read().bindings
    with pytest.raises(StateError, match="was moved to"):
        store.read()


@pytest.fixture
def elsewhere(tmp_path: Path, remote: Path, clock: StillClock, git_environ: dict[str, str]) -> GitState:
    return GitState(clone(remote, tmp_path / "elsewhere", git_environ), clock=clock, environ=git_environ)


def test_another_clones_run_that_is_under_way_ends_on_the_note(
    branch: GitState, elsewhere: GitState, store: DirectoryState
) -> None:
    fill(branch)
    with elsewhere.open_run(run_info("r2")) as run:
        move(branch, store)
        with pytest.raises(StateError, match="was moved to directory:"):
            run.record_bindings([binding("borealis", 9002)])
        with pytest.raises(StateError, match="was moved to directory:"):
            run.finish(verdict("r2"))
    assert set(store.read().bindings) == {"acme"}


def test_a_branch_that_takes_no_push_leaves_the_old_place_in_use(
    store: DirectoryState, branch: GitState, remote: Path
) -> None:
    fill(store)
    install_hook(remote, "pre-receive", "echo 'the ruleset says no' >&2; exit 1")
    with pytest.raises(StateError, match="did not take our commit") as caught:
        move(store, branch)
    assert "Then move again" in caught.value.hint
    assert store.read().bindings
