"""Pictures inside a page: addresses that need no request."""

import base64
import io

from PIL import Image


def data_url(picture: Image.Image, longest: int | None = None) -> str:
    """The picture as the address of a JPEG, no side longer than `longest` pixels."""
    if longest:
        picture = picture.copy()
        picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90, comment=b"")  # else that of the file goes along
    return address(buffer.getvalue())


def address(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
