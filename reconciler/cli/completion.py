"""`reconciler completion`, and the one shell that click does not know."""

from __future__ import annotations

import os
import sys

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from reconciler.cli.options import CommonOptions, common_options
from reconciler.cli.output import say, tell

_INSTALL = {
    "bash": "Add to ~/.bashrc:  source <(reconciler completion bash)",
    "zsh": "Add to ~/.zshrc, below compinit:  source <(reconciler completion zsh)",
    "fish": "Run once:  reconciler completion fish > ~/.config/fish/completions/reconciler.fish",
    "powershell": "Add to $PROFILE:  reconciler completion powershell | Out-String | Invoke-Expression",
}

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $env:%(complete_var)s = "powershell_complete"
    $env:COMP_WORDS = $commandAst.ToString()
    $env:COMP_CWORD = $wordToComplete
    try {
        %(prog_name)s | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            [System.Management.Automation.CompletionResult]::new($value, $value, "ParameterValue", $help)
        }
    } finally {
        Remove-Item Env:%(complete_var)s, Env:COMP_WORDS, Env:COMP_CWORD -ErrorAction SilentlyContinue
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Completion for PowerShell 5 and newer: value and tooltip, a tab between them, one a line."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ.get("COMP_WORDS", ""))[1:]
        incomplete = os.environ.get("COMP_CWORD", "")
        if incomplete and words and words[-1] == incomplete:
            words.pop()
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.value}\t{' '.join((item.help or item.value).split())}"


def register_shells() -> None:
    """Tell click of the shell that it does not know."""
    add_completion_class(PowerShellComplete)


@click.command()
@click.argument("shell", type=click.Choice(list(_INSTALL)))
@common_options
@click.pass_obj
def completion(options: CommonOptions, *, shell: str) -> int:  # noqa: ARG001 - the same for all
    """Print the script that lets your shell complete commands, options, rules, and keys and names in mappings.yaml.

    No network.

    \b
    Environment: RECONCILER_MAPPINGS names the file whose keys are completed.

    \b
    Examples:
      source <(reconciler completion bash)
      reconciler completion fish > ~/.config/fish/completions/reconciler.fish
      reconciler completion powershell | Out-String | Invoke-Expression
    """
    register_shells()
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"No completion for {shell}.")
    made = kind(click.get_current_context().find_root().command, {}, "reconciler", "_RECONCILER_COMPLETE")
    say(made.source_template % made.source_vars())
    if sys.stdout.isatty():  # a shell that reads the script, each time that it starts, needs no advice
        tell(_INSTALL[shell])
    return 0
