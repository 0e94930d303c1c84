"""`python -m train` for tests that kill it: python -m tests.killable DATA ...

It saves its state after every step, trains on small images and is measured on small ones, and computes in fp32: a run
measures whether bf16 is faster, and two runs that are compared must not come to different answers. It draws no pictures
of the data.
"""

from dataclasses import replace
from functools import partial

from matplotlib.figure import Figure

from detector.checkpoint import Config
from train import run
from train.__main__ import main
from train.fitting import loop, steps
from train.recipes import CARD, RECIPES, ROBUST
from train.report import plots

SMALL = {"robust": replace(ROBUST, sizes=(32, 64)), "card": replace(CARD, sizes=(64,) * 3, views=2)}

if __name__ == "__main__":
    loop.SAVE_EVERY = 0
    run.Config = partial(Config, input_size=64)
    steps.bf16_is_faster = lambda: False
    plots.grid = lambda *_, **__: Figure()
    RECIPES |= SMALL
    main()
