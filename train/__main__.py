"""Train a detector on a folder of images.

    python -m train DATA                      # recipe robust: all layers, images passed through the web
    python -m train DATA --recipe card        # the published recipe: frozen features, a linear layer on top

DATA holds train/, val/ and test/, each with the folders dalle/, human/ and other_ai/. The run leaves its best
checkpoint by validation, its figures and a card in runs/NAME, and `python app.py --model runs/NAME` shows it.
"""

import argparse
import sys
from pathlib import Path

from detector import CheckpointError
from train.data import DataError
from train.recipes import RECIPES
from train.run import run


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--recipe", choices=RECIPES, default="robust", help="(default: robust)")
    parser.add_argument("--init", default="imagenet", help="imagenet (default), scratch, or a checkpoint's path")
    parser.add_argument("--teacher", type=Path, help="MobileNetV2 features to keep beside the labels (train.distill)")
    parser.add_argument("--name", help="folder below runs/ (default: the recipe's name)")
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.recipe]
    out = Path("runs") / (options.name or recipe.name)
    try:
        run(recipe, options.data, out, options.init, options.teacher)
    except (DataError, CheckpointError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
