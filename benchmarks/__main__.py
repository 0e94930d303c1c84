"""All benchmarks, each in a process of its own: python -m benchmarks [NAME ...]. Their figures go to results.json.

Options are handed on: python -m benchmarks engines --answers DIR
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import ROOT, machine

# fmt: off
NAMES = (
    "latency", "engines", "throughput", "serving", "start", "memory", "training", "spinning", "nothing", "breadth",
    "peers", "steady", "maps", "closer", "bulk",
)
# fmt: on
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    chosen, options = parser.parse_known_args()
    for name in chosen.names or NAMES:
        print(f"\n== {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "found.json"
            command = [sys.executable, "-m", f"benchmarks.{name}", "--json", out, *options]
            subprocess.run(command, cwd=ROOT, check=True)
            found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}  # now: another one may have ended since
            found[name] = found.get(name, {}) | {"machine": machine()} | json.loads(out.read_text())
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
