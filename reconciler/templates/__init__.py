"""What `init` writes into a new repository.

Schema, workflows, their scripts and the locked dependencies have one copy each: this repository's own, which the wheel
carries under `shipped/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib import resources
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path, PurePosixPath

from reconciler import __version__

WORKFLOWS = {
    "plan.yml": "each pull request shows its plan",
    "apply.yml": "a merge is applied",
    "nightly.yml": "every night the quantities follow the counts",
}
SCRIPTS = ("apply-options", "journal", "notify", "snapshot", "with-git-token")

_LINK_BESIDE = re.compile(r"\]\((?!https?:|#)([^)]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One file: where it goes, below the repository's root, what is in it, and what it is for."""

    path: str
    text: str
    purpose: str
    executable: bool = False


def templates(schema: str, *, workflows: bool = True, currency: str = "", timezone: str = "") -> tuple[Template, ...]:
    """Every file of a new repository; `schema` is the schema of mappings.yaml. The workflows can be left out."""
    mappings = _own("mappings.yaml", "mappings.yaml", "which client belongs to which customer")
    hooks = _own(".pre-commit-config.yaml", "pre-commit-config.yaml", "checks before a commit")
    found = (
        replace(mappings, text=_with_settings(mappings.text, currency=currency, timezone=timezone)),
        Template(path="schema/mappings.schema.json", text=schema, purpose="completion and checks in editors"),
        _own(".gitignore", "gitignore", "the state stays out of git"),
        _own(".gitattributes", "gitattributes", "the same bytes everywhere"),
        _own(".editorconfig", "editorconfig", "editors agree on spaces"),
        _own(".vscode/settings.json", "vscode-settings.json", "the schema in VS Code"),
        replace(hooks, text=hooks.text.replace("VERSION", __version__)),
        _own(".github/CODEOWNERS", "CODEOWNERS", "who has to agree"),
    )
    return (*found, *_workflows()) if workflows else found


def _with_settings(text: str, *, currency: str, timezone: str) -> str:
    """The file with what is known of its settings at its end, instead of the example."""
    lines = [f"  timezone: {timezone}  # days, months and every `until` are meant in it"] if timezone else []
    if currency:
        lines.append(f"  currency: {currency}  # of the prices in HaloPSA: what changes come to a month, an estimate")
    if not lines:
        return text
    before, _, after = text.partition("# settings:\n")
    return before + after.partition("\n\n")[2] + "\n" + "\n".join(["settings:", *lines, ""])


def _workflows() -> tuple[Template, ...]:
    return (
        *(
            Template(path=f".github/workflows/{name}", text=_shipped(f".github/workflows/{name}"), purpose=purpose)
            for name, purpose in WORKFLOWS.items()
        ),
        *(
            Template(path=f".ci/{name}", text=_shipped(f".ci/{name}"), purpose="called by workflows", executable=True)
            for name in SCRIPTS
        ),
        _own(".ci/reconciler", "ci-reconciler", "called by workflows", executable=True),
        _own(".ci/pin", "ci-pin", "pins a release of the program by its hash", executable=True),
        _own(".github/dependabot.yml", "dependabot.yml", "proposes newer actions and dependencies"),
        _own("Makefile", "Makefile", "installs the program for workflows"),
        Template(path="docs/gitops.md", text=_page("docs/gitops.md"), purpose="how the workflows are set up"),
        Template(path="requirements.txt", text=_shipped("requirements/run.txt"), purpose="locked dependencies"),
        Template(
            path="requirements-notify.txt",
            text=_shipped("requirements/notify.txt"),
            purpose="with what sends messages to people",
        ),
    )


def _own(path: str, name: str, purpose: str, *, executable: bool = False) -> Template:
    text = resources.files("reconciler.templates").joinpath("files", name).read_text(encoding="utf-8")
    return Template(path=path, text=text, purpose=purpose, executable=executable)


def _page(path: str) -> str:
    """A page that is brought alone: the pages beside it that it links are named by their address, in this version."""
    try:
        addresses = metadata("halo-infima-reconciler").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from its source, without an installation
        return _shipped(path)
    source = next(address.removeprefix("Source, ") for address in addresses if address.startswith("Source, "))
    folder = f"{source}/blob/v{__version__}/{PurePosixPath(path).parent}"
    return _LINK_BESIDE.sub(lambda link: f"]({folder}/{link[1]})", _shipped(path))


def _shipped(path: str) -> str:
    """A file of this repository: inside the wheel, or in a checkout. FileNotFoundError: a broken installation."""
    inside = resources.files("reconciler.templates").joinpath("shipped", *path.split("/"))
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(__file__).resolve().parents[2] / path).read_text(encoding="utf-8")
