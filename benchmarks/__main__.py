"""All benchmarks, each in a process of its own: python -m benchmarks [NAME ...]. Their figures go to results.json."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import ROOT, machine

NAMES = ("latency", "engines", "throughput", "serving", "start", "memory", "training")
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in sys.argv[1:] or NAMES:
        print(f"\n== {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "found.json"
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--json", out], cwd=ROOT, check=True)
            found[name] = {"machine": machine()} | json.loads(out.read_text())
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
