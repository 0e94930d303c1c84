"""The gallery as a strip of pictures that do not tell whose they are."""

from detector.verdict import NAMES
from ui.shared import Room


class Strip(Room):
    """Its value is {"n", "folder"}: small copies 0.jpg, 1.jpg ... in a folder that is served. For what is clicked the
    viewer asks."""

    def __init__(self):
        super().__init__("strip", ["strip/strip"], "examples", names=NAMES)
