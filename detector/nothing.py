"""Pictures that hold nothing to judge, told by simple statistics: the network would name a class with confidence."""

from PIL import Image


def nothing_to_judge(image: Image.Image) -> str:
    """Why an RGB image holds nothing to judge ("it is one plain colour"), or "" if it does."""
    return ""
