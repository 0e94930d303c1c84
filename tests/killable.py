"""`python -m train` that saves its state after every step, for tests that kill it: python -m tests.killable DATA ..."""

from train import fit
from train.__main__ import main

fit.SAVE_EVERY = 0

if __name__ == "__main__":
    main()
