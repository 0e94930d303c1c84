"""The classifier alone, fitted apart to frozen features with every source counting alike: what the layers below learned
travels further than the classifier that was trained with them (Kirichenko et al. 2022, arXiv:2204.02937)."""

from functools import partial
from pathlib import Path

import torch

from detector.checkpoint import Config
from detector.model import DenseNet121
from train.data.folders import Sample
from train.fitting.history import History
from train.fitting.plans import frozen_features
from train.fitting.steps import Precision, targets_of
from train.machine import from_first, say
from train.recipes import Recipe
from train.report.metrics import source_weights


def fit_head(
    recipe: Recipe, splits: dict[str, list[Sample]], model: DenseNet121, out: Path, config: Config, precision: Precision
) -> list[dict]:
    """Logistic regression for each of the recipe's penalties. `out` keeps the checkpoint of the one that is best on the
    sources of val; a line of figures for each is returned.

    Features are taken as they are: standardised, those that hardly vary would get weights a dozen times as large.
    """
    from sklearn.linear_model import LogisticRegression

    views, val = frozen_features(recipe, splits, model, precision)
    x = torch.cat(views).double().numpy()
    targets = targets_of(splits["train"])
    weights = source_weights(targets, [sample.source for sample in splits["train"]]) * len(targets)
    y, counts = (found.repeat(len(views)).numpy() for found in (targets, weights))
    history = History(splits["val"])
    fitted = LogisticRegression(warm_start=True, max_iter=1000)
    for penalty in recipe.penalties:
        fitted.set_params(C=1 / (len(views) * penalty)).fit(x, y, counts)
        with torch.no_grad():
            model.classifier.weight.copy_(torch.from_numpy(fitted.coef_))
            model.classifier.bias.copy_(torch.from_numpy(fitted.intercept_))
            logits = model.classifier(precision.put(val)).cpu()
        probs = torch.from_numpy(fitted.predict_proba(x))
        wrong = -probs[range(len(y)), y].log()
        right = probs.argmax(1).numpy() == y
        line = {"penalty": penalty, "size": recipe.sizes[0]}
        line |= {"train_loss": (wrong * counts).mean().item(), "train_accuracy": (right * counts).mean().item()}
        best = history.add(line, logits)
        from_first(partial(history.keep, out, model, config, best))
        say(f"penalty {penalty:g}: {history.words(best)}")
    return history.lines
