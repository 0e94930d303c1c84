"""Marks that generators and cameras write: each row of the table finds what its program writes, and no other file's."""

import json
from pathlib import Path

import pytest
from PIL import Image

from detector import provenance
from detector.provenance.makers import RULES
from tests.conftest import EXAMPLES
from tests.marks import STEPS, chunk, exif, listed, picture, png, saved, source_type, stealth, xmp

JOB = "a cat --v 6 Job ID: 01234567-89ab-cdef-0123-456789abcdef"
LABEL = '{{"Label":"{}","ContentProducer":"X","ProduceID":"Y"}}'
CAMERA = {271: "NIKON CORPORATION", 272: "NIKON D90", 34665: {33434: 0.01, 37500: b"Nikon\0\2\x10"}}


# What each maker's program writes -> the maker and the kind that must be told, and how strongly.
SAMPLES = [
    ("SwarmUI", png(parameters=json.dumps({"sui_image_params": {"prompt": "a cat", "steps": 20}})), "generated"),
    ("Fooocus", png(parameters=f"{STEPS}, Version: Fooocus v2.5.5"), "generated"),
    ("Fooocus", png(fooocus_scheme="a1111", other="x"), "generated"),
    ("SD.Next", png(parameters=f"{STEPS}, App: SD.Next, Version: 1"), "generated"),
    ("stable-diffusion.cpp", png(parameters=f"{STEPS}, Version: stable-diffusion.cpp"), "generated"),
    ("Civitai", exif(comment=b"UNICODE\0" + f"{STEPS}, Civitai resources: []".encode("utf-16-be")), "generated"),
    ("Stable Diffusion WebUI Forge", png(parameters=f"{STEPS}, Version: f2.0.1v1.10.1"), "generated"),
    ("Stable Diffusion web UI", png(parameters=f"{STEPS}, Version: v1.10.1"), "generated"),
    ("Stable Diffusion web UI", exif(comment=b"UNICODE\0" + STEPS.encode("utf-16-be")), "generated"),
    ("Stable Diffusion web UI", exif("WEBP", comment=b"UNICODE\0" + STEPS.encode("utf-16-le")), "generated"),
    ("Stable Diffusion web UI", exif(comment=b"ASCII\0\0\0" + STEPS.encode()), "generated"),
    ("Stable Diffusion web UI", stealth(STEPS), "generated"),
    ("ComfyUI", png(prompt='{"3": {"class_type": "KSampler", "inputs": {}}}'), "generated"),
    ("ComfyUI", png(workflow='{"nodes": [], "links": []}'), "generated"),
    ("ComfyUI", exif("WEBP", {271: 'workflow:{"nodes": []}', 272: 'prompt:{"3": {"class_type": "X"}}'}), "generated"),
    ("InvokeAI", png(invokeai_metadata='{"model": {}}'), "generated"),
    ("InvokeAI", png(**{"sd__metadata": '{"model": "stable diffusion", "image": {}}'}), "generated"),
    ("InvokeAI", png(Dream='"a cat" -s 50 -S 1 -W 512 -H 512 -C 7.5 -A k_lms'), "generated"),
    ("NovelAI", png(Title="AI generated image", Software="NovelAI"), "generated"),
    ("NovelAI", png(Comment='{"prompt": "a cat", "uc": "dog", "steps": 28}'), "generated"),
    ("NovelAI", stealth(json.dumps({"Software": "NovelAI", "Comment": {"prompt": "a cat"}})), "generated"),
    ("NovelAI", stealth(json.dumps({"Software": "NovelAI"}), packed=False), "generated"),
    ("Easy Diffusion", png(prompt="a cat", seed="1", use_stable_diffusion_model="sd-v1-5"), "generated"),
    ("Easy Diffusion", exif(comment=b"ASCII\0\0\0" + b'{"use_stable_diffusion_model": "sd-v1-5"}'), "generated"),
    ("Draw Things", xmp("<xmp:CreatorTool>Draw Things</xmp:CreatorTool>"), "generated"),
    ("Draw Things", xmp(listed("exif:UserComment", '{"c":"a cat","uc":"","sampler":"DPM"}')), "generated"),
    ("DiffusionBee", png(Software="DiffusionBee"), "generated"),
    ("a job of Hugging Face's", png(**{"hf__job__id": "0123"}), "generated"),
    ("Midjourney", png(Description=JOB, Author="somebody"), "generated"),
    ("FLUX", exif(tags={305: "AI generated;txt2img;flux"}), "generated"),
    ("Midjourney", png(Description="a cat Job ID: 01234567-89ab-cdef-0123-456789abcdef"), "generated"),
    ("Midjourney", xmp(listed("dc:description", JOB)), "generated"),
    ("Ideogram", exif(tags={271: "Ideogram AI"}), "generated"),
    ("Grok", exif(tags={315: "01234567-89ab-cdef-0123-456789abcdef", 270: "Signature: " + "Ab1+" * 20}), "generated"),
    ("Google AI", xmp("", 'photoshop:Credit="Made with Google AI"'), "generated"),
    ("Google AI", xmp("", 'photoshop:Credit="Edited with Google AI"'), "edited"),
    ("Meta AI", xmp("<photoshop:Credit>Imagined with AI</photoshop:Credit>"), "generated"),
    ("", xmp(f"<TC260:AIGC>{LABEL.format(1)}</TC260:AIGC>"), "generated"),
    ("", xmp("", "TC260:AIGC='" + LABEL.format(1).replace('"', "&quot;") + "'"), "generated"),
    ("", png(AIGC=LABEL.format(2)), "generated"),
    ("", exif(comment=b"ASCII\0\0\0" + f'{{"AIGC":{LABEL.format(3)}}}'.encode()), "generated"),
    ("", source_type("trainedAlgorithmicMedia"), "generated"),
    ("", source_type("algorithmicMedia"), "other"),
    ("", source_type("compositeWithTrainedAlgorithmicMedia"), "edited"),
    ("", source_type("compositeSynthetic"), "edited"),
    ("", source_type("digitalCapture"), "captured"),
    ("", source_type("computationalCapture"), "captured"),
    ("", source_type("negativeFilm"), "captured"),
    ("", source_type("positiveFilm"), "captured"),
    ("", source_type("print"), "other"),
    ("DALL-E", png(Software="DALL·E 3"), "generated"),
    ("ChatGPT", exif(tags={305: "ChatGPT"}), "generated"),
    ("Midjourney", exif(tags={305: "MidJourney"}), "generated"),
    ("Stable Diffusion", exif(tags={305: "Stable Diffusion XL"}), "generated"),
    ("Adobe Firefly", xmp("<xmp:CreatorTool>Adobe Firefly</xmp:CreatorTool>"), "generated"),
    ("Leonardo", exif(tags={305: "Leonardo.ai"}), "generated"),
    ("Imagen", png(Software="Google Imagen 4"), "generated"),
    ("FLUX", exif(tags={271: "Black Forest Labs"}), "generated"),
    ("FLUX", png(Software="flux.1-dev"), "generated"),
    ("Ideogram", exif(tags={305: "ideogram.ai"}), "generated"),
    ("Recraft", png(Software="Recraft V3"), "generated"),
    ("Krea", png(Software="krea.ai"), "generated"),
    ("Playground", png(Software="Playground AI"), "generated"),
    ("Grok", png(Software="Grok"), "generated"),
    ("Bing Image Creator", png(Software="Image Creator from Designer"), "generated"),
    ("NightCafe", png(Software="NightCafe Creator"), "generated"),
    ("Seedream", png(Software="Dreamina"), "generated"),
    ("NIKON CORPORATION NIKON D90", exif(tags=CAMERA), "captured"),
]  # fmt: skip


@pytest.mark.parametrize(("maker", "data", "kind"), SAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_what_a_program_writes_is_found(maker, data, kind):
    found = provenance.read(data)
    assert (maker, kind) in [(finding.maker, finding.kind) for finding in found.findings]
    assert found.c2pa == "none"
    assert found.problems == ()
    sides = {"generated": "ai", "captured": "human"}
    claimed = [finding for finding in found.findings if finding.strength == "claimed"]
    assert found.side == next((sides[finding.kind] for finding in claimed if finding.kind in sides), None)


def test_every_row_of_the_table_has_its_sample(monkeypatch):
    """Without a row, something that a sample must tell is no longer told, or told from elsewhere."""

    def told(rules) -> list:
        monkeypatch.setattr("detector.provenance.makers.RULES", rules)
        return [provenance.read(data).findings for _, data, _ in SAMPLES]

    whole = told(RULES)
    assert [rule for rule in RULES if told(tuple(other for other in RULES if other is not rule)) == whole] == []


@pytest.mark.parametrize(
    "data",
    [
        saved(picture(), "PNG"),
        saved(picture(), "JPEG"),
        png(Software="GIMP 2.10", Comment="a steep street; 20 steps, no sampler", Author="Leonardo da Vinci"),
        png(prompt="write an essay", parameters="width=3", workflow="approved"),
        png(AIGC="yes", Title="prompt: {"),
        exif(tags={271: "Canon", 272: "Canon EOS 5D"}),  # without an exposure: anybody's editor keeps so much
        exif(tags={270: "Signature: of the mayor", 315: "A Person"}),
        xmp("<photoshop:Credit>Associated Press</photoshop:Credit>"),
        source_type("humanEdits"),
        source_type("digitalArt"),
        saved(picture().convert("RGBA"), "PNG"),
        exif(tags={315: "RANDALL E. HOWARD"}),
        exif(tags={305: "KENDALL E SMITH"}),
        exif(tags={315: "Leonardo Aiello", 271: "Firefly"}),
        png(Author="Jimeng Li", Credit="Imagen 3"),
        exif(tags={315: "Ideograma Estudio"}),
        png(Software="Playground Aires", Source="NightCafe Lounge"),
        png(Software="Grok 10.0"),
        png(Description="Print Job ID: 01234567-89ab-cdef-0123-456789abcdef"),
        xmp(
            "<xmpMM:Pantry xmlns:xmpMM='x'><rdf:Bag><rdf:li rdf:parseType='Resource'>"
            "<photoshop:Credit>Made with Google AI</photoshop:Credit></rdf:li></rdf:Bag></xmpMM:Pantry>"
        ),
    ],
    ids=lambda data: str(len(data)),
)
def test_what_programs_for_people_write_says_nothing(data):
    found = provenance.read(data)
    assert found.findings == ()
    assert found.line == "nothing (usual, and evidence of nothing)"
    assert found.side is None


def test_examples_of_the_gallery_say_what_they_say():
    """The AI pictures lost their metadata in the packages that they come from; two photographs kept their camera's."""
    found = {p.name: provenance.read(p) for p in EXAMPLES.iterdir() if p.suffix in (".jpg", ".png", ".webp")}
    assert {name for name, read in found.items() if read.side == "ai"} == set()
    assert [name for name, read in found.items() if read.problems] == []
    with Image.open(EXAMPLES / "mariachi.webp") as image:
        assert image.getexif()[271] == "NIKON CORPORATION"


def test_metadata_that_a_program_really_wrote():
    """EXIF of templates/wan2.1_flf2v_720_f16-1.webp in comfyui_workflow_templates_media_image 0.3.160 (MIT), the only
    one of 696 pictures in the four packages of benchmarks/breadth.csv that kept its own."""
    block = (Path(__file__).parent / "real" / "comfyui_wan_2_1.exif").read_bytes()
    (finding,) = provenance.read(saved(picture(), "WEBP", exif=block)).findings
    assert (finding.maker, finding.kind, finding.strength) == ("ComfyUI", "generated", "claimed")
    assert "glass flower blossom" in finding.detail or '"nodes"' in finding.detail


def test_texts_behind_the_pixels_are_found():
    data = saved(picture(), "PNG")
    text = chunk(b"tEXt", b"parameters\0" + STEPS.encode())
    assert provenance.read(data[:-12] + text + data[-12:]).findings[0].maker == "Stable Diffusion web UI"


def test_the_text_itself_is_kept_but_not_in_what_is_logged():
    (finding,) = provenance.read(png(parameters=STEPS)).findings
    assert finding.detail == STEPS
    assert "cat" not in repr(finding)
