"""A teacher beside the labels: CLIP's image tower, whose features DenseNet121 learns to predict.

From the middle of the tower, which travels best to pictures of new sources, and from its end (hints: Romero et al.
2015, arXiv:1412.6550). It looks at every image once, clean and whole, and what it saw is kept in the cache: an epoch
costs what training costs. The teacher is never part of the product.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from detector.checkpoint import CheckpointError, cache_folder, read_state_dict, write_whole
from detector.hub import Missing, fetch, names_repository
from detector.model import DenseNet121
from detector.transforms import eval_transforms
from train.data.folders import Sample
from train.fitting.steps import Precision, predict_logits
from train.machine import from_first, say
from train.recipes import LOOKED_AT

SIZE, WIDTH, HEADS, BLOCKS = 224, 768, 12, 12  # ViT-B/16: pixels, channels, heads, blocks
MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's own, RGB in [0, 1]
STD = (0.26862954, 0.26130258, 0.27577711)
# The blocks whose patch tokens' mean is a feature; the class token at the end is one more.
MIDDLE = (6, 9)


class Teacher(nn.Module):
    """CLIP ViT-B/16's image tower (Radford et al. 2021, arXiv:2103.00020), frozen, from a file of transformers' layout:
    x (N, 3, 224, 224), in CLIP's normalisation -> features (N, 3, 768), of the middle, later, and of the end."""

    def __init__(self, path: Path):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 16, 16, bias=False)
        self.first = nn.Parameter(torch.empty(WIDTH))
        self.positions = nn.Parameter(torch.empty(1 + (SIZE // 16) ** 2, WIDTH))
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, _quick_gelu, batch_first=True, norm_first=True)
            for _ in range(BLOCKS)
        )
        try:
            self.load_state_dict(_as_torch_names(read_state_dict(path)))
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"{path} does not hold CLIP ViT-B/16's image tower ({error}).") from error
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Teacher":
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.before(torch.cat([self.first.expand(len(x), 1, -1), x], 1) + self.positions)
        seen = []
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            if number in MIDDLE:
                seen.append(x[:, 1:].mean(1))
        return torch.stack([*seen, self.after(x[:, 0])], 1)


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def _as_torch_names(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """transformers' names -> torch.nn's, in fp32."""
    theirs = {key.removeprefix("vision_model."): value.float() for key, value in state_dict.items()}
    found = {
        "patches.weight": theirs["embeddings.patch_embedding.weight"],
        "first": theirs["embeddings.class_embedding"],
        "positions": theirs["embeddings.position_embedding.weight"],
    }
    for kind in ("weight", "bias"):
        found |= {f"before.{kind}": theirs[f"pre_layrnorm.{kind}"], f"after.{kind}": theirs[f"post_layernorm.{kind}"]}
        for i in range(BLOCKS):
            block = f"encoder.layers.{i}"
            parts = [theirs[f"{block}.self_attn.{name}_proj.{kind}"] for name in "qkv"]
            found |= {
                f"blocks.{i}.self_attn.in_proj_{kind}": torch.cat(parts),
                f"blocks.{i}.self_attn.out_proj.{kind}": theirs[f"{block}.self_attn.out_proj.{kind}"],
                f"blocks.{i}.linear1.{kind}": theirs[f"{block}.mlp.fc1.{kind}"],
                f"blocks.{i}.linear2.{kind}": theirs[f"{block}.mlp.fc2.{kind}"],
                f"blocks.{i}.norm1.{kind}": theirs[f"{block}.layer_norm1.{kind}"],
                f"blocks.{i}.norm2.{kind}": theirs[f"{block}.layer_norm2.{kind}"],
            }
    return found


def find_teacher(name: str) -> Path:
    """The file of weights that a path, or a repository of the Hub, names. Raises CheckpointError."""
    if Path(name).is_file():
        return Path(name)
    if not names_repository(name):
        raise CheckpointError(f"There is no teacher {name}; give a file of CLIP's weights or a repository of the Hub.")
    try:
        return fetch(name, ["model.safetensors"]).paths[0]
    except Missing:
        return fetch(name, ["pytorch_model.bin"]).paths[0]


def look_at(samples: Sequence[Sample], path: Path, precision: Precision) -> Tensor:
    """The features (N, 3, 768) of all samples by the teacher in `path`, from the cache if it has seen them before."""
    weights = hashlib.sha256(path.read_bytes()).hexdigest()
    blocks = "-".join(map(str, MIDDLE))
    folder, name = cache_folder() / "teacher", f"{weights[:16]}-{blocks}.safetensors"
    keys = [hashlib.sha256(sample.path.read_bytes()).hexdigest() for sample in samples]
    seen = from_first(lambda: read_state_dict(folder / name) if (folder / name).is_file() else {})
    new = list({key: sample for key, sample in zip(keys, samples, strict=True) if key not in seen}.items())
    if new:
        say(f"The teacher looks at {len(new)} images, once; what it sees is kept in {folder}.")
        teacher = Teacher(path).to(precision.device)
    for start in range(0, len(new), LOOKED_AT):
        part = dict(new[start : start + LOOKED_AT])
        features = predict_logits(
            teacher, list(part.values()), eval_transforms(SIZE, MEAN, STD), precision, f"teacher, {start}/{len(new)}"
        )
        seen |= dict(zip(part, features.half(), strict=True))
        from_first(partial(_keep, folder / name, seen))
    return torch.stack([seen[key] for key in keys]).float()


def _keep(path: Path, seen: dict[str, Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path.parent, {path.name: save(seen)})


class Distiller(nn.Module):
    """A DenseNet121 and the linear layer that says what the teacher saw (used in training only), from what the
    classifier too is given: the mean of the last norm.

    `features` (n, 3, 768): the teacher's, of all images of the training. They lie outside the module's buffers, which
    several processes would send to each other in every step.
    """

    def __init__(self, model: DenseNet121, features: Tensor):
        super().__init__()
        self.model = model
        self.adapter = nn.Linear(model.classifier.in_features, features[0].numel())
        std, mean = torch.std_mean(features, 0)
        self.features = ((features - mean) / (std + 1e-6)).flatten(1)

    def forward(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """x (N, 3, H, W), index (N,) -> logits (N, 3), hint loss (): 1 is what knowing nothing costs, 0 is the teacher
        itself."""
        pooled = torch.relu(self.model.forward_features(x)).mean((2, 3))  # (N, 1024)
        told = self.adapter(pooled).float()
        return self.model.classifier(pooled), F.mse_loss(told, self.features[index].to(told.device))
