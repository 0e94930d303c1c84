"""The teacher, CLIP: its weights, what it sees, and what DenseNet121 learns of it."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

from detector.images import open_image
from detector.transforms import eval_transforms
from experiments.bundled.clip import floats
from train.__main__ import main
from train.data.folders import read_splits
from train.fitting import teacher
from train.fitting.plans import whole_network
from train.fitting.start import initial_model
from train.fitting.steps import Precision, targets_of
from train.recipes import ROBUST


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """A file of weights in transformers' layout, of a tower with 3 blocks and 48 channels."""
    for name, value in {"WIDTH": 48, "HEADS": 4, "BLOCKS": 3, "MIDDLE": (1, 2)}.items():
        monkeypatch.setattr(teacher, name, value)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    shapes = {
        "embeddings.class_embedding": [48],
        "embeddings.patch_embedding.weight": [48, 3, 16, 16],
        "embeddings.position_embedding.weight": [197, 48],
    }
    norms = ["pre_layrnorm", "post_layernorm"]
    for i in range(3):
        block = f"encoder.layers.{i}"
        norms += [f"{block}.layer_norm1", f"{block}.layer_norm2"]
        layers = {f"self_attn.{name}_proj": (48, 48) for name in ("q", "k", "v", "out")}
        for name, (n_in, n_out) in (layers | {"mlp.fc1": (48, 192), "mlp.fc2": (192, 48)}).items():
            shapes |= {f"{block}.{name}.weight": [n_out, n_in], f"{block}.{name}.bias": [n_out]}
    shapes |= {f"{name}.{kind}": [48] for name in norms for kind in ("weight", "bias")}
    generator = torch.Generator().manual_seed(0)
    weights = {f"vision_model.{k}": torch.randn(v, generator=generator) * 0.2 for k, v in shapes.items()}
    save_file(weights | {"logit_scale": torch.zeros(1)}, tmp_path / "clip.safetensors")
    return tmp_path / "clip.safetensors"


def test_teacher_equals_the_formulas_of_its_paper(clip):
    """Radford et al. 2021 and Dosovitskiy et al. 2021 (arXiv:2010.11929, equations 1 to 8), in fp64, head by head."""
    w = {key.removeprefix("vision_model."): value.double().numpy() for key, value in load_file(clip).items()}
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))

    def norm(z, name):
        z = (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)
        return z * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(z, name):
        return z @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def block(z, name):
        q, k, v = (linear(norm(z, f"{name}.layer_norm1"), f"{name}.self_attn.{n}_proj") for n in "qkv")
        heads = []
        for h in range(4):
            mine = slice(12 * h, 12 * (h + 1))
            scores = np.exp(q[..., mine] @ k[..., mine].swapaxes(1, 2) / np.sqrt(12))
            heads.append(scores / scores.sum(-1, keepdims=True) @ v[..., mine])
        z = z + linear(np.concatenate(heads, -1), f"{name}.self_attn.out_proj")
        hidden = linear(norm(z, f"{name}.layer_norm2"), f"{name}.mlp.fc1")
        return z + linear(hidden / (1 + np.exp(-1.702 * hidden)), f"{name}.mlp.fc2")

    patches = x.double().numpy().reshape(2, 3, 14, 16, 14, 16).transpose(0, 2, 4, 1, 3, 5).reshape(2, 196, -1)
    tokens = patches @ w["embeddings.patch_embedding.weight"].reshape(48, -1).T
    first = np.broadcast_to(w["embeddings.class_embedding"], (2, 1, 48))
    z = norm(np.concatenate([first, tokens], 1) + w["embeddings.position_embedding.weight"], "pre_layrnorm")
    z = block(z, "encoder.layers.0")
    middle = z[:, 1:].mean(1)
    z = block(z, "encoder.layers.1")
    later = z[:, 1:].mean(1)
    end = norm(block(z, "encoder.layers.2")[:, 0], "post_layernorm")
    with torch.inference_mode():
        found = teacher.Teacher(clip).train()(x)
    assert found.numpy() == pytest.approx(np.stack([middle, later, end], 1), abs=1e-3)


def test_weights_in_bytes_become_floats_again():
    """As ONNX Runtime quantizes: int8, a scale and a zero point for each output channel."""
    weight = np.random.default_rng(0).normal(size=(6, 4)).astype("f")  # (in, out)
    scale = np.ptp(weight, 0) / 255
    zero = np.round(-128 - weight.min(0) / scale).clip(-128, 127)
    stored = {
        "m_quantized": np.round(weight / scale + zero).clip(-128, 127).astype("int8"),
        "m_scale": scale.astype("f"),
        "m_zero_point": zero.astype("int8"),
        "vision_model.pre_layrnorm.bias": np.arange(4, dtype="f"),
        "something.else": np.zeros(1, "f"),
    }
    node = onnx.helper.make_node(
        "MatMulInteger",
        ["x", "m_quantized", "x_zero_point", "m_zero_point"],
        ["y"],
        "/vision_model/mlp/fc1/MatMul_quant",
    )
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = onnx.helper.make_graph([node], "g", [], [], tensors)
    found = floats(onnx.helper.make_model(graph).SerializeToString())
    assert set(found) == {"vision_model.pre_layrnorm.bias", "vision_model.mlp.fc1.weight"}
    assert found["vision_model.mlp.fc1.weight"].shape == (4, 6)
    assert (np.abs(found["vision_model.mlp.fc1.weight"] - weight.T) <= 1.01 * scale[:, None]).all()


def test_teacher_looks_at_an_image_once(clip, coloured, monkeypatch):
    samples = read_splits(coloured)["train"]
    exact = Precision(torch.device("cpu"), bf16=False)
    monkeypatch.setattr(teacher, "LOOKED_AT", 5)
    first = teacher.look_at(samples[:7], clip, exact)
    asked = []
    original = teacher.predict_logits
    monkeypatch.setattr(teacher, "predict_logits", lambda *a: asked.extend(a[1]) or original(*a))
    second = teacher.look_at(samples[::-1], clip, exact)
    assert sorted(sample.path for sample in asked) == sorted(sample.path for sample in samples[7:])
    assert torch.equal(second.flip(0)[:7], first)
    x = torch.stack([eval_transforms(224, teacher.MEAN, teacher.STD)(open_image(s.path)) for s in samples[:7]])
    with torch.inference_mode():
        assert torch.allclose(teacher.Teacher(clip)(x), first, atol=2e-2, rtol=2e-3)  # kept in half precision
    assert first.std(0).mean() > 1e-2


def test_hints_come_nearer_to_the_teacher(clip, coloured):
    torch.manual_seed(0)
    exact = Precision(torch.device("cpu"), bf16=False)
    recipe = replace(ROBUST, sizes=(32,) * 8, batch_size=12, lr=3e-3)
    plan = whole_network(recipe, read_splits(coloured), initial_model("scratch")[0], clip, exact)
    losses = []
    plan.objective.train()
    for epoch in range(1, 9):
        for x, index in plan.loader(epoch, plan.batches(epoch, 0)):
            _, hint_loss = plan.objective.distiller(x, index)
            losses.append(hint_loss.item())
            plan.optimizer.zero_grad()
            hint_loss.backward()
            plan.optimizer.step()
            plan.scheduler.step()
    assert np.mean(losses[-3:]) < 0.9  # 1 is what knowing nothing costs


def test_teacher_beside_the_labels(clip, coloured):
    """The loss is that of the labels, and the mean squared error of what the teacher saw, in its own units."""
    exact = Precision(torch.device("cpu"), bf16=False)
    splits = read_splits(coloured)
    model, _ = initial_model("scratch")
    plan = whole_network(replace(ROBUST, sizes=(32,), batch_size=12), splits, model, clip, exact)
    x, index = next(iter(plan.loader(1, plan.batches(1, 0))))
    plan.objective.train()
    loss, right = plan.objective(x, index)
    seen = teacher.look_at(splits["train"], clip, exact)
    wanted = ((seen - seen.mean(0)) / seen.std(0))[index]
    pooled = model.features(x).relu().mean((2, 3))
    told = plan.objective.distiller.adapter(pooled).unflatten(1, (3, 48))
    logits = model.classifier(pooled)
    labels = torch.nn.CrossEntropyLoss(label_smoothing=0.1)(logits, targets_of(splits["train"])[index])
    assert loss.item() == pytest.approx((labels + (told - wanted).square().mean()).item(), rel=1e-3)
    assert right.tolist() == (logits.argmax(1) == targets_of(splits["train"])[index]).tolist()


@pytest.mark.parametrize(("name", "words"), [("wrong", "does not hold CLIP"), ("nowhere", "There is no teacher")])
def test_wrong_teacher_is_one_sentence(tmp_path, coloured, name, words, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / "wrong.safetensors")
    with pytest.raises(SystemExit, match=words):
        main([str(coloured), "--teacher", str(tmp_path / f"{name}.safetensors"), "--init", "scratch"])


def test_teacher_of_the_hub_is_found_in_either_layout(hub, clip):
    hub.files = {("openai/clip", "model.safetensors"): clip.read_bytes()}
    assert teacher.find_teacher("openai/clip").read_bytes() == clip.read_bytes()
    hub.files = {("openai/other", "pytorch_model.bin"): b"pickled"}
    assert teacher.find_teacher("openai/other").read_bytes() == b"pickled"
