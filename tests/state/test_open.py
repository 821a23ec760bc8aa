"""Which store a spec means."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.state.open import open_state, runs_in_ci
from tests.state.gitworld import git
from tests.state.samples import StillClock, run_info, verdict

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
