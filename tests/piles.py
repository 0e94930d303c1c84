"""What the tests of `bulk` share: tables, plans, results, and a server of S3's protocol."""

import contextlib
from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from bulk.places import Results, place
from bulk.plan import make_plan
from bulk.score import Scorer


@contextlib.contextmanager
def s3_server():
    """A client of its bucket `pile`, while this process and those that it starts take it for S3."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    known = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in known.items():
            patch.setenv(name, value)
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="pile")
        yield client
    server.stop()


def table_of(column: list, path: Path, name: str) -> Path:
    pq.write_table(pa.table({"id": range(len(column)), name: column}), path, row_group_size=2)
    return path


def results_in(name: object) -> list[dict]:
    system, path = place(str(name))
    found = [info.path for info in system.get_file_info(fs.FileSelector(path))]
    parts = [path for path in found if "/part-" in path and path.endswith(".parquet")]
    return pyarrow.dataset.dataset(sorted(parts), filesystem=system).to_table().to_pylist()


def plan_in(folder: Path, *inputs: object, column: str | None = None, sha256: str = "", part: int = 1000) -> Results:
    results = Results(str(folder))
    make_plan(results, [str(name) for name in inputs], part, {"column": column, "sha256": sha256})
    return results


def judged(scorer: Scorer, part: int = 0) -> dict:
    return {key: value.tolist() for key, value in scorer({"part": np.array([part])}).items()}
