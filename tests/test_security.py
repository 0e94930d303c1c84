"""What SECURITY.md promises and no other test tries: no code but ours is run; and what is said of known holes."""

import ast
import json
from collections.abc import Iterator

import pytest

from deploy.audit import told
from tests.forked import ROOT

ROOMS = ("app.py", "benchmarks", "bulk", "deploy", "detector", "experiments", "train", "ui")
REFUSED = {
    "pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load", "dill.load", "dill.loads", "marshal.load",
    "marshal.loads", "shelve.open", "eval", "exec", "os.system", "os.popen", "subprocess.getoutput", "yaml.load",
    "yaml.unsafe_load", "torch.jit.load", "torch.package.PackageImporter", "pandas.read_pickle", "pd.read_pickle",
}  # fmt: skip


def calls(source: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Every call in `source`: its whole name, whatever it was imported as, and its keyword arguments: a constant's
    value, else what is written there."""
    tree, names = ast.parse(source), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = {word.arg: getattr(word.value, "value", ast.unparse(word.value)) for word in node.keywords}
            first, dot, rest = ast.unparse(node.func).partition(".")
            yield names.get(first, first) + dot + rest, given


def faults(source: str) -> list[str]:
    return [
        name for name, given in calls(source)
        if name in REFUSED or given.get("shell") or given.get("allow_pickle") or given.get("trust_remote_code")
        or (name == "torch.load" and given.get("weights_only") is not True)
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
        "from pickle import load\nload(file)", "import marshal as m\nm.loads(data)", "os.popen(line)",
        "subprocess.run(line, shell=flag)", "torch.load(path, weights_only=flag)",
    ],
)  # fmt: skip
def test_it_would_be_found(source):
    assert faults(source)


OURS = {"name": "detector", "skip_reason": "distribution marked as editable"}
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
HOLED = {"name": "holed", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
UNASKED = {"name": "unasked", "skip_reason": "Dependency not found on PyPI and could not be audited: unasked (3.0)"}
LEFT = f"1 packages could not be asked about; the first: {UNASKED['skip_reason']}"


@pytest.mark.parametrize(
    ("packages", "code", "lines"),
    [
        ([OURS, SOUND], 0, ["1 packages asked about, 0 known holes."]),
        ([HOLED, SOUND], 1, ["holed 2.0: PYSEC-1, mended in 2.1", "2 packages asked about, 1 known holes."]),
        ([SOUND, UNASKED], 2, ["1 packages asked about, 0 known holes.", LEFT]),
        ([UNASKED, HOLED], 1, ["holed 2.0: PYSEC-1, mended in 2.1", "1 packages asked about, 1 known holes.", LEFT]),
        (None, 2, ["The database of known holes could not be asked: no route to host"]),
    ],
)
def test_what_could_not_be_asked_is_not_called_sound(packages, code, lines):
    """pip-audit says "No known vulnerabilities found", and 0, when it could ask about nothing."""
    report = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
    assert told(report, "a traceback\nno route to host\n") == (lines, code)
