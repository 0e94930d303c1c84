"""The picture that is given, its map, and the answer: one component, painted in the browser from numbers."""

from detector.explain import AWAY, HEAT, LAYERS, METHODS, TOWARDS
from detector.images import MAX_FILE
from detector.verdict import NAMES
from ui.shared import Room
from ui.upload import NoAddresses, uploaded

COLOURS = {"heat": HEAT.tolist(), "away": AWAY.tolist(), "towards": TOWARDS.tolist()}  # what paint.js paints with
INVITATION = "Who made this picture?"
WARM_UP = 9  # seconds from a start to the first answer, on 2 cores (benchmarks/README.md)
METHOD_WORDS = {
    "gradcam": "Grad-CAM",
    "gradcam++": "Grad-CAM++",
    "layercam": "LayerCAM",
    "hirescam": "HiResCAM (for and against)",
    "xgradcam": "XGradCAM",
    "eigencam": "EigenCAM (the same for all)",
    "finercam": "FinerCAM (against the others)",
}
LAYER_WORDS = dict(zip(LAYERS, ("coarse (7 x 7)", "finer (14 x 14)", "finest (28 x 28)"), strict=True))


class Viewer(NoAddresses, Room):
    """What was given reaches Python as a dict: `turn`, the number of the picture on this page, and `path`, the upload,
    or `example`, a number of the gallery; with `unseen` where the browser cannot show the file; with `method` and
    `layer` where another map is wanted, of `model` 0 or, if the second opinion is the one that speaks, 1. What Python
    returns is a message to the browser, of the same turn.
    """

    def __init__(self, lost: dict[str, str]):
        """`lost`: what to say where no answer comes, and no map."""
        scripts = [f"viewer/{name}" for name in ("paint", "card", "closer", "receive", "take", "save")]
        super().__init__(
            "viewer", scripts, "image", most=MAX_FILE, names=NAMES, invitation=INVITATION, warm_up=WARM_UP, lost=lost,
            colours=COLOURS, methods={name: METHOD_WORDS[name] for name in METHODS}, layers=LAYER_WORDS,
        )  # fmt: skip

    def preprocess(self, payload: dict) -> dict:
        asked = {key: str(payload[key]) for key in ("method", "layer") if key in payload}
        asked |= {
            "turn": int(payload["turn"]),
            "unseen": bool(payload.get("unseen")),
            "model": int(payload.get("model", 0)),
        }
        if "example" in payload:
            return asked | {"example": int(payload["example"])}
        return asked | {"path": uploaded(payload["file"]["path"], self.GRADIO_CACHE)}
