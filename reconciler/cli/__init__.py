"""The command line: options -> frozen values; wire; run; exit code. One small file per command group."""

OBJECTS_BETWEEN_COLLECTIONS = 200_000


def entry() -> None:
    """Where the `reconciler` command starts."""
    import sys  # noqa: PLC0415 - `import reconciler.cli` alone must cost nothing

    from reconciler.cli.front import answer_at_once  # noqa: PLC0415

    if answer_at_once(sys.argv[1:]):
        return
    import gc  # noqa: PLC0415

    # A command reads much and throws little away: the default of 700 objects rescans the same rows again and again.
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 10, 10)
    from reconciler.cli.main import run  # noqa: PLC0415

    try:
        run()
    finally:
        gc.freeze()  # the process ends: nothing is gained by a last look for garbage, which takes a tenth of the run
