"""RGB image -> x. `eval_transforms` is shared by app, command, validation and tests, so that all see one thing."""

import io
import random
from collections.abc import Callable, Sequence
from functools import partial

import torch
from PIL import Image, ImageFilter

from detector.vision import transforms

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, RGB in [0, 1]
STD = (0.229, 0.224, 0.225)
LONGEST = 16_383  # pixels a side that WebP can hold; JPEG holds four times as many


def eval_transforms(input_size: int = 224, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Callable:
    """The whole image, resized to a square: RGB image -> x (3, input_size, input_size).

    Nothing is cropped, so that every pixel of the upload has its place in the maps.
    """
    return transforms.Compose([transforms.Resize((input_size, input_size)), *_to_tensor(mean, std)])


def as_seen(x: torch.Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Image.Image:
    """The other way: what the network was given, x (3, S, S), as an RGB image (S, S)."""
    pixels = x.permute(1, 2, 0) * torch.tensor(std) + torch.tensor(mean)
    return Image.fromarray((pixels.clamp(0, 1) * 255).round().byte().numpy())


def train_transforms(input_size: int, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Callable:
    """The same for the `robust` recipe: passed through the web, a random part of the image, mirrored at random."""
    return transforms.Compose(
        [
            Web(),
            # 0.6: a teacher saw the whole image; and of smaller parts many hold nothing but sky.
            transforms.RandomResizedCrop(input_size, scale=(0.6, 1.0), ratio=(3 / 4, 4 / 3)),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
            *_to_tensor(mean, std),
        ]
    )


def web_transforms(input_size: int, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Callable:
    """For the `head` recipe, beside the image as it is: passed through the web, a random part, mirrored at random."""
    return transforms.Compose(
        [
            Web(p=1.0),
            transforms.RandomResizedCrop(input_size, scale=(0.6, 1.0), ratio=(3 / 4, 4 / 3)),
            transforms.RandomHorizontalFlip(),
            *_to_tensor(mean, std),
        ]
    )


def card_transforms(input_size: int = 224, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Callable:
    """The published model's augmentation as its card names it: random flips, rotations, colour jitter."""
    return transforms.Compose(
        [
            transforms.Resize((input_size, input_size)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomRotation(10),  # degrees, torchvision's tutorial value; the card gives no strengths
            transforms.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
            *_to_tensor(mean, std),
        ]
    )


def in_two(transform: transforms.Compose) -> tuple[transforms.Compose, transforms.Compose]:
    """One of these as RGB image -> uint8 (3, S, S), and uint8 batch (N, 3, S, S) -> x: to the last bit the same.

    Between processes bytes go in a quarter of the memory that floats take.
    """
    return transforms.Compose(transform.transforms[:-2]), transforms.Compose(transform.transforms[-2:])


def _to_tensor(mean: Sequence[float], std: Sequence[float]) -> list:
    return [transforms.PILToTensor(), transforms.ConvertImageDtype(torch.float32), transforms.Normalize(mean, std)]


def recompress(image: Image.Image, quality: int, image_format: str = "JPEG") -> Image.Image:
    """The image after one round of lossy compression (quality 1-100), scaled down if it is longer than codecs allow."""
    if max(image.size) > LONGEST:
        scale = LONGEST / max(image.size)
        image = image.resize([max(1, int(length * scale)) for length in image.size], Image.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, image_format, quality=quality)
    return Image.open(buffer).convert("RGB")


class Web:
    """What happens to a picture on its way: scaled, compressed once or twice, blurred or scaled back. Or nothing.

    One distribution for all classes, so that the way a class was collected teaches nothing. Draws from `random`,
    which a DataLoader seeds for each worker.
    """

    def __init__(self, p: float = 0.7):
        self.p = p  # share of images that are touched at all

    def __call__(self, image: Image.Image) -> Image.Image:
        if random.random() >= self.p:
            return image
        width, height = image.size
        if random.random() < 0.6:
            # Short side in pixels: from a thumbnail to somewhat above this data's 240.
            image = resize_short_side(image, random.randint(112, 288))
        if random.random() < 0.15:
            image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.2)))
        for _ in range(random.randint(1, 2)):
            image = recompress(image, random.randint(40, 95), random.choice(("JPEG", "JPEG", "WEBP")))
        if random.random() < 0.25:  # a screenshot of a page that shows it at another size
            image = image.resize((width, height), random.choice((Image.BILINEAR, Image.BICUBIC, Image.NEAREST)))
        return image


def hard(image: Image.Image) -> Image.Image:
    """Half the size, then JPEG 40: what is left of a picture that was passed around."""
    return recompress(image.resize([max(1, length // 2) for length in image.size], Image.BICUBIC), 40)


def resize_short_side(image: Image.Image, side: int) -> Image.Image:
    """The image scaled so that its shorter side has `side` pixels."""
    scale = side / min(image.size)
    return image.resize([max(1, round(length * scale)) for length in image.size], Image.BICUBIC)


def prepared(image: Image.Image) -> Image.Image:
    """What this project's images of round 2 went through: the short side 256 pixels at most, JPEG 88."""
    return recompress(resize_short_side(image, 256) if min(image.size) > 256 else image, 88)


# What a model is measured on: the image as it is, after one trip through the web, after many, after random ones.
# No lambdas: where a loader's workers are spawned they could not be sent there.
VARIANTS = {
    "clean": Web(0.0),
    "web": partial(recompress, quality=70),
    "hard": hard,
    "degraded": Web(1.0),
}
