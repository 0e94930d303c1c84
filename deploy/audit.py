"""Known holes of what is installed, as pip-audit finds them in PyPI's database:

    python -m deploy.audit        # or: make audit

Ends with 1 if there is one, and with 2 if the database could not be asked, which pip-audit itself passes over.
"""

import json
import subprocess
import sys

ASK = (sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--skip-editable", "--format", "json")
OURS = "distribution marked as editable"  # pip-audit's words for this project


def told(report: str, said: str) -> tuple[list[str], int]:
    """What to say of pip-audit's JSON, or, where there is none, of what it said instead; and the exit code."""
    try:
        packages = json.loads(report)["dependencies"]
    except ValueError:
        return [f"The database of known holes could not be asked: {said.strip().splitlines()[-1]}"], 2
    packages = [package for package in packages if package.get("skip_reason") != OURS]
    holes = [(package, hole) for package in packages for hole in package.get("vulns", ())]
    lines = [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for package, hole in holes
    ]
    skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
    lines.append(f"{len(packages) - len(skipped)} packages asked about, {len(holes)} known holes.")
    if skipped:
        lines.append(f"{len(skipped)} packages could not be asked about; the first: {skipped[0]}")
    return lines, 1 if holes else 2 if skipped else 0


def main() -> int:
    found = subprocess.run(ASK, capture_output=True, text=True)
    lines, code = told(found.stdout, found.stderr or "nothing was said")
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
