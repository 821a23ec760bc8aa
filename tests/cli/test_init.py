"""`init` and `completion`: what a newcomer runs first, without network and without variables."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reconciler import __version__
from reconciler.cli.main import main
from reconciler.config.checking import schema_text
from reconciler.templates import templates
from tests.cli.bench import Typed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_fresh_repository_is_valid_and_canonical(folder: Path) -> None:
    assert main(["init"]) == 0
    assert main(["validate"]) == 0
    assert main(["fmt", "--check"]) == 0


@pytest.mark.parametrize("words", [[], ["elsewhere"], ["--no-workflows", "else where"]])
def test_no_escape_is_ever_printed(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    for _ in range(2):  # the second time everything is there already
        assert main(["init", *words]) == 0
        said = capsys.readouterr()
        assert "\\" not in said.out + said.err


@pytest.mark.parametrize("words", [["--currency", "GBP"], ["--timezone", "Europe/Dublin"],
                                   ["--currency", "USD", "--timezone", "America/New_York"]])  # fmt: skip
def test_currency_and_time_zone_stand_in_the_file(folder: Path, words: list[str]) -> None:
    assert main(["init", *words]) == 0
    assert main(["validate"]) == 0
    assert main(["fmt", "--check"]) == 0
    settings = yaml.safe_load((folder / "mappings.yaml").read_text(encoding="utf-8"))["settings"]
    assert settings == {word.removeprefix("--"): value for word, value in zip(words[::2], words[1::2], strict=True)}


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--currency", "eur"], "three capital letters"), (["--timezone", "Mars/Base"], "not a time zone")],
)
def test_a_wrong_currency_or_zone_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["init", *words]) == 64
    assert said in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_on_a_terminal_they_are_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Typed("euro\nEUR\n\n"))
    assert main(["init"]) == 0
    settings = yaml.safe_load((folder / "mappings.yaml").read_text(encoding="utf-8"))["settings"]
    assert settings == {"currency": "EUR"}


def test_a_repository_is_made_where_there_is_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init", "new"])
    assert (folder / "new" / ".git").is_dir()
    assert capsys.readouterr().err.count("Next:") == 1
    main(["init", "new/deeper"])
    assert not (folder / "new" / "deeper" / ".git").exists()


def test_without_git_it_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert main(["init"]) == 0
    assert "git is not installed" in capsys.readouterr().err


def test_the_guide_that_is_named_is_there(folder: Path) -> None:
    main(["init"])
    assert (folder / "docs" / "gitops.md").is_file()


def test_the_guide_links_only_what_is_there(folder: Path) -> None:
    main(["init"])
    guide = folder / "docs" / "gitops.md"
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", guide.read_text(encoding="utf-8"))
    assert any(re.fullmatch(rf"https://\S+/v{re.escape(__version__)}/docs/approvals\.md", link) for link in links)
    assert [link for link in links if not link.startswith("https://") and not (guide.parent / link).exists()] == []


def test_every_file_is_what_its_name_says(folder: Path) -> None:
    main(["init"])
    for path in folder.rglob("*"):
        if path.suffix in {".yaml", ".yml"}:
            assert yaml.safe_load(path.read_text(encoding="utf-8"))
        elif path.suffix == ".json":
            assert json.loads(path.read_text(encoding="utf-8"))


def test_the_schema_and_the_workflows_are_the_ones_of_this_repository(folder: Path) -> None:
    root = Path(__file__).parents[2]
    main(["init"])
    for path in ("schema/mappings.schema.json", ".github/workflows/nightly.yml", ".ci/with-git-token"):
        assert (folder / path).read_bytes() == (root / path).read_bytes()


def test_all_that_the_workflows_call_is_there_and_can_be_run(folder: Path) -> None:
    main(["init"])
    called = {
        word.rpartition(".ci/")[2].split()[0]
        for workflow in (folder / ".github" / "workflows").iterdir()
        for word in workflow.read_text(encoding="utf-8").split()
        if ".ci/" in word
    }
    assert called
    for name in called:
        assert os.access(folder / ".ci" / name, os.X_OK), name
    assert "\ntool:" in (folder / "Makefile").read_text(encoding="utf-8")


def test_the_hooks_of_pre_commit_install_the_version_that_wrote_them(folder: Path) -> None:
    """Their commands and files are those that this repository offers to others."""
    main(["init"])
    (repo,) = yaml.safe_load((folder / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    offered = yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {hook["language"] for hook in (*repo["hooks"], *offered)} == {"python"}
    for hook, other in zip(repo["hooks"], offered, strict=True):
        assert hook["additional_dependencies"] == [f"halo-infima-reconciler=={__version__}"]
        assert [hook[name] for name in ("id", "entry", "files")] == [other[name] for name in ("id", "entry", "files")]
        command, *rest = hook["entry"].removeprefix("reconciler ").split()
        assert main([command, *rest]) == 0


def test_a_second_init_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init"])
    (folder / "mappings.yaml").write_text("# mine\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["init"]) == 0
    assert (folder / "mappings.yaml").read_text(encoding="utf-8") == "# mine\n"
    assert "created" not in capsys.readouterr().out


def test_an_existing_gitignore_is_kept_and_what_it_lacks_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".gitignore").write_text("*.pyc\n", encoding="utf-8")
    main(["init"])
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "*.pyc\n"
    assert ".reconciler/" in capsys.readouterr().err


def test_a_link_is_not_written_through(folder: Path) -> None:
    (folder / "mappings.yaml").symlink_to(folder / "elsewhere")
    main(["init"])
    assert not (folder / "elsewhere").exists()


def test_another_directory_without_workflows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "billing", "--no-workflows"]) == 0
    assert (folder / "billing" / "mappings.yaml").is_file()
    assert not (folder / "billing" / ".github" / "workflows").exists()
    assert "cd billing" in capsys.readouterr().err


def test_a_file_in_the_way_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "schema").write_text("", encoding="utf-8")
    assert main(["init"]) == 64
    assert "schema is not a directory" in capsys.readouterr().err


def test_no_template_names_a_host_or_a_secret() -> None:
    for template in templates(schema_text("mappings.schema.json"), workflows=False):
        assert "http" not in template.text.replace("https://json-schema.org", "").replace(
            "https://reconciler.example", ""
        ).replace("https://pre-commit.com", ""), template.path


# ---------------------------------------------------------------------------------------------------------------------
# Completion
# ---------------------------------------------------------------------------------------------------------------------


def complete(folder: Path, words: str, shell: str = "bash") -> list[str]:
    """What a shell is offered for the last of `words`."""
    last = words.rpartition(" ")[2]
    position = last if shell == "powershell" else str(words.count(" "))
    environment = {
        **os.environ,
        "_RECONCILER_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": position,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from reconciler.cli import entry; entry()"],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if line]


def test_keys_come_from_the_file(folder: Path) -> None:
    (folder / "mappings.yaml").write_text(
        'version: 1\nmappings:\n  - infima_client: {id: 101, name: "A"}\n    halo_customer: {id: 1, name: "A"}\n',
        encoding="utf-8",
    )
    assert complete(folder, "reconciler plan --only inf") == ["plain,infima-101"]
    assert complete(folder, "reconciler adopt inf", "powershell") == ["infima-101\tinfima-101"]


def test_rules_states_and_names_are_completed(folder: Path) -> None:
    (folder / "mappings.yaml").write_text(
        'version: 1\nmappings:\n  - infima_client: {id: 101, name: "Acme"}\n'
        '    halo_customer: {id: 1, name: "Acme plc"}\n',
        encoding="utf-8",
    )
    assert complete(folder, "reconciler apply --allow zer") == ["plain,zero"]
    assert complete(folder, "reconciler apply --allow zero:inf", "powershell")[0].startswith("zero:infima-101")
    assert complete(folder, "reconciler --state git") == ["plain,git:reconciler-state"]
    for command in ("explain", "history"):
        assert complete(folder, f"reconciler {command} acm") == ["plain,Acme", "plain,Acme plc"]
    assert complete(folder, "reconciler explain same-") == ["plain,same-name"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_that_reads_the_script_gets_no_advice(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().err == ""


def test_commands_come_without_a_file(folder: Path) -> None:
    assert complete(folder, "reconciler ada") == []
    assert complete(folder, "reconciler ado") == ["plain,adopt"]
    assert [line.split("\t")[0] for line in complete(folder, "reconciler sta", "powershell")][:1] == ["status"]


def test_keys_of_a_broken_file_are_none(folder: Path) -> None:
    (folder / "mappings.yaml").write_text("version: [", encoding="utf-8")
    assert complete(folder, "reconciler plan --only inf") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_has_a_script_that_names_program_and_variable(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert "_RECONCILER_COMPLETE" in out
    assert f"{shell}_complete" in out
