"""Train a detector on a folder of images, measure one, or publish one.

    python -m train DATA                              # recipe robust: all layers, images passed through the web
    python -m train DATA --recipe card                # the published recipe: frozen features, a linear layer on top
    python -m train DATA --recipe head --init RUN     # the last layer of a run fitted apart, all sources counting alike
    python -m train evaluate DATA --model runs/robust [--json]
    python -m train push runs/robust OWNER/NAME       # to the Hugging Face Hub
    torchrun --nproc-per-node=2 -m train DATA         # many processes, on one machine or several

DATA holds train/, val/ and test/ with a folder for each class in them, or class folders alone, which are then split by
group; or it is the name of such a dataset on the Hub. The run leaves its best checkpoint by validation, its figures,
pictures and a card in runs/NAME, and `python app.py --model runs/NAME` shows it.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from detector import CheckpointError, ImageError
from detector.arguments import add_model
from train.data.folders import DataError
from train.fitting.loop import ResumeError
from train.fitting.steps import Diverged
from train.machine import keep_memory, process_group, say
from train.recipes import RECIPES
from train.report.evaluate import evaluate, measure_and_keep, table
from train.report.push import push
from train.run import run


def main(arguments: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    commands = {"evaluate": _evaluate, "push": _push}
    try:
        if arguments and arguments[0] in commands:
            commands[arguments[0]](arguments[1:])
        else:
            _train(arguments)
    except (DataError, CheckpointError, ImageError, ResumeError, Diverged) as error:
        sys.exit(str(error))
    except OSError as error:  # a full disk, a folder that vanished: what was saved before is whole
        what = f"{error.filename or 'A file'} could not be read or written ({error.strerror or error})"
        sys.exit(f"{what}; what was saved before is whole. Make room, then go on with --resume.")
    except KeyboardInterrupt:
        sys.exit("Stopped. A run goes on with --resume.")


def _train(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        "python -m train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", metavar="DATA")
    parser.add_argument("--recipe", choices=RECIPES, default="robust", help="(default: robust)")
    parser.add_argument("--name", help="folder below runs/ (default: the recipe's name)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    parser.add_argument("--init", default="imagenet", help="imagenet (default), scratch, or a checkpoint's path")
    parser.add_argument("--teacher", help="CLIP ViT-B/16, to learn from beside the labels: a file or a repository")
    parser.add_argument("--drop-leaks", action="store_true", help="leave out images that are in a later split too")
    parser.add_argument("--epochs", type=_positive(int), help="(default: the recipe's)")
    parser.add_argument("--batch-size", type=_positive(int), help="images in a step, of all processes together")
    parser.add_argument("--lr", type=_positive(float), help="peak learning rate")
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.recipe]
    if recipe.penalties and (options.epochs or options.batch_size or options.lr):
        parser.error(f"the recipe {recipe.name} has neither epochs nor steps; leave --epochs, --batch-size, --lr out.")
    recipe = replace(recipe, batch_size=options.batch_size or recipe.batch_size, lr=options.lr or recipe.lr)
    recipe = recipe.with_epochs(options.epochs or len(recipe.sizes))
    out = Path("runs") / (options.name or recipe.name)
    with process_group():
        say(keep_memory())
        run(recipe, options.data, out, options.init, options.teacher, options.resume, options.drop_leaks)


def _evaluate(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        "python -m train evaluate", description="The figures of a model on labelled images."
    )
    parser.add_argument(
        "data", metavar="DATA", help="class folders (of a split folder: its test), or a dataset of the Hub"
    )
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--keep",
        action="store_true",
        help="measure on val and test, and remember the figures: the model then has words",
    )
    way.add_argument(
        "--full-size",
        action="store_true",
        help="DATA holds originals: measure them as they are, and made small as this project's images are",
    )
    options = parser.parse_args(arguments)
    if options.keep:
        found = measure_and_keep(options.model, options.data)
    else:
        found = evaluate(options.model, options.data, options.full_size)
    print(json.dumps(found, indent=1) if options.json else table(found))


def _push(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("python -m train push", description="Publish a run's weights, config and card.")
    parser.add_argument("run", type=Path, metavar="RUN", help="a folder that `python -m train` left")
    parser.add_argument(
        "repo_id", metavar="REPO_ID", help="OWNER/NAME on the Hugging Face Hub; made if it is not there"
    )
    options = parser.parse_args(arguments)
    print(f"Published: {push(options.run, options.repo_id)}")


def _positive(kind: type):
    def parse(text: str):
        if not 0 < (value := kind(text)) < float("inf"):
            raise ValueError(text)
        return value

    parse.__name__ = f"positive {kind.__name__}"
    return parse


if __name__ == "__main__":
    main()
