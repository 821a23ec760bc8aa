"""`--env-file`: read strictly, never by itself, and whoever names an address names its secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.cli.options import environment_with, read_env_file
from reconciler.errors import UsageError
from tests.cli.bench import Bench

HALO = ("HALO_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET")
INFIMA = ("INFIMA_URL", "INFIMA_API_KEY")


@pytest.fixture
def file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bench's variables in a file, and no longer in the environment."""
    path = bench.folder / "simulator.env"
    path.write_text("# made by hand\n\n" + "".join(f"{name}={os.environ[name]}\n" for name in (*HALO, *INFIMA)))
    for name in (*HALO, *INFIMA):
        monkeypatch.delenv(name)
    return path


@pytest.mark.parametrize("line", [["--env-file", "simulator.env", "plan"], ["plan", "--env-file", "simulator.env"]])
def test_the_variables_hold_for_one_command(bench: Bench, file: Path, line: list[str]) -> None:
    assert bench.run("plan").code == 64  # none is loaded by itself
    assert bench.run(*line).code == 0
    assert "HALO_URL" not in os.environ


@pytest.mark.parametrize("first", [True, False])
def test_the_next_command_is_told_with_the_files_that_this_one_was_given(
    bench: Bench, file: Path, *, first: bool
) -> None:
    """A person who has to name a file has to name it again; what the environment says, nobody has to repeat."""
    file.rename(bench.folder / "my world.env")
    given = ["--env-file", "my world.env", "--mappings", "mappings.yaml"]
    check = ["fmt", "--check"]
    bench.file.write_text(bench.file.read_text().replace("version: 1", "version:   1"))
    answer = bench.run(*given, *check) if first else bench.run(*check, *given)
    assert answer.err.endswith("Next: reconciler fmt --env-file 'my world.env' --mappings mappings.yaml\n")
    assert bench.run(*check).err.endswith("Next: reconciler fmt\n")


@pytest.mark.parametrize("text", ["\ufeffHALO_URL=x\r\n", "HALO_URL=x", "\n# HALO_URL=y\nHALO_URL=x\n\n"])
def test_line_ends_marks_and_comments(tmp_path: Path, text: str) -> None:
    (tmp_path / "e").write_bytes(text.encode())
    assert read_env_file(tmp_path / "e") == {"HALO_URL": "x"}


def test_values_are_taken_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "e").write_text("HALO_CLIENT_SECRET=a$b`c`=d#e\\n\nINFIMA_API_KEY_FILE=/run/key\n")
    found = read_env_file(tmp_path / "e")
    assert found == {"HALO_CLIENT_SECRET": "a$b`c`=d#e\\n", "INFIMA_API_KEY_FILE": "/run/key"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("HALO_ULR=x", "line 1: HALO_ULR is not known, did you mean HALO_URL?"),
        ("PATH=/tmp", "line 1: PATH is not known"),
        ("HALO_URL=x\nHALO_URL=x", "line 2: HALO_URL is given twice"),
        ('HALO_CLIENT_SECRET="hush"', "line 1: HALO_CLIENT_SECRET is in quotes"),
        ("HALO_CLIENT_SECRET=hush ", "line 1: HALO_CLIENT_SECRET has a space"),
        ("HALO_CLIENT_SECRET = hush", "line 1: not NAME=value"),
        ("export HALO_URL=hush", "line 1: `export` is not needed"),
        ("hush", "line 1: not NAME=value"),
        ("hush\nPATH=hush", "line 1: not NAME=value; line 2: PATH is not known"),
    ],
)
def test_what_is_not_exactly_a_variable_is_refused_and_not_repeated(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "e").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_env_file(tmp_path / "e")
    assert said in caught.value.message
    assert "hush" not in caught.value.message + caught.value.hint


def test_a_file_that_is_missing_or_no_text_is_told(bench: Bench, tmp_path: Path) -> None:
    assert bench.run("plan", "--env-file", "nowhere.env").code == 64
    (tmp_path / "e").write_bytes(b"HALO_URL=\xff")
    with pytest.raises(UsageError, match="UTF-8"):
        read_env_file(tmp_path / "e")


def test_a_secret_is_never_sent_to_an_address_that_another_place_named() -> None:
    outside = {"HALO_CLIENT_SECRET": "production", "INFIMA_API_KEY": "production", "PATH": "/bin"}
    assert environment_with({"HALO_URL": "https://x.example.com"}, outside) == {
        "HALO_URL": "https://x.example.com", "INFIMA_API_KEY": "production", "PATH": "/bin",
    }  # fmt: skip
    assert environment_with({"RECONCILER_STATE": "git"}, outside) == {**outside, "RECONCILER_STATE": "git"}
