"""Cores as the kernel and a container grant them, and OpenMP set up before torch reads its settings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from detector.cpu import cores

ROOT = Path(__file__).parents[1]
SETTINGS = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")
MANY = 8  # cores that the machine is made to have


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """The kernel's files, drawn: (/proc/self/cgroup, /sys/fs/cgroup)."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(MANY)), raising=False)
    return tmp_path / "cgroup", tmp_path / "sys"


@pytest.mark.parametrize(("quota", "expected"), [
    ("max 100000", MANY), ("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("9900000 100000", MANY),
    ("", MANY), ("nonsense", MANY), ("100 0", MANY), ("-1 100000", MANY),
])  # fmt: skip
def test_version_2(groups, quota, expected):
    write(groups[0], "0::/a/b\n")
    write(groups[1] / "a/b/cpu.max", quota)
    assert cores(*groups) == expected


def test_a_group_further_out_limits_too(groups):
    write(groups[0], "0::/a/b\n")
    write(groups[1] / "a/b/cpu.max", "600000 100000")
    write(groups[1] / "a/cpu.max", "300000 100000")
    assert cores(*groups) == 3


def test_inside_a_container_the_group_is_the_root(groups):
    write(groups[0], "0::/\n")
    write(groups[1] / "cpu.max", "200000 100000")
    assert cores(*groups) == 2


@pytest.mark.parametrize(("quota", "expected"), [("-1", MANY), ("250000", 3)])
def test_version_1(groups, quota, expected):
    write(groups[0], "5:memory:/m\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/\n")
    write(groups[1] / "cpu/docker/x/cpu.cfs_quota_us", quota)
    write(groups[1] / "cpu/docker/x/cpu.cfs_period_us", "100000")
    assert cores(*groups) == expected


def test_no_groups_at_all(groups):
    assert cores(*groups) == MANY


def settings_after(code: str, import_torch: bool = False, **given: str) -> dict:
    """OpenMP's settings as torch would find them after `code`; if it is imported then, its threads too."""
    probe = f"""
import json, os, sys
def tell(**more):
    print(json.dumps({{key: os.environ.get(key) for key in {SETTINGS!r}}} | more), flush=True)
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            tell()
            os._exit(0)
if not {import_torch}:
    sys.meta_path.insert(0, Watch())
try:
    exec({code!r})
except SystemExit:
    pass
import torch
tell(threads=torch.get_num_threads(), affinity=len(os.sched_getaffinity(0)))
"""
    environment = {key: value for key, value in os.environ.items() if key not in SETTINGS} | given
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


DOORS = {
    "library": "import detector; detector.load",
    "command": "import runpy; sys.argv[1:] = ['--help']; runpy.run_module('detector', run_name='__main__')",
    "page": "import app",
    "training": "import runpy; sys.argv[1:] = ['--help']; runpy.run_module('train', run_name='__main__')",
    "tests": "import tests.conftest",
}


@pytest.mark.parametrize("door", DOORS)
def test_spinning_is_bounded_before_torch_comes(door):
    assert settings_after(DOORS[door])["GOMP_SPINCOUNT"] == "1000"


@pytest.mark.parametrize("given", [{"OMP_WAIT_POLICY": "PASSIVE"}, {"GOMP_SPINCOUNT": "7"}], ids=str)
def test_what_the_user_has_set_stays(given):
    found = settings_after("import detector", True, **given, OMP_NUM_THREADS="1")
    assert found["threads"] == 1
    assert {key: found[key] for key in given} == given
    assert (found["GOMP_SPINCOUNT"] is None) == ("OMP_WAIT_POLICY" in given)


def test_torch_keeps_to_the_container_and_to_the_affinity(tmp_path):
    write(tmp_path / "cgroup", "0::/\n")
    write(tmp_path / "sys/cpu.max", "50000 100000")
    paths = f"Path({str(tmp_path / 'cgroup')!r}), Path({str(tmp_path / 'sys')!r})"
    # Where there are at least two cores the quota is the tighter, and OpenMP, which cannot see it, is told.
    set_up = f"from pathlib import Path; from detector.cpu import set_up_openmp; set_up_openmp({paths})"
    found = settings_after(set_up, True)
    assert found["threads"] == 1
    one = "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); import detector"
    found = settings_after(one, True)
    assert (found["threads"], found["affinity"]) == (1, 1)
