"""What SECURITY.md promises and no other test tries: no code but ours is run."""

import ast
from collections.abc import Iterator

import pytest

from tests.forked import ROOT

ROOMS = ("app.py", "benchmarks", "deploy", "detector", "experiments", "train", "ui")
REFUSED = {
    "pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load", "dill.load", "marshal.loads", "shelve.open",
    "eval", "exec", "os.system", "yaml.load", "torch.jit.load", "torch.package.PackageImporter",
}  # fmt: skip


def calls(source: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Every call in `source`: its name, and those of its keyword arguments that are constants."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            given = {word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}
            yield ast.unparse(node.func), given


def faults(source: str) -> list[str]:
    return [
        name for name, given in calls(source)
        if name in REFUSED or given.get("shell") or given.get("allow_pickle") or given.get("trust_remote_code")
        or (name.endswith("torch.load") and given.get("weights_only") is not True)
    ]  # fmt: skip


def test_nothing_that_runs_what_it_reads_is_called():
    files = [path for room in ROOMS for path in ([ROOT / room] if "." in room else sorted((ROOT / room).rglob("*.py")))]
    assert len(files) > 80
    assert {path.relative_to(ROOT): found for path in files if (found := faults(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)", "torch.load(path, weights_only=False)", "pickle.loads(data)", "eval(text)",
        "np.load(file, allow_pickle=True)", "subprocess.run(line, shell=True)", "load(name, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_it_would_be_found(source):
    assert faults(source)
