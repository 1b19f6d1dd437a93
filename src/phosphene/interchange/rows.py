"""Flat rows, one a sample, as JSON lines and as parquet: `phosphene.results` version 1.

Columns are the same in both and in every run: what was run (`format`, `suite`, `suite_version`,
`backbone`, `fingerprint`, `created`), which sample (`item`, `cell`, `task`, `fields`, `level`,
`split`, `problem_seed`, `sample`, `wording`, `prompt`, `file`, `key`, `seconds`), for each protocol
P `P.headline`, a column a part (`P.answer`, ...), `P.reason` and `P.evidence`, and `floors`. What
has no fixed columns of its own (`fields`, `evidence`, `floors`) is JSON text. A protocol that a
sample was not judged by is null.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.interchange.plain import plain
from phosphene.media.disk import naming, write, write_text
from phosphene.outcome import Bench
from phosphene.trace import PROTOCOLS
from phosphene.verdict import PARTS

FORMAT = "phosphene.results/1"
TEXT = ("headline", *PARTS, "reason", "evidence")
WHOLE = ("level", "problem_seed", "sample", "wording")  # columns of whole numbers


def rows(bench: Bench) -> list[dict[str, Any]]:
    """One flat dictionary a sample."""
    found = [
        {
            "format": FORMAT,
            "suite": bench.suite["name"],
            "suite_version": str(bench.suite["version"]),
            "backbone": bench.backbone,
            "fingerprint": bench.fingerprint,
            "created": bench.created,
            "item": r.item,
            "cell": r.cell,
            "task": r.task,
            "fields": _json(r.fields),
            "level": r.level,
            "split": r.split,
            "problem_seed": r.problem_seed,
            "sample": r.sample,
            "wording": r.wording,
            "prompt": r.prompt,
            "file": r.file,
            "key": r.key,
            "seconds": float(r.seconds),
            **_verdicts(r.verdicts),
            "floors": _json(r.floors),
        }
        for r in bench.results
    ]
    return [plain(row) for row in found]


def write_jsonl(bench: Bench, path: Path) -> Path:
    """One row a line, UTF-8."""
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows(bench))
    write_text("".join(line + "\n" for line in lines), path)
    return path


def write_parquet(bench: Bench, path: Path) -> Path:
    """The rows as one parquet file, zstd.

    Raises:
        PhospheneError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise PhospheneError("parquet needs pyarrow; pip install pyarrow, or use jsonl") from error
    found = rows(bench)
    kinds = {**dict.fromkeys(WHOLE, pa.int64()), "seconds": pa.float64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in found[0]])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(found, schema), sink, compression="zstd")
    data = sink.getvalue().to_pybytes()

    def check(back: bytes) -> None:
        if back != data:
            raise PhospheneError("the disk returns something else than was written; check it")

    with naming(f"can't write {path}"):
        write(data, path, check)
    return path


def _verdicts(verdicts: Any) -> dict[str, str | None]:
    out: dict[str, str | None] = {}
    for protocol in PROTOCOLS:
        record = verdicts[protocol].record() if protocol in verdicts else {}
        for name in TEXT:
            value = record.get(name)
            out[f"{protocol}.{name}"] = _json(value) if isinstance(value, dict) else value
    return out


def _json(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False, sort_keys=True)
