"""Programs of ours, forked from a process that has imported the libraries: they take each program five seconds else.

Where starting is what is tested (signals meanwhile, the interpreter's options, torchrun), tests start real processes.
"""

import multiprocessing
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARIES = ["torch", "torchvision", "sklearn.ensemble", "scipy.fft", "matplotlib.figure"]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(LIBRARIES)


class Forked:
    """`python -m module arguments`, with the methods of subprocess.Popen; it leads a process group of its own."""

    def __init__(
        self, module: str, *arguments: object, cwd: Path, out: Path, err: Path | None = None, limit: int | None = None,
        **environment: str,
    ):  # fmt: skip
        """Output goes to the files `out` and `err`, or all to `out`; none that it writes may exceed `limit` bytes."""
        self.out, self.err = out, err or out
        given = module, [str(argument) for argument in arguments], cwd, self.out, self.err, limit, environment
        self._process = SERVER.Process(target=_run, args=given)
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    returncode = property(poll)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        return self.out.read_text("utf-8"), self.err.read_text("utf-8")

    def wait(self, timeout: float | None = None) -> None:
        self._process.join(timeout)
        if self.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired("a forked program", timeout)

    def terminate(self) -> None:
        self._process.terminate()


def run(module: str, *arguments: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    """The same to its end, as subprocess.run does."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = (Path(folder) / name for name in ("out.txt", "err.txt"))
        process = Forked(module, *arguments, cwd=cwd, out=out, err=err, **environment)
        written = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, *written)


def _run(module: str, arguments: list[str], cwd: Path, out: Path, err: Path, limit: int | None, environment: dict):
    os.setsid()
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), number)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path.insert(0, str(ROOT))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
