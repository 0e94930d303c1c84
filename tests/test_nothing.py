"""What holds nothing to judge gets a reason and no figures; what is only dark, pale or simple is judged."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from detector.files import find_images
from detector.images import open_image
from detector.nothing import nothing_to_judge
from detector.output.as_json import to_json
from tests.conftest import EXAMPLES

RNG = np.random.default_rng(0)


def noise(height: int, width: int, channels: int = 3) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, channels), np.uint8).squeeze()).convert("RGB")


def jpeg(image: Image.Image, quality: int = 60) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return open_image(buffer.getvalue())


def faint(level: int, deviation: float) -> Image.Image:
    pixels = np.full((300, 400, 3), level) + RNG.normal(0, deviation, (300, 400, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def gradient(radial: bool) -> Image.Image:
    y, x = np.mgrid[-1:1:300j, -1:1:400j]
    return Image.fromarray(((np.hypot(x, y) / 1.42 if radial else (x + 1) / 2) * 255).astype(np.uint8)).convert("RGB")


def drawn(shape: str) -> Image.Image:
    image = Image.new("RGB", (600, 400), "white")
    pen = ImageDraw.Draw(image)
    if shape == "disc":
        pen.ellipse((200, 100, 400, 300), fill="red")
    elif shape == "line":
        pen.line((0, 200, 600, 200), fill="black", width=3)
    else:
        pen.text((80, 100), "Dear diary,", fill="black")
    return image


CHECKS = np.indices((400, 600)).sum(0)
NOTHING = {
    "green": Image.new("RGB", (640, 400), (0, 128, 0)),
    "green as a JPEG": jpeg(Image.new("RGB", (640, 400), (0, 128, 0))),
    "white": Image.new("RGB", (500, 500), "white"),
    "black": Image.new("RGB", (500, 500)),
    "grey with a camera's noise": jpeg(faint(120, 3)),
    "black with a camera's noise": faint(4, 3),
    "small noise": noise(64, 64),
    "noise": noise(300, 400),
    "noise as a JPEG": jpeg(noise(300, 400)),
    "large noise": noise(2000, 3000),
    "grey noise": noise(512, 512, 1),
    "gaussian noise": faint(128, 40),
    "coloured blocks": noise(40, 50).resize((400, 320), Image.NEAREST),
    "blurred noise": noise(40, 50).resize((400, 320), Image.BICUBIC),
    "black or white pixels": Image.fromarray((RNG.random((400, 400)) > 0.5).astype(np.uint8) * 255).convert("RGB"),
    "gradient": gradient(False),
    "round gradient": gradient(True),
    "chessboard": Image.fromarray((CHECKS // 20 % 2 * 255).astype(np.uint8)).convert("RGB"),
    "fine chessboard": Image.fromarray((CHECKS % 2 * 255).astype(np.uint8)).convert("RGB"),
    "stripes": Image.fromarray(np.tile((np.arange(600) // 10 % 2 * 255).astype(np.uint8), (400, 1))).convert("RGB"),
    "disc": drawn("disc"),
    "line": drawn("line"),
    "two words": drawn("words"),
    "strip": open_image(EXAMPLES / "coffee.png").resize((6000, 400)),
    "green strip": Image.new("RGB", (60_000, 32), (0, 128, 0)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_to_judge(name):
    assert nothing_to_judge(NOTHING[name]) != ""


def test_it_reaches_the_verdict(bundled, pictures):
    """Among others, in one call: no figures, no label, no map; the others are answered as they are alone."""
    given = [NOTHING["noise"], pictures[0], NOTHING["white"], pictures[1]]
    verdicts = bundled.predict(given)
    assert [bool(verdict.abstained) for verdict in verdicts] == [True, False, True, False]
    for i in (0, 2):
        assert verdicts[i].sentence.startswith("There is nothing to judge: it is" if i == 0 else "There is nothing")
        assert "%" not in verdicts[i].sentence
        assert set(to_json(verdicts[i])) == {"abstained", "model"}
        assert (verdicts[i].probs, verdicts[i].maps) == ({}, None)
    for i in (1, 3):
        (alone,) = bundled.predict([given[i]])
        np.testing.assert_allclose(verdicts[i].logits, alone.logits, atol=1e-4)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "GIF"])
def test_transparent_all_over(image_format):
    buffer = io.BytesIO()
    hidden = open_image(EXAMPLES / "coffee.png").convert("RGBA")
    hidden.putalpha(0)
    hidden.save(buffer, image_format, **({"lossless": True} if image_format == "WEBP" else {}))
    assert nothing_to_judge(open_image(buffer.getvalue())) == "it is transparent all over"


@pytest.mark.parametrize("example", ["astronaut.png", "rocket.jpg", "starry_night.jpg", "coffee.png"])
@pytest.mark.parametrize("change", ["dark", "pale", "grey", "small", "wide", "half empty"])
def test_a_picture_is_one_also_when_it_is_dark_or_pale(example, change):
    image = open_image(EXAMPLES / example)
    changed = {
        "dark": lambda: image.point(lambda v: v * 0.25),
        "pale": lambda: image.point(lambda v: 190 + v * 0.25),
        "grey": lambda: image.convert("L").convert("RGB"),
        "small": lambda: image.resize((48, 40)),
        "wide": lambda: image.resize((image.height * 6, image.height)),
        "half empty": lambda: Image.new("RGB", (image.width * 2, image.height * 2), "white"),
    }[change]()
    if change == "half empty":
        changed.paste(image, (image.width // 2, image.height // 2))
    assert nothing_to_judge(changed) == ""


def test_real_photographs_are_judged(real_images):
    """Every second one of val and test, and of these the darkest and the palest: fewer than 1 in 500 are refused."""
    files = find_images(real_images / "test") + find_images(real_images / "val")
    pictures = [(file, open_image(file)) for file in files[::2]]
    refused = [file.name for file, image in pictures if nothing_to_judge(image)]
    assert len(pictures) > 1000
    assert len(refused) <= 2, refused
    brightness = sorted(((float(np.asarray(image).mean()), file) for file, image in pictures), key=lambda row: row[0])
    assert brightness[0][0] < 25  # there are some that are really dark
    for _, file in [*brightness[:20], *brightness[-20:]]:
        assert file.name not in refused
