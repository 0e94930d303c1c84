"""The maps against the library `grad-cam` run on the whole network, the sum rule, and threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_grad_cam import FinerCAM, GradCAM, HiResCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from detector import CLASSES
from detector.explain import LAYERS, METHODS, Maps, explain, explain_with, overlay
from detector.model import DenseNet121


class WholeNetwork(nn.Module):
    """The network as the library needs it: one module, no in-place ReLU over the layer that is hooked."""

    def __init__(self, model: DenseNet121):
        super().__init__()
        self.features, self.classifier = model.features, model.classifier

    def forward(self, x):
        return self.classifier(nn.functional.adaptive_avg_pool2d(torch.relu(self.features(x)), 1).flatten(1))


def library_map(method: type, network: WholeNetwork, x: torch.Tensor, class_index: int) -> np.ndarray:
    """The library's own map (h, w) of one image, before it scales it."""
    with method(model=network, target_layers=[network.features]) as cam:
        cam(x, [ClassifierOutputTarget(class_index)])
        activations, gradients = (
            store[0].numpy() for store in (cam.activations_and_grads.activations, cam.activations_and_grads.gradients)
        )
        return cam.get_cam_image(
            x, network.features, [ClassifierOutputTarget(class_index)], activations, gradients, False
        )[0]


@pytest.mark.parametrize("size", [224, 192])
def test_maps_equal_the_library_on_the_whole_network(bundled, size):
    torch.manual_seed(size)
    x = torch.nn.functional.interpolate(torch.randn(2, 3, 12, 12), (size, size), mode="bilinear")
    with torch.inference_mode():
        ours = explain(bundled.model.forward_features(x), bundled.model.classifier)
    network = WholeNetwork(bundled.model)
    seen = 0
    for image in range(2):
        for index in range(len(CLASSES)):
            one = x[image : image + 1].clone().requires_grad_()  # the model itself is frozen
            cam = np.maximum(library_map(GradCAM, network, one, index), 0)
            evidence = library_map(HiResCAM, network, one, index)
            np.testing.assert_allclose(ours[image].evidence[index], evidence, rtol=1e-3, atol=1e-5)
            np.testing.assert_allclose(ours[image].cam[index], cam, rtol=1e-3, atol=1e-5)
            assert np.corrcoef(ours[image].evidence[index].ravel(), evidence.ravel())[0, 1] > 0.9999
            if cam.std() > 1e-6:  # a map of zeros has no correlation
                seen += 1
                assert np.corrcoef(ours[image].cam[index].ravel(), cam.ravel())[0, 1] > 0.9999
    assert seen >= 2


def test_model_is_left_as_it_was_found(bundled):
    before = {key: value.clone() for key, value in bundled.model.state_dict().items()}
    bundled.predict([Image.new("RGB", (64, 64), "teal")])
    assert all(torch.equal(before[key], value) for key, value in bundled.model.state_dict().items())
    assert not bundled.model.training
    assert not any(module._forward_hooks for module in bundled.model.modules())


def test_evidence_sums_to_the_logit(bundled, pictures):
    for verdict in bundled.predict(pictures):
        total = verdict.maps.evidence.sum((1, 2), dtype=np.float64) + bundled.model.classifier.bias.numpy()
        np.testing.assert_allclose(total, verdict.logits, atol=1e-4)
        assert (verdict.maps.cam >= 0).all()


def test_eight_threads_give_what_one_gives(bundled, pictures):
    alone = [bundled.predict([picture])[0] for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: bundled.predict([pictures[i % len(pictures)]])[0], range(32)))
    for i, verdict in enumerate(together):
        expected = alone[i % len(pictures)]
        np.testing.assert_allclose(verdict.logits, expected.logits, atol=1e-4)
        np.testing.assert_allclose(verdict.maps.cam, expected.maps.cam, atol=1e-5)
        np.testing.assert_allclose(verdict.maps.evidence, expected.maps.evidence, atol=1e-5)


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    torch.manual_seed(5)
    return torch.nn.functional.interpolate(torch.randn(2, 3, 8, 8), (96, 96), mode="bilinear")


def state(model: nn.Module) -> list:
    """All of it that the library is known to touch."""
    hooks = [(m.training, len(m._forward_hooks), len(m._backward_hooks)) for m in model.modules()]
    return hooks + [(p.requires_grad, p.grad, p.detach().sum().item()) for p in model.parameters()]


def test_the_library_on_the_last_norm_gives_our_closed_form(bundled, x):
    with torch.inference_mode():  # as a server may hold it
        ours = explain(bundled.model.forward_features(x), bundled.model.classifier)
        hires, grad = (explain_with(bundled.model, x, method) for method in ("hirescam", "gradcam"))
    np.testing.assert_allclose(hires, [maps.evidence for maps in ours], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(grad, [maps.cam for maps in ours], rtol=1e-3, atol=1e-5)


def test_finercam_is_the_library_s_own_before_its_scaling(bundled, x):
    network = WholeNetwork(bundled.model)
    found = explain_with(bundled.model, x[:1], "finercam", "denseblock3")[0]
    for index in range(len(CLASSES)):
        with FinerCAM(network, [network.features.denseblock3]) as cam:
            scaled = cam(x[:1].clone().requires_grad_(), target_idx=index)[0]  # (96, 96), each map from 0 to 1
        ours = scale_cam_image(scale_cam_image(found[index][None], (96, 96)))[0]  # as it does, twice
        np.testing.assert_allclose(ours, scaled, atol=1e-3)


def test_every_method_on_every_layer_from_four_threads_gives_what_it_gives_alone(bundled, x):
    """While others ask the same network for answers; that is how maps were swapped. The network stays as it was."""
    before = state(bundled.model)
    jobs = [(i % 2, *job) for i, job in enumerate(product(METHODS, LAYERS))]

    def work(job):
        image, method, layer = job
        with torch.no_grad():
            bundled.model(x[1 - image : 2 - image])
        return explain_with(bundled.model, x[image : image + 1], method, layer)[0]

    alone = [work(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, jobs))
    for (_, method, layer), one, other in zip(jobs, alone, together, strict=True):
        empty = not one.any()  # Grad-CAM++ before a norm: nothing is positive; such a map is told as empty
        side = {"norm5": 3, "denseblock3": 6, "denseblock2": 12}[layer]
        assert one.shape == (3, side, side)
        assert one.dtype == np.float32
        np.testing.assert_allclose(other, one, rtol=1e-2, atol=1e-3 * np.abs(one).max(), err_msg=f"{method} {layer}")
        assert not empty or (method == "gradcam++" and layer != "norm5")
        assert (len({one[k].tobytes() for k in range(3)}) == 1) == (empty or method == "eigencam")  # the class matters
        assert (one.min() < 0) == (method == "hirescam")
    first, second = explain_with(bundled.model, x, "layercam")
    assert not np.allclose(first, second, rtol=1e-2)  # and so does the image
    np.testing.assert_allclose(first, alone[jobs.index((0, "layercam", "norm5"))], rtol=1e-2, atol=1e-5)
    assert state(bundled.model) == before


def test_the_model_is_left_as_found_whatever_happens(published, x):
    """Weights that want gradients, a network in training, an error halfway."""
    model = DenseNet121().train()
    model.load_state_dict(published.state_dict())
    before = state(model)
    assert explain_with(model, x, "gradcam++", "denseblock2").shape == (2, 3, 12, 12)
    with pytest.raises(RuntimeError):
        explain_with(model, x[:, :1], "gradcam")
    assert state(model) == before


def test_wrong_names_list_the_choices(bundled, x):
    with pytest.raises(ValueError, match=r"'scorecam'; give gradcam, .*finercam"):
        explain_with(bundled.model, x, "scorecam")
    with pytest.raises(ValueError, match="'conv0'; give norm5, denseblock3, denseblock2"):
        explain_with(bundled.model, x, "gradcam", "conv0")


def test_detector_explains_what_it_prepared(bundled, pictures):
    image = bundled.prepare(pictures[0])
    found = bundled.explain_with(image, "hirescam")
    np.testing.assert_allclose(found, bundled.classify([image])[0].maps.evidence, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="nothing to judge: it is plain"):
        bundled.explain_with(replace(image, abstained="it is plain"), "hirescam")


def test_overlay_takes_an_array():
    image, maps = Image.new("RGB", (140, 140), (100, 100, 100)), hot_corner(1.0)
    assert overlay(image, maps.evidence, 2, "evidence").tobytes() == overlay(image, maps, 2, "evidence").tobytes()


def hot_corner(strength: float) -> Maps:
    """Class 0 has `strength` in the first cell, class 1 has 1 in the last, class 2 has -1 there."""
    evidence = np.zeros((3, 7, 7), np.float32)
    evidence[0, 0, 0], evidence[1, 6, 6], evidence[2, 6, 6] = strength, 1, -1
    return Maps(np.maximum(evidence, 0), evidence)


def test_overlay_covers_the_right_place_and_nothing_else():
    image = Image.new("RGB", (210, 140), (100, 100, 100))
    found = np.asarray(overlay(image, hot_corner(1.0), 0, "cam", 1.0), int)
    assert found.shape == (140, 210, 3)
    assert found[2, 2].tolist() != [100, 100, 100]
    assert (found[70:, 105:] == 100).all()
    assert (np.asarray(overlay(image, hot_corner(1.0), 0, "cam", 0.0)) == 100).all()


@pytest.mark.parametrize("kind", ["cam", "evidence"])
def test_overlay_invents_nothing_beside_a_hot_cell(kind):
    """One cell speaks for the class: no pixel may turn blue, and none may change beyond the neighbouring cells."""
    maps = Maps(np.zeros((3, 7, 7), np.float32), np.zeros((3, 7, 7), np.float32))
    maps.cam[0, 3, 3] = maps.evidence[0, 3, 3] = 1
    found = np.asarray(overlay(Image.new("RGB", (140, 140), (100, 100, 100)), maps, 0, kind, 1.0), int)
    changed = (found != 100).any(-1)
    if kind == "evidence":
        assert (found[changed][:, 2] <= 100).all()
    rows, columns = np.nonzero(changed)
    assert 40 <= rows.min() <= rows.max() < 100
    assert 40 <= columns.min() <= columns.max() < 100


def test_overlay_shares_one_scale_over_the_classes():
    """Weak evidence must look weak: the library would scale it up to the strongest."""
    image = Image.new("RGB", (140, 140), (100, 100, 100))
    weak, strong = (np.asarray(overlay(image, hot_corner(s), 0, "cam", 1.0), int) for s in (0.05, 1.0))
    assert np.abs(weak - 100).sum() < 0.4 * np.abs(strong - 100).sum()


def test_evidence_is_red_for_and_blue_against():
    image = Image.new("RGB", (140, 140), (100, 100, 100))
    red, _, blue = np.asarray(overlay(image, hot_corner(1.0), 1, "evidence", 1.0), int)[-2, -2]
    assert red > blue + 50
    red, _, blue = np.asarray(overlay(image, hot_corner(1.0), 2, "evidence", 1.0), int)[-2, -2]
    assert blue > red + 50


def test_overlay_refuses_what_it_does_not_know():
    image = Image.new("RGB", (40, 40))
    with pytest.raises(ValueError, match="'evidence'"):
        overlay(image, hot_corner(1), 0, "scorecam")
    with pytest.raises(ValueError, match="0 to 1"):
        overlay(image, hot_corner(1), 0, "cam", 1.5)
