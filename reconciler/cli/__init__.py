"""The command line: options -> frozen values; wire; run; exit code. One small file per command."""

from reconciler.cli.main import entry

__all__ = ["entry"]
