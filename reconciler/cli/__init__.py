"""The command line: options -> frozen values; wire; run; exit code. One small file per command group."""


def entry() -> None:
    """Where the `reconciler` command starts."""
    import sys  # noqa: PLC0415 - `import reconciler.cli` alone must cost nothing

    from reconciler.cli.front import answer_at_once  # noqa: PLC0415

    if answer_at_once(sys.argv[1:]):
        return
    from reconciler.cli.main import run  # noqa: PLC0415

    run()
