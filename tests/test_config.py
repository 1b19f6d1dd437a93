from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

from phosphene.backbone import BackboneSpec
from phosphene.cli.options import GenerateOptions
from phosphene.cli.values import parse_fps, parse_size
from phosphene.config import assignments, build, override, read_yaml
from phosphene.errors import PhospheneError

CONFIGS = Path(__file__).parent.parent / "configs"


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1


@dataclass(frozen=True)
class Outer:
    steps: int
    inner: Inner = field(default_factory=Inner)
    legs: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] | None = None
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise PhospheneError(f"steps must be at least 1; got {self.steps}")


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# Files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1, 2", "is not YAML"),
        ("- a\n- b\n", "must hold"),
        ("a: 1\nb: 2\na: 3\n", "'a' given twice"),
        ("!!python/object/apply:os.system ['true']\n", "is not YAML"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path / "bad.yaml", text)
    with pytest.raises(PhospheneError) as refusal:
        read_yaml(path)
    assert said in str(refusal.value)
    assert "bad.yaml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("x.yaml", "none.yaml", "."):
        with pytest.raises(PhospheneError):
            read_yaml(tmp_path / name)


def test_an_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path / "e.yaml", "# nothing\n")) == {}


def test_exponents_without_a_point_are_numbers(tmp_path: Path) -> None:
    found = read_yaml(written(tmp_path / "e.yaml", "a: 1e-4\nb: -2.5E+3\nc: e4\nd: 1e\n"))
    assert found == {"a": 1e-4, "b": -2500.0, "c": "e4", "d": "1e"}


def test_assignments_read_values_as_yaml() -> None:
    found = assignments(["a=1", "b = x=y", "c=[1, two]", "d=", "e=1e-3", "f={g: true}"])
    assert found == {"a": 1, "b": "x=y", "c": [1, "two"], "d": None, "e": 1e-3, "f": {"g": True}}


@pytest.mark.parametrize("pair", ["a", "=1", "a=[", ""])
def test_a_bad_assignment_is_refused(pair: str) -> None:
    with pytest.raises(PhospheneError, match="--set"):
        assignments([pair])


def test_override_reaches_inside_and_leaves_the_original() -> None:
    before = {"a": 1, "b": {"c": 2, "d": 3}}
    after = override(before, {"b.c": 20, "x.y": 5, "a": None})
    assert after == {"a": None, "b": {"c": 20, "d": 3}, "x": {"y": 5}}
    assert before == {"a": 1, "b": {"c": 2, "d": 3}}


def test_override_reaches_into_lists_by_position() -> None:
    before = {"legs": [{"lr": 1}, {"lr": 2}]}
    assert override(before, {"legs.1.lr": 5}) == {"legs": [{"lr": 1}, {"lr": 5}]}
    assert before == {"legs": [{"lr": 1}, {"lr": 2}]}


@pytest.mark.parametrize("key", ["a.b", "b.c.d", "l.2.x", "l.x", "l.-1.x", "l.5"])
def test_override_refuses_a_way_that_leads_nowhere(key: str) -> None:
    with pytest.raises(PhospheneError, match=f"--set {key}: there is no"):
        override({"a": 1, "b": {"c": 2}, "l": [{}, {}]}, {key: 1})


def test_build_takes_nested_mappings_and_dashes() -> None:
    made = build(Outer, {"steps": 3, "inner": {"rate": "1e-2"}, "learning-rate": 1}, "x.yaml")
    assert made == Outer(3, Inner(0.01), learning_rate=1.0)


def test_build_walks_lists_and_mappings_of_dataclasses() -> None:
    values = {"steps": 1, "legs": [{"rate": 1}, {}], "named": {"a": {"rate": 2}, "b": None}}
    made = build(Outer, values, "x.yaml")
    assert made.legs == (Inner(1.0), Inner())
    assert made.named == {"a": Inner(2.0), "b": Inner()}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"step": 3}, "x.yaml: unknown key 'step'; did you mean steps?"),
        ({"steps": 3, "inner": {"rat": 1}}, "x.yaml: inner: unknown key 'rat'; did you mean rate?"),
        ({"steps": 3, "legs": [{}, {"rats": 1}]}, "x.yaml: legs: 1: unknown key 'rats'"),
        ({"steps": 3, "named": {"a": {"r": 1}}}, "x.yaml: named: a: unknown key 'r'"),
        (
            {"learning_rates": 3},
            "x.yaml: unknown key 'learning_rates'; did you mean learning_rate?",
        ),
        ({"steps": "many"}, "x.yaml: steps: "),
        ({"steps": 1.5}, "x.yaml: steps: "),
        ({"steps": 0}, "x.yaml: steps must be at least 1"),
        ({"steps": 3, "inner": 4}, "x.yaml: inner"),
        ({}, "x.yaml: steps: "),
    ],
)
def test_build_names_file_and_key(values: dict, said: str) -> None:
    with pytest.raises(PhospheneError) as refusal:
        build(Outer, values, "x.yaml")
    assert str(refusal.value).startswith(said)
    assert "\n" not in str(refusal.value)


# Values as people type them


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("24", Fraction(24)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("23.976024", Fraction(24000, 1001)),
        ("24000/1001", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("47.952", Fraction(48000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("119.88", Fraction(120000, 1001)),
        ("12.5", Fraction(25, 2)),
        ("23.97", Fraction(2397, 100)),
        ("0.5", Fraction(1, 2)),
        ("24.00", Fraction(24)),
        (" 8 ", Fraction(8)),
    ],
)
def test_fps_is_exact(text: str, exact: Fraction) -> None:
    assert parse_fps(text) == exact


@pytest.mark.parametrize("text", ["", "0", "-24", "24/0", "nan", "inf", "fast", "24fps", "1/2/3"])
def test_bad_fps_is_refused(text: str) -> None:
    with pytest.raises(PhospheneError, match="fps must be"):
        parse_fps(text)


def test_size_is_width_then_height() -> None:
    assert parse_size("832x480") == (832, 480)
    assert parse_size("65X63") == (65, 63)


@pytest.mark.parametrize("text", ["64", "axb", "64x", "x64", "64x64x3", "-1x5", "", "6.5x4"])
def test_bad_size_is_refused(text: str) -> None:
    with pytest.raises(PhospheneError, match="WIDTHxHEIGHT"):
        parse_size(text)


# The options of generate


def test_a_file_says_what_flags_say(tmp_path: Path) -> None:
    Image.fromarray(np.full((5, 7, 3), 9, np.uint8)).save(tmp_path / "first.png")
    text = f"""
backbone: some/where
prompt: one
first-frame: {tmp_path}/first.png
size: 65x63
fps: 23.976
frames: 61
guidance: 5
count: 2
lora: a.safetensors
dtype: bf16
compile: true
set: {{scale: 1e-2}}
"""
    options = GenerateOptions.read(written(tmp_path / "a.yaml", text))
    assert options.spec() == BackboneSpec(
        "some/where", dtype="bfloat16", compile=True, lora=("a.safetensors",)
    )
    first, second = options.requests()
    assert (first.prompt, first.index, second.prompt, second.index) == ("one", 0, "one", 1)
    assert (first.width, first.height, first.frames) == (65, 63, 61)
    assert first.fps == Fraction(24000, 1001)
    assert first.guidance == 5.0
    assert first.first_frame is not None
    assert first.first_frame.shape == (5, 7, 3)
    assert first.extra == {"scale": 0.01}


def test_every_option_can_stand_in_a_file(tmp_path: Path) -> None:
    texts = {str: "a", int: "3", float: "3", Path: "a", bool: "true"}
    texts |= {tuple[str, ...]: "[a, b]", Mapping[str, Any]: "{a: 1}"}
    for name, kind in get_type_hints(GenerateOptions).items():
        if name not in {field.name for field in fields(GenerateOptions)}:
            continue
        value = texts[get_args(kind)[0]]
        line = f"{name.replace('_', '-')}: {value}\n"
        options = GenerateOptions.read(written(tmp_path / "one.yaml", line))
        given = {k: v for k, v in vars(options).items() if v is not None}
        assert list(given) == [name], line


def test_flags_win_over_the_file_and_set_is_merged() -> None:
    file = GenerateOptions(steps=3, seed=4, compile=True, set={"a": 1, "b": 2}, prompt=("file",))
    flags = GenerateOptions(steps=9, compile=False, set={"b": 3})
    both = flags.over(file)
    assert (both.steps, both.seed, both.compile) == (9, 4, False)
    assert both.set == {"a": 1, "b": 3}
    assert both.prompt == ("file",)


def test_a_seed_of_zero_on_the_command_line_wins() -> None:
    assert GenerateOptions(seed=0).over(GenerateOptions(seed=5)).requests()[0].seed == 0


def test_prompts_come_from_flags_then_the_file_of_prompts(tmp_path: Path) -> None:
    path = written(tmp_path / "p.txt", "two\n\n  three  \n")
    requests = GenerateOptions(prompt=("one",), prompts=path, count=2).requests()
    assert [r.prompt for r in requests] == ["one", "one", "two", "two", "three", "three"]
    assert [r.index for r in requests] == [0, 1, 2, 3, 4, 5]


def test_no_prompt_is_one_empty_prompt(tmp_path: Path) -> None:
    assert [r.prompt for r in GenerateOptions().requests()] == [""]
    with pytest.raises(PhospheneError, match="no prompt"):
        GenerateOptions(prompts=written(tmp_path / "p.txt", "\n\n")).requests()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stepz: 3", "unknown key 'stepz'; did you mean steps"),
        ("first_frame: [1]", "first_frame"),
        ("frames: few", "frames"),
        ("config: other.yaml", "unknown key 'config'"),
        ("set: 3", "set"),
    ],
)
def test_a_wrong_line_is_refused_by_name(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path / "wrong.yaml", line)
    with pytest.raises(PhospheneError) as refusal:
        GenerateOptions.read(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "generate").glob("*.yaml")), ids=lambda p: p.stem
)
def test_the_worked_examples_load(path: Path) -> None:
    options = GenerateOptions.read(path)
    assert options.spec().id
    requests = options.requests()
    assert requests
    assert all(request.prompt for request in requests)
    assert f"--config configs/generate/{path.name}" in path.read_text()
