"""Whoever closes a pipe has seen enough: nothing is said of it, and the exit code is that of what was done."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.bench import Bench

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120


def without_reader(bench: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, "-m", "reconciler", *words], cwd=bench.folder, stdout=writing, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ROOT, "PYTHONDEVMODE": "1"}, text=True, encoding="utf-8", timeout=100,
            check=False,
        )  # fmt: skip
    finally:
        os.close(writing)


@pytest.mark.skipif(os.name == "nt", reason="a pipe of this system")
@pytest.mark.parametrize(
    "words",
    [
        "", "--help", "plan --help", "--version", "ci", "explain", "explain zero", "completion bash", "validate",
        "validate -o json", "validate -o github", "fmt --diff", "plan", "plan -o json", "plan -o html", "status",
        "clients", "customers Acme", "history", "statement", "doctor", "demo", "init elsewhere", "check-invoices"
    ],
)  # fmt: skip
def test_a_reader_who_has_gone_is_no_failure(bench: Bench, words: str) -> None:
    done = without_reader(bench, *words.split())
    assert "roken pipe" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "could not be written to stdout" not in done.stderr
    assert done.returncode == {"": 64, "ci": 64, "doctor": done.returncode, "check-invoices": 3}.get(words, 0), (
        done.stderr
    )


def test_what_is_written_to_halopsa_does_not_hang_on_a_reader(bench: Bench) -> None:
    done = without_reader(bench, "apply", "--auto-approve", "--only", "infima-102")
    assert (done.returncode, "rror" in done.stderr) == (0, False)
    assert bench.writes() == 0
    bench.world.users_join(102, 2)
    assert without_reader(bench, "apply", "--auto-approve", "--only", "infima-102").returncode == 0
    assert bench.world.licences[9002]["count"] == 13
