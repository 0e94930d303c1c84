"""`python -m train` for tests that kill it: python -m tests.killable DATA ...

It saves its state after every step, and computes in fp32: a run measures whether bf16 is faster, and two runs that are
compared must not come to different answers.
"""

from train import engine, fit
from train.__main__ import main

fit.SAVE_EVERY = 0
engine.bf16_is_faster = lambda: False

if __name__ == "__main__":
    main()
