"""Detector against torchvision's own densenet121, and the words that come of it."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torchvision.models import densenet121
from torchvision.transforms import functional

import detector
from detector import CLASSES
from detector.explain import Maps
from detector.output.as_csv import CSV_FIELDS, to_row
from detector.output.as_json import to_json
from detector.transforms import MEAN, STD
from detector.verdict import BANDS, Verdict, band, error_rates, side
from tests.conftest import EXAMPLES
from train.report.metrics import answered


def test_probabilities_equal_torchvision(bundled, pictures):
    """torchvision's model and functional transforms, by hand, against the one front door."""
    reference = densenet121(num_classes=3).eval()
    reference.load_state_dict(bundled.model.state_dict())
    for verdict, picture in zip(bundled.predict(pictures), pictures, strict=True):
        x = functional.normalize(functional.to_tensor(functional.resize(picture, [224, 224])), MEAN, STD)
        with torch.inference_mode():
            probs = (reference(x[None])[0] / bundled.config.temperature).softmax(0)
        np.testing.assert_allclose(list(verdict.probs.values()), probs, atol=1e-5)
        assert tuple(verdict.probs) == CLASSES


def test_batch_gives_what_single_images_give(bundled, pictures):
    for together, picture in zip(bundled.predict(pictures), pictures, strict=True):
        (alone,) = bundled.predict([picture])
        np.testing.assert_allclose(together.logits, alone.logits, atol=1e-4)


def test_predict_takes_a_list(bundled):
    assert bundled.predict([]) == []
    with pytest.raises(TypeError, match="list"):
        bundled.predict("picture.jpg")


def verdict(dalle: float, human: float, other_ai: float, **more) -> Verdict:
    zeros = np.zeros((3, 7, 7), np.float32)
    probs = dict(zip(CLASSES, (dalle, human, other_ai), strict=True))
    return Verdict(probs, (0.0, 0.0, 0.0), Maps(zeros, zeros), "test", **more)


WORDS = [  # dalle, human, other_ai -> label, band, sentence
    (0.90, 0.05, 0.05, "dalle", "very likely", "Very likely AI-generated (95%); of the two, DALL-E is the likelier "
     "(95%)."),
    (0.20, 0.20, 0.60, "other_ai", "likely", "Likely AI-generated (80%); of the two, an AI other than DALL-E is the "
     "likelier (75%)."),
    (0.36, 0.30, 0.34, "dalle", "likely", "Likely AI-generated (70%); which AI is unclear."),
    (0.02, 0.95, 0.03, "human", "very likely", "Very likely human-made (95%)."),
    (0.20, 0.60, 0.20, "human", "leans", "Too close to call, tilts to human-made (60%)."),
    # Human is the likeliest of the three, and AI the likelier of the two.
    (0.30, 0.45, 0.25, "dalle", "leans", "Too close to call, tilts to AI-generated (55%); which AI is unclear."),
    (0.33, 0.34, 0.33, "dalle", "leans", "Too close to call, tilts to AI-generated (66%); which AI is unclear."),
]  # fmt: skip


@pytest.mark.parametrize(("dalle", "human", "other_ai", "label", "word", "sentence"), WORDS)
def test_words(dalle, human, other_ai, label, word, sentence):
    found = verdict(dalle, human, other_ai)
    assert (found.label, found.band, found.sentence) == (label, word, sentence)
    assert found.side == ("human" if label == "human" else "ai")


def test_bands_hold_their_lower_bounds():
    assert [(side(p), band(p)) for p in (0.0, 0.1, 0.11, 0.3, 0.31, 0.49, 0.5, 0.69, 0.7, 0.89, 0.9, 1.0)] == [
        ("human", "very likely"), ("human", "very likely"), ("human", "likely"), ("human", "likely"),
        ("human", "leans"), ("human", "leans"), ("ai", "leans"), ("ai", "leans"),
        ("ai", "likely"), ("ai", "likely"), ("ai", "very likely"), ("ai", "very likely"),
    ]  # fmt: skip


def test_words_and_figures_name_the_same_class():
    """What is counted in a report is what the page says, for any probabilities."""
    probs = torch.distributions.Dirichlet(torch.ones(3, dtype=torch.float64)).sample((500,))
    probs[0] = torch.tensor([0.25, 0.5, 0.25])  # exactly between the sides
    said = [verdict(*p).label for p in probs.tolist()]
    assert [CLASSES[i] for i in answered(probs)] == said
    assert len(set(said)) == 3


def test_a_model_that_nobody_measured_gets_no_words():
    found = verdict(0.9, 0.05, 0.05, measured=False)
    assert found.band is None
    assert "measured" in found.sentence
    assert not any(word in found.sentence.lower() for word in BANDS)
    assert to_json(found)["band"] is None


def test_nothing_to_judge_has_no_figures():
    found = Verdict({}, (), None, "test", abstained="it is one plain colour")
    assert found.sentence == "There is nothing to judge: it is one plain colour."
    assert to_json(found) == {"abstained": "it is one plain colour", "model": "test"}


def test_error_rates_both_ways():
    """Of 200 human-made images 10 were called AI, 4 of them "very likely"; of 50 AI-made ones 20 were called human."""
    answers = {
        "human": {"ai": {"very likely": 4, "likely": 1, "leans": 5}, "human": {"very likely": 180, "likely": 10,
                                                                              "leans": 0}},
        "ai": {"ai": {"very likely": 20, "likely": 5, "leans": 5}, "human": {"very likely": 0, "likely": 10,
                                                                             "leans": 10}},
    }  # fmt: skip
    assert error_rates(verdict(0.9, 0.05, 0.05), answers) == (
        "Of 100 human-made test pictures about 2 get this answer, and of 100 AI-generated ones about 40 are called "
        "human-made."
    )
    assert error_rates(verdict(0.02, 0.95, 0.03), answers) == (
        "Of 100 AI-generated test pictures fewer than 1 get this answer, and of 100 human-made ones about 5 are called "
        "AI-generated."
    )


def test_json_and_row():
    result = {"file": "a.png"} | to_json(verdict(0.5, 0.125, 0.375))
    assert result == {
        "file": "a.png", "label": "dalle", "probs": {"dalle": 0.5, "human": 0.125, "other_ai": 0.375},
        "p_ai": 0.875, "band": "likely", "model": "test",
    }  # fmt: skip
    assert set(to_row(result)) <= set(CSV_FIELDS)
    assert to_row({"file": "b.png", "error": "broken"}) == {"file": "b.png", "error": "broken"}


def test_import_loads_nothing():
    """`import detector` brings neither torch nor any other library with it."""
    code = "import sys, detector; print([m for m in ('torch', 'PIL', 'numpy', 'huggingface_hub') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_page_is_up_before_torch_and_no_component_is_parsed():
    """Gradio parses the source of each, 160 times in all, to write stubs for editors."""
    code = """if True:
        import ast, inspect, sys
        parse, getfile, callers = ast.parse, inspect.getfile, []
        ast.parse = lambda *given, **named: [parse(*given, **named), callers.append(sys._getframe(1))][0]
        import app
        parsed = sum(caller.f_code.co_name == 'extract_class_source_code' for caller in callers)
        print('gradio' in sys.modules, 'torch' in sys.modules, parsed < 20, inspect.getfile is getfile)
    """
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "False", "True", "True"]


def test_front_door():
    assert detector.Verdict is Verdict
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = detector.nothing_such


def test_torch_compiler_is_not_imported_and_is_whole_afterwards():
    """A model is loaded and answers without it, and what torchvision wants of it is found when it is asked for."""
    code = """if True:
        import sys, torch, detector
        detector.load('bundled').predict(['examples/rocket.jpg'])
        print([name for name in sys.modules if name.startswith('torch._dynamo')])
        import torchvision
        take = lambda x: torchvision.ops.roi_align(x, [torch.tensor([[0.0, 0.0, 4.0, 4.0]])], 2) + 1
        x = torch.arange(64.0).view(1, 1, 8, 8)
        print(torch.equal(torch.compile(take, backend='eager')(x), take(x)))
        roi_align = sys.modules['torchvision.ops.roi_align']
        real = sys.modules['torch._dynamo.utils'].is_compile_supported
        print([roi_align.is_compile_supported(kind) == real(kind) for kind in ('cpu', 'cuda', 'xpu')])
    """
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=EXAMPLES.parent
    )
    assert found.stdout.splitlines() == ["[]", "True", "[True, True, True]"]
