"""What the programs can be given: names alone, so that --help and wrong usage are answered before torch is imported."""

from argparse import ArgumentParser

MODELS = "auto, hub, bundled, a checkpoint's path, or a repository of the Hub (owner/name or owner/name@revision)"
PRECISIONS = ("auto", "fp32", "bf16")
DEVICES = ("auto", "cpu", "cuda", "mps")


def add_model(parser: ArgumentParser) -> None:
    parser.add_argument("--model", default="auto", help=f"{MODELS} (default: auto)")


def add_engine(parser: ArgumentParser) -> None:
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="fp32: the same digits anywhere")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto: a GPU if there is one")
