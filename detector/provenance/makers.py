"""What programs write into their pictures: a table, a row a mark.

Collected from the programs' own sources and documents, and from files that they wrote. Every one of these marks can be
forged or taken off; none proves anything.
"""

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from detector.provenance.finding import SOURCE_TYPES, Finding, in_order
from detector.provenance.text import Field

SEARCHED = 100_000  # characters of a text that are looked through
NAMED = 60  # characters of a camera's name that are told
SAYS = {  # -> whole and short
    ("generated", "claimed"): ("holds what {maker} writes into its pictures", "made by AI"),
    ("generated", "hinted"): ("names {maker}, which makes pictures", "a generator's name"),
    ("edited", "claimed"): ("says that it was edited with {maker}", "edited by AI"),
    ("captured", "claimed"): ("holds what a camera writes ({maker}), which is easily forged", "taken by a camera"),
}


@dataclass(frozen=True)
class Rule:
    """A field's name and text, as regular expressions, and what they mean together."""

    maker: str  # may name other fields of the EXIF: "{Model}"
    field: str  # the whole name: "PNG text parameters"
    text: str  # anywhere in it
    kind: str = "generated"
    strength: str = "claimed"
    also: Sequence[str] = ()  # each must be found among the lines "name: text" of all fields too
    says: tuple[str, str] | None = None  # other words than those of SAYS


_PARAMETERS = r"(PNG text|EXIF|alpha channel|comment) ?(parameters|UserComment|ImageDescription|)"
_STEPS = r"Steps: \d+, [^\n]{0,200}Sampler: "
_PROGRAM = r"(PNG text|EXIF|XMP|IPTC) (Software|CreatorTool|Program)"  # not who is named: people have such names
_CREDIT = r"(XMP|IPTC) (Credit|credit)|PNG text Credit"
_AIGC = r"XMP AIGC|PNG text AIGC|EXIF UserComment"
_LABEL = r'"Label"\s*:\s*"?{}"?\s*[,}}]'
_LABELLED = ("carries China's label for pictures made by AI", "made by AI")
_SUSPECTED = ("carries China's label for pictures that may be made by AI", "maybe made by AI")
_PRODUCED = r'"(ContentProducer|ProduceID|ContentPropagator|PropagateID)"'
_UUID = r"[\da-f]{8}-[\da-f-]{27}"
_JOB = f"Job ID: {_UUID}"
_DESCRIPTION = r"(PNG text|EXIF|XMP|IPTC) ((Image)?Description|description|Caption|Comment)"
_CAMERA = r"(?!.*(Ideogram|workflow|prompt|AI\b)).+"

# The first row that fits a field counts, so the narrower ones come first.
RULES = (
    # Programs around Stable Diffusion and its kin; most write prompt, seed and settings as text.
    Rule("SwarmUI", _PARAMETERS, r'"sui_image_params"'),
    Rule("Fooocus", _PARAMETERS, r'"metadata_scheme": "fooocus"|Version: Fooocus|"fooocus'),
    Rule("Fooocus", r"PNG text fooocus_scheme", r"\w"),
    Rule("SD.Next", _PARAMETERS, r"(App|Version): SD\.Next"),
    Rule("stable-diffusion.cpp", _PARAMETERS, r"Version: stable-diffusion\.cpp"),
    Rule("Civitai", _PARAMETERS, r"Civitai (resources|metadata): "),
    Rule("Stable Diffusion WebUI Forge", _PARAMETERS, r"Version: f\d", also=(_STEPS,)),
    Rule("Stable Diffusion web UI", _PARAMETERS, _STEPS),
    Rule("ComfyUI", r"PNG text prompt", r'"class_type"\s*:'),
    Rule("ComfyUI", r"PNG text workflow", r'"nodes"\s*:'),
    Rule("ComfyUI", r"EXIF (Make|Model|ImageDescription|UserComment)", r'^(prompt|workflow|Prompt|Workflow): ?\{'),
    Rule("InvokeAI", r"PNG text (invokeai_metadata|invokeai_graph|invokeai_workflow)", r"\{"),
    Rule("InvokeAI", r"PNG text sd-metadata", r'"(model|image|app_id)"'),
    Rule("InvokeAI", r"PNG text Dream", r"-s ?\d+.{0,200} -W ?\d+"),
    Rule("NovelAI", r"(PNG text|EXIF|alpha channel) Software", r"^NovelAI"),
    Rule("NovelAI", r"(PNG text|alpha channel) (Source|Comment)", r"^NovelAI|\"request_type\"|\"uc\":"),
    Rule("Easy Diffusion", r"PNG text use_stable_diffusion_model", r"\w"),
    Rule("Easy Diffusion", r"EXIF UserComment", r'"use_stable_diffusion_model"'),
    Rule("Draw Things", r"XMP (CreatorTool|creatortool)", r"^Draw Things"),
    Rule("Draw Things", r"(XMP|EXIF) UserComment", r'"uc"\s*:', also=(r'"sampler"\s*:',)),
    Rule("DiffusionBee", _PROGRAM, r"Diffusion ?Bee"),
    Rule("a job of Hugging Face's", r"PNG text hf-job-id", r"\w"),
    # Services
    Rule("Midjourney", _DESCRIPTION, rf" --[a-z]+ [^\n]{{0,200}}{_JOB}"),
    Rule("Midjourney", _DESCRIPTION, rf"(?<!Print ){_JOB}", "generated", "hinted"),
    Rule("Ideogram", r"EXIF Make", r"^Ideogram AI"),
    Rule("FLUX", r"EXIF Make", r"^Black Forest Labs$"),
    Rule("FLUX", r"EXIF Software", r"^AI generated;.*flux"),
    Rule("Grok", r"EXIF ImageDescription", r"^Signature: [\w+/=]{40}", also=(rf"^EXIF Artist: {_UUID}",)),
    Rule("Google AI", _CREDIT, r"^Made with Google AI"),
    Rule("Google AI", _CREDIT, r"^Edited with Google AI", "edited"),
    Rule("Meta AI", _CREDIT, r"^Imagined with AI"),
    # China's label, GB 45438-2025
    Rule("", _AIGC, _LABEL.format(1), also=(_PRODUCED,), says=_LABELLED),
    Rule("", _AIGC, _LABEL.format("[23]"), "generated", "hinted", (_PRODUCED,), _SUSPECTED),
    # IPTC's word for how a picture came about
    *(
        Rule("", r"XMP (DigitalSourceType|digitalSourceType|digitalsourcetype)", rf"(^|/){name}$", kind,
             says=(f"says that it was {words}", words))
        for name, (kind, words) in SOURCE_TYPES.items()
    ),
    # Names alone
    *(
        Rule(name, _PROGRAM, pattern, "generated", "hinted")
        for name, pattern in {
            "DALL-E": r"\bDALL[·.\- ]?E\b", "ChatGPT": r"\bChatGPT\b|\bGPT-4o\b|\bgpt-image",
            "Midjourney": r"(?i)\bmidjourney\b", "Stable Diffusion": r"(?i)\bstable.?diffusion\b",
            "Adobe Firefly": r"\bAdobe Firefly\b", "Leonardo": r"(?i)\bleonardo\.ai\b", "Imagen": r"\bGoogle Imagen\b",
            "FLUX": r"(?i)\bflux[.\- ]?[12]\b", "Ideogram": r"(?i)\bideogram(\.ai| AI)?\b", "Recraft": r"\bRecraft\b",
            "Krea": r"(?i)\bkrea\.?ai\b", "Playground": r"(?i)\bplayground ?ai\b", "Grok": r"^Grok$|\bxAI\b",
            "Bing Image Creator": r"\bBing Image Creator\b|\bImage Creator from Designer\b",
            "NightCafe": r"^NightCafe( Creator| Studio)?$", "Seedream": r"(?i)\bseedream\b|^(dreamina|jimeng)$",
        }.items()
    ),
    # What a camera writes, all of it together
    Rule("{Make} {Model}", r"EXIF MakerNote", r"\d", "captured",
         also=(rf"^EXIF Make: {_CAMERA}", rf"^EXIF Model: {_CAMERA}", r"^EXIF (ExposureTime|FNumber): \d")),
)  # fmt: skip


def marks_in(fields: Sequence[Field]) -> list[Finding]:
    """What the table finds in a file's texts: each maker once for each kind, where it is said most clearly."""
    lines = "\n".join(f"{field.name}: {field.text[:SEARCHED]}" for field in fields)
    holds = functools.cache(lambda pattern: re.search(pattern, lines, re.MULTILINE) is not None)
    texts = defaultdict(str, {field.key: field.text for field in fields if field.where == "EXIF"})
    found: dict[tuple[str, str], Finding] = {}
    for finding in in_order([f for field in fields if (f := _first(field, holds, texts))]):
        found.setdefault((finding.maker, finding.kind), finding)
    return list(found.values())


def _first(field: Field, holds: Callable[[str], bool], exif: Mapping[str, str]) -> Finding | None:
    for rule in RULES:
        if (
            re.fullmatch(rule.field, field.name)
            and re.search(rule.text, field.text[:SEARCHED], re.DOTALL)
            and all(map(holds, rule.also))
        ):
            maker = " ".join(rule.maker.format_map(exif).split())[:NAMED]
            says, short = rule.says or SAYS[rule.kind, rule.strength]
            return Finding(field.name, says.format(maker=maker), maker, rule.kind, rule.strength, short, field.text)
    return None
