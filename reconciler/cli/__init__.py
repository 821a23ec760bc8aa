"""The command line: options -> frozen values; wire; run; exit code. One small file per command group."""

OBJECTS_BETWEEN_COLLECTIONS = 200_000


def entry() -> None:
    """Where the `reconciler` command starts."""
    import os  # noqa: PLC0415 - `import reconciler.cli` alone must cost nothing
    import sys  # noqa: PLC0415

    from reconciler.cli.front import answer_at_once  # noqa: PLC0415

    if answer_at_once(sys.argv[1:]):
        return
    import gc  # noqa: PLC0415

    # A command reads much and throws little away: the default of 700 objects rescans the same rows again and again.
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 10, 10)
    from reconciler.cli.main import run  # noqa: PLC0415

    # Both streams are flushed and every file is closed by now. What is left of a process are reads that nobody wants
    # any more (a broken mappings.yaml ends a run that began reading ahead) and a last, useless look for garbage.
    os._exit(run())
