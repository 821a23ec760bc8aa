"""What a CI system is told: comments, the one issue, summaries, outputs, annotations and the dead man's switch.

Everything is made from the JSON that `plan` and `apply` print, so that a step which went wrong, or never printed
anything, is reported like any other.
"""
