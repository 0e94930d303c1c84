"""The command: python -m bulk IN... --out DIR (see --help)."""

import logging
import sys
from importlib.util import find_spec

from tqdm import tqdm

from bulk import BulkError
from detector.arguments import add_engine, add_model
from detector.cpu import cores
from detector.output.as_table import printable
from detector.usage import Parser

WHAT = "Judges pictures by the million, on Ray Data, and writes Parquet; goes on where it was killed."
WHERE = "folders, patterns (quoted), pictures, or Parquet files of bytes or addresses; s3://, gs://, http:// too"
EXIT_CODES = "Exit code: 0; 1 if a picture of this run failed; 2 if it cannot begin or go on; 130 if interrupted."


def main(arguments: list[str] | None = None) -> int:
    parser = Parser("python -m bulk", description=WHAT, epilog=EXIT_CODES, allow_abbrev=False)
    parser.add_argument("inputs", nargs="+", metavar="IN", help=WHERE)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder or address of the results, its own")
    add_model(parser)
    add_engine(parser)
    parser.add_argument("--column", help="of the Parquet files: bytes, {bytes, path}, or addresses (default: found)")
    parser.add_argument("--part", type=int, default=1000, help="pictures a part (default: 1000; 100000 for a billion)")
    parser.add_argument("--address", help="of a Ray cluster, or `auto` (default: one on this machine, for this run)")
    parser.add_argument("--cores", type=int, help="for each model (default: a machine's, or its share of a GPU's)")
    options = parser.parse_args(arguments)
    if options.part < 1 or (options.cores is not None and options.cores < 1):
        parser.error("--part and --cores are 1 at least.")
    logging.basicConfig(format="%(message)s")
    try:
        return _run(options)
    except BulkError as error:
        print(printable(str(error)), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
        return 130


def _run(options) -> int:
    try:
        if not find_spec("ray"):  # which reads its settings when it is imported: not before they are made
            raise ImportError("there is no Ray")
        from bulk.cluster import cluster, judge
        from bulk.places import Results, in_short
        from bulk.plan import make_plan
        from bulk.score import part_name
    except ImportError as error:
        raise BulkError(f"This needs more packages ({error}): pip install '.[bulk]'.") from error
    from detector.checkpoint import CheckpointError
    from detector.hub import load_checkpoint

    try:
        checkpoint = load_checkpoint(options.model)
    except CheckpointError as error:
        raise BulkError(str(error)) from error
    results = Results(options.out)
    told = {"sha256": checkpoint.config.sha256, "precision": options.precision, "column": options.column}
    plan = make_plan(results, options.inputs, options.part, told)
    try:
        done = results.names()
    except OSError as error:
        raise BulkError(f"{results.name} cannot be read: {in_short(error)}.") from error
    todo = [part for part in range(len(plan.sizes)) if part_name(part) not in done]
    n, left = sum(plan.sizes), sum(plan.sizes[part] for part in todo)
    print(f"{n:,} pictures in {len(plan.sizes):,} parts; {n - left:,} are done.", file=sys.stderr)
    failed = 0
    if todo:
        scorer = (results.name, options.model, options.precision, options.device)
        with (
            cluster(options.address, cores(), options.cores, options.device) as workers,
            tqdm(total=n, initial=n - left, unit="image", disable=not sys.stderr.isatty()) as bar,
        ):
            for told in judge(scorer, todo, workers):
                if told["error"]:
                    raise BulkError(f"{told['error']} What is done is kept; the same command goes on from here.")
                failed += told["failed"]
                bar.update(plan.sizes[told["part"]])
    print(f"All are done and in {results.name}; {failed:,} of these {left:,} failed.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
