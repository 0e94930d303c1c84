"""What the command can be given, and what is wrong with what it was."""

import argparse
from pathlib import Path

from detector.arguments import MODELS, add_engine, add_model
from detector.explain import LAYERS, METHODS
from detector.output.as_table import printable

# Not the docstrings, which python -OO takes away.
WHAT = "Tells whether images were made by DALL-E, by a human, or by another AI, and shows where the score came from."
ALSO = "compare A B FOLDER: two models on the same pictures (compare --help); a folder of that name is ./compare. "
WHAT_COMPARES = "Tells how two models answer for the same pictures and, where the truth is known, which is the better."
EXIT_CODES = (
    "Exit code: 0; 1 if a file failed or was left out, or the output cannot be written; 2 for wrong usage; "
    "130 if interrupted."
)


class Parser(argparse.ArgumentParser):
    """Whose errors keep a file's name from commanding the terminal."""

    def error(self, message: str):
        if message.startswith("unrecognized arguments"):
            message += ' (files whose names begin with "-" go last, after "--")'
        super().error(printable(message))


def parse(arguments: list[str] | None) -> tuple[Parser, argparse.Namespace]:
    """The parser, for errors that are found later, and the options."""
    parser = Parser("python -m detector", description=WHAT, epilog=ALSO + EXIT_CODES, allow_abbrev=False)
    parser.add_argument("paths", nargs="+", metavar="IMAGE_OR_FOLDER")
    add_model(parser)
    add_engine(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, in UTF-8, instead of the table")
    parser.add_argument("--provenance", action="store_true", help="only what the files themselves say; needs no model")
    parser.add_argument("--csv", type=_path, metavar="FILE", help="write a CSV file too, or anew if it is one of ours")
    parser.add_argument("--overwrite", action="store_true", help="let --csv replace any file but an image")
    parser.add_argument("--maps", type=_path, metavar="DIR", help="write the six overlays of every image there")
    parser.add_argument("--map-method", choices=METHODS, help="overlays by this method of grad-cam instead of the six")
    parser.add_argument("--map-layer", choices=LAYERS, default=None, help="of --map-method; the later ones are finer")
    parser.add_argument(
        "--steady", action="store_true", help="whether each answer holds in 13 deliveries; 20 x as long"
    )
    parser.add_argument("--check-map", action="store_true", help="whether hiding what the map shows matters")
    parser.add_argument(
        "--nearest", type=_path, metavar="DIR", help="the 4 pictures in DIR/CLASS/ that look most alike; or `bundled`"
    )
    parser.add_argument(
        "--report", type=_path, metavar="DIR",
        help="a stand-alone HTML page for every image, and JSON beside it; does --steady and --check-map too",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    of_a_model = ("csv", "maps", "steady", "check_map", "nearest", "report")
    if options.provenance and any(getattr(options, name) for name in of_a_model):
        parser.error(
            "--provenance asks no model; leave --csv, --maps, --steady, --check-map, --nearest and --report out."
        )
    if options.map_method and not options.maps:
        parser.error("--map-method says how overlays are made; give --maps DIR too.")
    if options.map_layer and not options.map_method:
        parser.error("--map-layer is for --map-method; give that too.")
    if options.report:  # which holds all that can be told
        options.steady = options.check_map = True
    return parser, options


def parse_compare(arguments: list[str]) -> tuple[Parser, argparse.Namespace]:
    """The same for `compare`."""
    parser = Parser("python -m detector compare", description=WHAT_COMPARES, epilog=EXIT_CODES, allow_abbrev=False)
    for name in "ab":
        parser.add_argument(name, metavar=name.upper(), help=MODELS)
    parser.add_argument("folder", type=_path, metavar="FOLDER", help="whose folders dalle, human, other_ai tell truths")
    add_engine(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object in UTF-8 instead of lines")
    return parser, parser.parse_args(arguments)


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the name is empty.")
    return Path(text)
