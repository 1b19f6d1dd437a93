"""Exports, read back by the tools they are for."""

import json
from dataclasses import replace

import pytest
import yaml
from bench_runs import judged_run, paper_run

from phosphene.errors import PhospheneError
from phosphene.interchange import FORMATS, Origin, export
from phosphene.statistics import share
from phosphene.verdict import Verdict

ORIGIN = Origin("org/small", "https://example.org/report", "someone")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Eight items, two samples each; the first sample of even items is wrong."""
    return judged_run(tmp_path_factory.mktemp("run") / "r", lambda i, j: i % 2 == 1 or j == 1)


@pytest.fixture
def odd():
    """What a real run may hold: a clip never made, one unreadable, a half character in a reason."""
    bench = paper_run({"x": [["passed", "unmade"], ["unreadable", "failed"]]})
    broken = {
        "last": Verdict("failed", reason='says "\ud800"\n', evidence={"answer": [1, float("nan")]})
    }
    return replace(bench, results=[*bench.results[:3], replace(bench.results[3], verdicts=broken)])


@pytest.mark.parametrize("to", FORMATS)
def test_default_names_lie_in_the_run(run, to):
    assert export(run, to, None, ORIGIN) == run.root / FORMATS[to]


def test_rows_say_all(run, tmp_path):
    rows = [json.loads(x) for x in export(run, "jsonl", tmp_path / "x").read_text().splitlines()]
    assert len(rows) == 16
    assert len({(r["item"], r["sample"]) for r in rows}) == 16
    for row, result in zip(rows, run.results, strict=True):
        assert row["last.headline"] == result.verdicts["last"].headline
        assert row["best.answer"] == result.verdicts["best"].answer
        assert json.loads(row["fields"]) == result.fields
        assert (
            json.loads(row["last.evidence"])["answer"] == result.verdicts["last"].evidence["answer"]
        )
        assert json.loads(row["floors"]) == result.floors
        assert not any(isinstance(value, (dict, list)) for value in row.values())
    assert {r["format"] for r in rows} == {"phosphene.results/1"}


def test_parquet_holds_the_same_rows_with_fixed_types(run, odd, tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(export(run, "parquet", tmp_path / "x.parquet"))
    lines = export(run, "jsonl", tmp_path / "x.jsonl").read_text().splitlines()
    assert table.to_pylist() == [json.loads(line) for line in lines]
    assert table.schema.field("level").type == pa.int64()
    other = pq.read_table(export(odd, "parquet", tmp_path / "y.parquet"))
    assert other.schema == table.schema
    assert other["best.headline"].null_count == 4
    assert other["file"].null_count == 1


def test_inspect_loads_the_log(run, tmp_path):
    log_module = pytest.importorskip("inspect_ai.log")
    log = log_module.read_eval_log(str(export(run, "inspect", tmp_path / "log.json")))
    assert (log.version, log.status) == (2, "success")
    assert (log.eval.task, log.eval.model) == ("small", "phosphene/ember")
    assert len(log.samples) == 16
    assert {s.epoch for s in log.samples} == {1, 2}
    assert log.eval.config.epochs == 2
    value = pytest.importorskip("inspect_ai.scorer").value_to_float()
    for sample, result in zip(log.samples, run.results, strict=True):
        assert sample.id == result.item
        assert value(sample.scores["last"].value) == result.verdicts["last"].passed
        assert sample.scores["last"].explanation == result.verdicts["last"].reason
        assert set(sample.scores) == set(result.verdicts)
    (score,) = [s for s in log.results.scores if s.name == "last"]
    assert score.metrics["accuracy"].value == 0.75
    assert score.metrics["low"].value < 0.75 < score.metrics["high"].value


def test_inspect_tells_failures_apart(odd, tmp_path):
    log_module = pytest.importorskip("inspect_ai.log")
    log = log_module.read_eval_log(str(export(odd, "inspect", tmp_path / "log.json")))
    assert [s.scores["last"].value for s in log.samples] == ["C", "I", "N", "I"]
    assert [s.error is not None for s in log.samples] == [False, True, False, False]
    assert log.samples[1].error.message == "out of memory"
    assert log.results.completed_samples == 3
    assert log.samples[3].scores["last"].answer == "[1, null]"


def test_eval_results_are_what_the_hub_reads(run, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    said = yaml.safe_load(export(run, "eval-results", tmp_path / "x.yaml", ORIGIN).read_text())
    entries = hub.parse_eval_result_entries(said)
    assert [e.task_id for e in entries] == ["small", "symmetry-0", "symmetry-1"]
    assert {e.dataset_id for e in entries} == {"org/small"}
    assert entries[0].value == 75.0
    assert entries[0].date == "2026-11-23"
    assert (entries[0].source_url, entries[0].source_user) == (ORIGIN.url, "someone")
    assert hub.eval_result_entries_to_yaml(entries) == said


def test_eval_results_are_of_held_out_instances_alone(run):
    seen = {r.item for r in run.results if r.split == "train"}
    wrong = {p: Verdict("failed") for p in run.results[0].verdicts}
    changed = [replace(r, verdicts=wrong) if r.item in seen else r for r in run.results]
    bench = replace(run, results=changed)
    said = yaml.safe_load(export(bench, "eval-results", None, ORIGIN).read_text())
    assert said[0]["value"] == 75.0
    low = share([[True, False]] * 2 + [[True, True]] * 2).low
    assert f"{100 * low:.1f}" in said[0]["notes"]


@pytest.mark.parametrize(
    ("to", "origin", "words"),
    [
        ("csv", ORIGIN, "no format 'csv'; there are jsonl"),
        ("eval-results", Origin(), "--dataset"),
        ("eval-results", Origin("a b/c"), "--dataset"),
        ("eval-results", Origin("a/b", user="x"), "--url"),
    ],
)
def test_what_is_missing_is_named(run, to, origin, words):
    with pytest.raises(PhospheneError, match=words):
        export(run, to, None, origin)


def test_seen_instances_alone_are_no_benchmark(run):
    seen = replace(run, results=[r for r in run.results if r.split == "train"])
    with pytest.raises(PhospheneError, match="no test instances"):
        export(seen, "eval-results", None, ORIGIN)
    with pytest.raises(PhospheneError, match="no results"):
        export(replace(run, results=[]), "jsonl")


def test_odd_text_does_not_stop_an_export(odd, tmp_path):
    (line,) = export(odd, "jsonl", tmp_path / "x").read_text().splitlines()[3:]
    assert json.loads(line)["last.reason"] == 'says "?"\n'
    assert json.loads(line)["last.evidence"] == '{"answer": [1, null]}'
