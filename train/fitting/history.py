"""What is known of each epoch, or of whatever else is tried one after the other, and which was the best."""

import json
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from detector.checkpoint import Config, save_checkpoint, write_whole
from train.data.folders import Sample
from train.fitting.steps import Diverged, targets_of
from train.report.metrics import answered, figures, source_weights

HISTORY_FILE = "metrics.jsonl"


class History:
    """Lines of figures; the best is the one that names most of `val` rightly, sources counting alike."""

    def __init__(self, val: Sequence[Sample], lines: Sequence[dict] = ()):
        self.lines = list(lines)
        self.targets = targets_of(val)
        self._weights = source_weights(self.targets, [sample.source for sample in val])

    def add(self, line: dict, logits: Tensor) -> bool:
        """`line` with the figures of validation, logits (N, 3): whether it is the best so far. Raises Diverged."""
        if not logits.isfinite().all():
            raise Diverged("The answers are no numbers any more; start again with a lower --lr.")
        right = answered(logits.softmax(1)) == self.targets
        by_source = {"source_balanced_accuracy": round((self._weights * right).sum().item(), 4)}
        line |= {"val_loss": nn.functional.cross_entropy(logits, self.targets).item()}
        self.lines.append(line | {"val": figures(logits, self.targets) | by_source})
        return self._scores[-1] > max(self._scores[:-1], default=-1)

    @property
    def _scores(self) -> list[float]:
        return [line["val"]["source_balanced_accuracy"] for line in self.lines]

    def keep(self, out: Path, model: nn.Module, config: Config, best: bool) -> None:
        """All lines into `out`, and the checkpoint if it is the best so far."""
        write_whole(out, {HISTORY_FILE: "".join(json.dumps(line) + "\n" for line in self.lines).encode()})
        if best:
            save_checkpoint(out, model, config)

    def words(self, best: bool) -> str:
        """The last line."""
        line = self.lines[-1]
        return (
            f"loss {line['train_loss']:.3f}, accuracy {line['train_accuracy']:.3f}; val loss {line['val_loss']:.3f}, "
            f"balanced accuracy over sources {self._scores[-1]:.3f}{' (best so far)' if best else ''}"
        )
