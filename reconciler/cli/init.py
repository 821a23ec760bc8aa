"""`reconciler init`."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.options import CommonOptions, common_options
from reconciler.cli.output import safe, say, tell
from reconciler.config.checking import schema_text
from reconciler.errors import UsageError
from reconciler.templates import Template, templates

NEXT = """
Next:
  1. Set HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET and INFIMA_API_KEY (each secret also as ..._FILE).
  2. reconciler doctor    says "Connected" when both systems answer, and what to mend until then
  3. reconciler map       goes through INFIMA's clients and asks which customer each one bills to
  4. reconciler plan      shows what would change; it never writes
  5. reconciler apply     does it, after asking
"""


@click.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--no-workflows", is_flag=True, help="Leave GitHub's workflows out.")
@common_options
@click.pass_obj
def init(options: CommonOptions, *, directory: Path, no_workflows: bool) -> int:  # noqa: ARG001 - the same for all
    """Start a repository: mappings.yaml with comments, schema, workflows, editor settings. Never overwrites a file.

    No network, and no variables are needed.

    \b
    Examples:
      reconciler init
      reconciler init billing --no-workflows
    """
    made: list[Template] = []
    kept: list[Template] = []
    for template in templates(schema_text("mappings.schema.json"), workflows=not no_workflows):
        (made if _write(directory / template.path, template) else kept).append(template)
    for template in made:
        say(safe(f"  created  {template.path}  ({template.purpose})"))
    for template in kept:
        say(safe(f"  kept     {template.path}  (it was there already and is as it was)"))
    if made:
        missing = [
            t for t in kept if t.path in {".gitignore", ".gitattributes"} and not _holds(directory, t.path, t.text)
        ]
        for template in missing:
            tell(safe(f"Add to {template.path}:"))
            for line in template.text.splitlines():
                tell(f"    {line}")
    if directory != Path():
        tell("\n" + safe(f"Next: cd {directory}"))
    tell(NEXT.strip("\n"))
    if not no_workflows:
        tell("For the workflows: put reconciler's wheel into vendor/ and commit it; docs/gitops.md has the rest.")
    return 0


def _write(path: Path, template: Template) -> bool:
    """Write a new file; False where something is there already. Raises `UsageError` when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(template.text)
        if template.executable:
            path.chmod(0o755)
    except FileExistsError:
        if not path.parent.is_dir():
            raise UsageError(f"{path.parent} is not a directory.", hint="Name another directory.") from None
        return False
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", hint="Name a directory that you may write to."
        ) from error
    return True


def _holds(directory: Path, path: str, text: str) -> bool:
    """True when the file that was kept has all the lines that matter."""
    try:
        standing = (directory / path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return all(line in standing for line in text.splitlines() if not line.startswith("#"))
