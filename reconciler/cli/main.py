"""The command group: which commands there are, and what every error and every exit code comes to."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from itertools import pairwise

import click
from click.shell_completion import CompletionItem

from reconciler import __version__
from reconciler.cli.options import DOCUMENTS, CommonOptions, common_options
from reconciler.cli.output import clear_terminal, close_streams, closest, forget_unwritten, prepare_streams, say, tell
from reconciler.errors import ExitCode, Interrupted, ReconcilerError, UsageError

OBJECTS_BETWEEN_COLLECTIONS = 200_000

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init:init", "Start a repository: mappings.yaml, schema, workflows, editor settings."),
    "doctor": ("doctor:doctor", "Check connections, rights, counts and state, each with its fix."),
    "probe": ("probe:probe", "Ask your HaloPSA what no documentation tells, on a throw-away customer."),
    "plan": ("plan:plan", "Show what would change. Never writes."),
    "apply": ("apply:apply", "Create missing Subscriptions and set quantities."),
    "show": ("show:show", "Draw a saved plan."),
    "validate": ("validate:validate", "Check mappings.yaml, without network."),
    "status": ("status:status", "Each mapping at a glance, what needs attention first."),
    "explain": ("explain:explain", "Tell why a number is what it is, or what a rule or error means."),
    "clients": ("customers:clients", "List INFIMA's clients: unmapped, mapped, ignored."),
    "customers": ("customers:customers", "Search HaloPSA's customers live."),
    "check-invoices": ("check_invoices:check_invoices", "Find Subscriptions that are on no recurring invoice."),
    "map": ("map:map_clients", "Map INFIMA clients to HaloPSA customers, by question or by option."),
    "propose": ("propose:propose", "Propose the edits of mappings.yaml that both systems suggest."),
    "fmt": ("fmt:fmt", "Bring mappings.yaml into canonical form."),
    "history": ("history:history", "List past runs, or one mapping's changes."),
    "report": ("report:report", "One offline HTML file that tells it all."),
    "statement": ("statement:statement", "A month's quantities for finance."),
    "backtest": ("backtest:backtest", "Replay past nights through other mappings or limits."),
    "undo": ("undo:undo", "Prepare to set back what a past run wrote."),
    "state": ("state:state", "What is remembered, and where: show it, or move it."),
    "adopt": ("decision:adopt", "Bind a mapping to an existing Subscription, by hand."),
    "resolve": ("decision:resolve", "Decide a create without an answer, or a Subscription that is gone."),
    "approve": ("approve:approve", "Write an approval of what is held into mappings.yaml."),
    "ci": ("ci:ci", "Report a run to GitHub, GitLab or Azure DevOps."),
    "completion": ("completion:completion", "Print the completion script for your shell."),
    "demo": ("demo:demo", "Tell the whole story on the simulator."),
    "simulate": ("simulate:simulate", "Run the simulator as a server on 127.0.0.1."),
}
"""Each command's place in `reconciler.cli` and its line in --help, so that help imports none of them."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"reconciler.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not ctx.resilient_parsing and not name.startswith("-") and name not in COMMANDS:
            near = closest(name, list(COMMANDS))
            raise click.UsageError(f"No such command {name!r}." + (f" Did you mean {near!r}?" if near else ""), ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands from the table, and the group's own options: no command's module is imported."""
        named = [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 error, 2 changes pending (plan --detailed-exitcode), 3 held or refused, "
    "4 incomplete, 64 usage, 130 interrupted.",
)
@click.version_option(__version__, message="reconciler %(version)s")
@common_options
def cli() -> None:
    """Keep HaloPSA Subscription quantities equal to INFIMA active-user counts.

    mappings.yaml says which INFIMA client belongs to which HaloPSA customer. `plan` shows what would change, `apply`
    does it; nothing else in HaloPSA is ever touched.

    \b
    Examples:
      reconciler validate
      reconciler plan
      reconciler apply
      reconciler demo
    """


def entry() -> None:
    """Where the `reconciler` command starts."""
    # A command reads much and throws little away: the default of 700 objects rescans the same rows again and again.
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 10, 10)
    sys.exit(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; both streams are flushed."""
    heard = prepare_streams()
    code = close_streams(main(arguments))
    if not heard:
        tell("Error: stdout is closed, so nobody has seen the result.")
        code = code or 1
    return code


def main(arguments: Sequence[str] | None = None) -> int:  # noqa: PLR0911 - one return for each way to end
    """Run one command and return the exit code."""
    options = CommonOptions()
    if os.environ.get("_RECONCILER_COMPLETE", "").startswith("powershell"):
        from reconciler.cli.completion import register_shells  # noqa: PLC0415 - only that shell asks

        register_shells()
    try:
        with options.stopper.listen():
            result = cli.main(args=arguments, prog_name="reconciler", standalone_mode=False, obj=options)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())  # the whole help, and nothing called an error; no command was run all the same
        return ExitCode.USAGE
    except click.UsageError as error:
        return _usage(error, list(sys.argv[1:] if arguments is None else arguments))
    except click.ClickException as error:
        tell(f"Error: {error.format_message()}")
        return ExitCode.USAGE
    except ReconcilerError as error:
        _report(error, options)
        return _leave_at_once(error.exit_code) if isinstance(error, Interrupted) else error.exit_code
    except (KeyboardInterrupt, click.Abort):
        clear_terminal()
        tell("")  # the terminal has just printed ^C
        stopped = Interrupted("Interrupted before the first write: nothing was changed.", hint="Run it again.")
        _report(stopped, options)
        return _leave_at_once(stopped.exit_code)
    except SystemExit:  # click's own answer to a reader who has gone
        return ExitCode.DONE
    except OSError as error:  # stdout is full or its reader has gone; what was written to HaloPSA is in the journal
        tell(f"Error: {error.strerror or error}. What was already done is recorded in the state.")
        forget_unwritten()
        return ExitCode.ERROR
    return result if isinstance(result, int) else 0


def _report(error: ReconcilerError, options: CommonOptions) -> None:
    from reconciler.cli.drawing import report_error  # noqa: PLC0415 - --help must not wait for what draws errors

    report_error(error, options)


def _usage(error: click.UsageError, words: Sequence[str]) -> int:
    if output := _document_wanted(words):
        from reconciler.cli.drawing import show_error_document  # noqa: PLC0415 - as above

        show_error_document(UsageError(error.format_message()), output)
    if error.ctx is not None:
        tell(error.ctx.get_usage())
        tell(f"Try '{error.ctx.command_path} --help' for help.\n")
    tell(f"Error: {error.format_message()}")
    return ExitCode.USAGE


def _document_wanted(words: Sequence[str]) -> str:
    """The document, json or terraform, that a command line asks for which click did not understand; or nothing."""
    wanted = (
        name
        for word, after in pairwise([*words, ""])
        for name in DOCUMENTS
        if word in {f"-o{name}", f"--output={name}"} or (word in {"-o", "--output"} and after == name)
    )
    return next(wanted, "")


def _leave_at_once(code: int) -> int:
    """End without waiting for reads that are still on their way; nothing is being written any more."""
    os._exit(close_streams(code))
