"""The command line: options -> frozen values; wire; run; exit code. One small file per command group."""


def entry() -> None:
    """Where the `reconciler` command starts."""
    from reconciler.cli.main import run  # noqa: PLC0415 - `import reconciler.cli` alone must cost nothing

    run()
