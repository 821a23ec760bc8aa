"""The command line: options -> frozen values; wire; run; exit code. One small file per command group."""

OBJECTS_BETWEEN_COLLECTIONS = 200_000

LONGEST_TURN = 0.0005
"""Seconds. Readers wait for answers while the main thread imports and computes; with Python's 5 ms each of them would
wait that much longer before it asks for the next page."""


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
    sys.setswitchinterval(LONGEST_TURN)
    from reconciler.cli.main import run  # noqa: PLC0415

    # Both streams are flushed and every file is closed by now. What is left of a process are reads that nobody wants
    # any more (a broken mappings.yaml ends a run that began reading ahead) and a last, useless look for garbage.
    os._exit(run())
