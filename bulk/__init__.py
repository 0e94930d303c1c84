"""Pictures by the million: what `python -m detector` answers, on Ray Data, from and to any file system."""


class BulkError(RuntimeError):
    """A run that cannot begin or go on. Its text is one sentence for people."""


class Unreachable(BulkError):
    """A store that does not answer, which says nothing of what is in it."""
