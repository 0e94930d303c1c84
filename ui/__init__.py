"""The page, one file a tab. Wiring only: what a command or an API user would want lives in `detector`.

Gradio is imported here, without the stubs that it writes for editors: for them it parses the source of each of its
components at every start, a third of the time of its import. Where a class has no file, it goes without.
"""

import inspect
from unittest.mock import patch

_getfile = inspect.getfile


def _file_of_no_class(of: object) -> str:
    if isinstance(of, type):
        raise OSError("no stubs are wanted")
    return _getfile(of)


with patch.object(inspect, "getfile", _file_of_no_class):
    import gradio  # noqa: F401
