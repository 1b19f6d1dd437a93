from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene import backbone, doctor, media, recreate
from phosphene.backbone import BackboneSpec
from phosphene.cli import app, main
from phosphene.testing.fake import FakeBackbone

HEAVY = ("torch", "diffusers", "transformers")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Stand in for every backbone, and work in an empty directory."""

    def use(**fields: object) -> None:
        def opened(spec: BackboneSpec) -> FakeBackbone:
            return replace(FakeBackbone(spec=spec), **fields)

        for module in (backbone, doctor, recreate):
            monkeypatch.setattr(module, "open_backbone", opened)

    monkeypatch.chdir(tmp_path)
    use()
    return use


def run(*argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "phosphene", *argv]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line a bad command gets."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("phosphene: ")
    assert err.count("\n") == 1
    return err


# Starting up


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["generate", "--help"],
        ["ls", "backbones"],
        ["ls", "tasks", "--json"],
        ["ls", "runs"],
        ["completion", "zsh"],
        ["doctor"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_light_verbs_import_no_torch(argv: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from phosphene.cli import main; status = main(sys.argv[1:]); "
        f"sys.stderr.write(','.join(m for m in {HEAVY} if m in sys.modules)); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argv], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout


def test_help_needs_neither_numpy_nor_pydantic_nor_yaml() -> None:
    """What keeps help under 0.3 s, without timing a shared machine."""
    code = (
        "import sys; from phosphene.cli import main; main(['generate', '--help']); "
        "heavy = ('numpy', 'pydantic', 'yaml', 'av', 'torch'); "
        "sys.exit(','.join(m for m in heavy if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_explains_the_two_unsafe_flags(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    main(["generate", "--help"])
    lines = capsys.readouterr().out.splitlines()
    for flag in ("--allow-pickle", "--trust-remote-code"):
        (line,) = [line for line in lines if flag in line]
        assert "Off, because" in line


def test_every_verb_has_json_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    verbs = ["generate", "recreate", "demo", "doctor", "completion", "train ember"]
    for verb in [*verbs, "ls backbones", "ls runs", "ls tasks"]:
        assert main([*verb.split(), "--help"]) == 0
        words = capsys.readouterr().out
        assert "--json" in words, verb
        assert "one JSON" in words, verb


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_flags(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "first-frame" in capsys.readouterr().out


# Bad input: one line, status 2, no traceback


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--frames", "0"], "frames must be at least 1; got 0"),
        (["--frames", "x"], "--frames"),
        (["--size", "64"], "WIDTHxHEIGHT"),
        (["--size", "axb"], "WIDTHxHEIGHT"),
        (["--size", "0x64"], "width must be at least 1"),
        (["--count", "0"], "count must be at least 1"),
        (["--batch", "0"], "batch must be at least 1"),
        (["--steps", "-1"], "steps must be at least 1"),
        (["--seed", "-1"], "seed must lie in"),
        (["--fps", "1/0"], "fps must be"),
        (["--fps", "0"], "fps must be"),
        (["--guidance", "nan"], "guidance must be a finite number"),
        (["--dtype", "bf17"], "did you mean bf16"),
        (["--first-frame", "text.png"], "text.png"),
        (["--first-frame", "none.png"], "none.png"),
        (["--last-frame", "."], "can't read the picture ."),
        (["--prompts", "none.txt"], "none.txt"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--config", "bad.yaml"], "bad.yaml: unknown key 'stepps'; did you mean steps"),
        (["--set", "hue"], "KEY=VALUE"),
        (["--frams", "3"], "did you mean --frames?"),
        (["--steps"], "requires an argument"),
        (["--steps", "3", "--steps", "4"], "--steps"),
        (["-5+3="], "a prompt that begins with - goes after --"),
        (["--out", "text.png"], "text.png"),
        (["--out", "text.png/inside"], "text.png"),
    ],
    ids=" ".join,
)
def test_bad_input_gets_one_line(
    argv: list[str], said: str, fake: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.png").write_text("not a picture")
    Path("bad.yaml").write_text("stepps: 3")
    assert said.lower() in refused(capsys, "generate", "a", *argv).lower()


def test_refusals_are_json_under_json(fake: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "a", "--frames", "0", "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {"error": "frames must be at least 1; got 0"}
    assert main(["generate", "a", "--frams", "0", "--json"]) == 2
    assert "frams" in json.loads(capsys.readouterr().out)["error"]


def test_an_unknown_backbone_is_answered_with_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unknown backbone 'embr'" in refused(capsys, "generate", "a", "--backbone", "embr")
    assert "unknown backbone 'embr'" in refused(capsys, "doctor", "--backbone", "embr")


def test_an_unknown_verb_is_answered_with_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert 'did you mean "generate"' in refused(capsys, "genrate").lower()


def test_recreate_refuses_what_is_no_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(b"\x00\x00\x00\x20ftypisom")
    assert "cut.mp4" in refused(capsys, "recreate", str(path))
    assert "none.mp4" in refused(capsys, "recreate", str(tmp_path / "none.mp4"))


# Generating


def test_generate_prints_the_paths_it_made(
    fake: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "a", "b", "--count", "2", "--out", "here", "--quiet"]) == 0
    out, err = capsys.readouterr()
    paths = out.splitlines()
    assert len(paths) == 4
    assert err == ""
    assert all(Path(p).is_relative_to("here") and media.load(p).frames is not None for p in paths)


def test_progress_goes_to_stderr(fake: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    main(["generate", "a", "--json"])
    out, err = capsys.readouterr()
    assert json.loads(out)["done"] == 1
    assert "1/1" in err


def test_json_says_what_became_of_each_sample(
    fake: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(fail_at=frozenset({1}))
    assert main(["generate", "a", "--count", "3", "--seed", "7", "--json", "--quiet"]) == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["done"], found["failed"]) == (2, 1)
    assert [s["status"] for s in found["samples"]] == ["done", "failed", "done"]
    assert [s["index"] for s in found["samples"]] == [0, 1, 2]
    assert {s["seed"] for s in found["samples"]} == {7}
    assert "told to fail at 1" in found["samples"][1]["reason"]
    assert "1 of 3 samples failed" in err
    assert Path(found["samples"][0]["file"]).is_file()


def test_the_same_command_goes_on_in_the_same_directory(
    fake: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    fake(log=log, fail_at=frozenset({2}))
    command = ["generate", "a", "--count", "3", "--quiet", "--json"]
    assert main(command) == 1
    first = json.loads(capsys.readouterr().out)["run"]
    fake(log=log)
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["run"] == first
    assert sorted(log.read_text().split()) == ["0", "1", "2"]
    assert main(["generate", "b", *command[2:]]) == 0
    assert json.loads(capsys.readouterr().out)["run"] != first


@pytest.mark.parametrize(
    "flags", [["--seed", "1"], ["--steps", "2"], ["--set", "hue=1"], ["--dtype", "fp32"]]
)
def test_another_question_gets_another_directory(
    flags: list[str], fake: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["generate", "a", "--quiet"])
    main(["generate", "a", "--quiet", *flags])
    one, two = capsys.readouterr().out.splitlines()
    assert Path(one).parent.parent != Path(two).parent.parent


def test_names_of_directories_come_from_the_backbone_not_the_prompt(
    fake: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["generate", "../../etc/passwd", "--backbone", "Some/M\u00f6del 1.0", "--quiet"])
    path = Path(capsys.readouterr().out.strip())
    assert re.fullmatch(r"m-del-1-0-[0-9a-f]{12}", path.parts[1])
    assert "passwd" not in str(path)


def test_a_config_file_and_flags_make_one_request(
    fake: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.yaml").write_text(
        "prompt: from file\nsize: 65x63\nframes: 5\nfps: 23.976\nset: {hue: 0.5}\nquiet: true\n"
        "json: true\nout: made\n"
    )
    flags = ["--frames", "3", "--set", "a=1", "--set=b=[x, y]"]
    assert main(["generate", "--config", "c.yaml", *flags]) == 0
    found = json.loads(capsys.readouterr().out)
    clip = media.load(found["samples"][0]["file"])
    assert found["run"] == "made"
    assert clip.frames is not None
    assert clip.frames.shape == (3, 63, 65, 3)
    assert str(clip.fps) == "24000/1001"
    recipe = media.read_recipe(found["samples"][0]["file"])
    assert recipe["request"]["extra"] == {"hue": 0.5, "a": 1, "b": ["x", "y"]}


def test_loading_flags_reach_the_backbone(
    fake: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = "--revision r --variant fp16 --dtype bf16 --device cpu --offload model --quantize q"
    more = "--cache c --compile --lora a --lora b --allow-pickle --trust-remote-code --quiet"
    assert main(["generate", "a", "--backbone", "o/n", *flags.split(), *more.split()]) == 0
    spec = media.read_recipe(capsys.readouterr().out.strip())["spec"]
    assert BackboneSpec(**{**spec, "lora": tuple(spec["lora"])}) == BackboneSpec(
        id="o/n",
        revision="r",
        variant="fp16",
        dtype="bfloat16",
        device="cpu",
        offload="model",
        quantize="q",
        cache="c",
        compile=True,
        lora=("a", "b"),
        allow_pickle=True,
        trust_remote_code=True,
    )


def test_pictures_reach_the_request(fake: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.full((6, 8, 3), 200, np.uint8)).save("p.png")
    assert main(["generate", "--first-frame", "p.png", "--quiet"]) == 0
    recipe = media.read_recipe(capsys.readouterr().out.strip())
    assert recipe["request"]["first_frame"]["shape"] == [6, 8, 3]
    assert recipe["request"]["prompt"] == ""


def test_lossless_is_bit_exact(fake: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "a", "--lossless", "--quiet"]) == 0
    path = capsys.readouterr().out.strip()
    assert path.endswith(".mkv")
    assert media.load(path).digest == media.read_recipe(path)["clip"]["digest"]


def test_what_a_backbone_prints_stays_out_of_stdout(
    fake: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = FakeBackbone.generate

    def noisy(self: FakeBackbone, requests: list) -> list:
        sys.stdout.write("noise\n")
        return made(self, requests)

    monkeypatch.setattr(FakeBackbone, "generate", noisy)
    assert main(["generate", "a", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 1


def test_an_interrupted_run_says_how_to_go_on(
    fake: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> list:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeBackbone, "generate", interrupted)
    assert main(["generate", "a", "--quiet"]) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_ctrl_c_in_the_real_process(tmp_path: Path) -> None:
    code = (
        "import sys, phosphene.backbone as b; from phosphene.testing.fake import FakeBackbone; "
        "b.open_backbone = lambda spec: FakeBackbone(spec=spec, delay=0.3); "
        "from phosphene.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "generate", "a", "--count", "99", "--batch", "1"]
    process = subprocess.Popen(
        [*command, "--out", "o"], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stderr is not None
    while "[1/99]" not in process.stderr.readline():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(timeout=30) == 130
    assert "Traceback" not in said
    assert said.endswith("phosphene: interrupted; run the same command again to go on\n")


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    shell = f"{sys.executable} -m phosphene completion bash | head -1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=tmp_path)
    assert done.stderr == ""


# Finding one's way


def test_ls_runs_counts_what_was_made(fake: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    fake(fail_at=frozenset({0}))
    main(["generate", "a", "--count", "3", "--backbone", "o/n", "--quiet"])
    Path("runs/broken").mkdir()
    Path("runs/broken/manifest.json").write_text("{")
    Path("runs/other").mkdir()
    capsys.readouterr()
    assert main(["ls", "runs", "--json"]) == 0
    rows = {Path(row["run"]).name: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == {"broken", *[n for n in rows if n.startswith("n-")]}
    assert "manifest" in rows.pop("broken")["error"]
    (row,) = rows.values()
    assert (row["done"], row["failed"], row["backbones"]) == (2, 1, ["o/n"])
    assert main(["ls", "runs"]) == 0
    assert "o/n" in capsys.readouterr().out


def test_ls_runs_where_there_are_none(fake: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "runs"]) == 0
    assert "no runs" in capsys.readouterr().out
    assert "nowhere" in refused(capsys, "ls", "runs", "nowhere")


def test_ls_names_what_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    main(["ls", "tasks", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert {"equations", "maze", "bounce"} <= {row["name"] for row in rows}
    assert all(row["about"] for row in rows)
    main(["ls", "backbones", "--json"])
    names = {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert "ember" in names
    assert "diffusers" not in names


def test_ls_backbones_knows_the_model_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = tmp_path / "models--some--pipeline" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}")
    (tmp_path / "models--some--encoder" / "snapshots" / "abc").mkdir(parents=True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    main(["ls", "backbones", "--json"])
    names = {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert "some/pipeline" in names
    assert "some/encoder" not in names


def test_doctor_examines_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["torch"]
    assert found["devices"][0]["device"] == "cpu"
    assert set(found["dtypes"]) == {"float32", "bfloat16", "float16"}
    assert found["codecs"]["ffv1"] is True
    assert found["disk"]["free"] > 0
    assert main(["doctor"]) == 0
    assert "codecs" in capsys.readouterr().out


def test_doctor_examines_a_backbone(fake: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--backbone", "o/n", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["produces"] == ["audio", "video"]
    assert "first_frame" in found["accepts"]
    assert found["defaults"]["fps"] == "8"
    assert main(["doctor", "--backbone", "o/n"]) == 0
    said = capsys.readouterr().out
    assert "hue" in said
    assert "--first-frame" in said
    assert "--size" in said


def test_doctor_tells_what_a_pipeline_has_to_tell(
    fake: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"parameters": {"transformer": 81664}, "caches": ["taylorseer"]}
    monkeypatch.setattr(FakeBackbone, "describe", lambda self: told, raising=False)
    assert main(["doctor", "--backbone", "o/n", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pipeline"] == told
    assert main(["doctor", "--backbone", "o/n"]) == 0
    said = capsys.readouterr().out
    assert "transformer 81,664" in said
    assert "taylorseer" in said


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from phosphene import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_train_takes_dotted_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from phosphene.ember import train

    seen = []
    monkeypatch.setattr(train, "train", lambda config, on_event: seen.append(config) or "w")
    config = Path(__file__).parent.parent / "configs" / "train" / "ember-cpu.yaml"
    change = ["--set", "stages.0.lr=1e-4", "--set", f"out={tmp_path}"]
    assert main(["train", "ember", "--config", str(config), *change, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"weights": "w"}
    assert seen[0].stages[0].lr == 1e-4
    assert seen[0].out == tmp_path
    said = refused(capsys, "train", "ember", "--config", str(config), "--set", "stages.0.lrr=1")
    assert "unknown key 'lrr'" in said
    assert os.path.basename(config) in said


def test_no_two_verbs_share_a_name() -> None:
    assert {"generate", "recreate", "ls", "doctor", "train", "demo", "completion"} <= set(app)


# Recreating


@pytest.fixture
def sample(fake: Callable, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The path of a sample made by the fake, which `recreate` opens again."""

    def make(*flags: str) -> str:
        main(["generate", "a", "--seed", "3", "--quiet", *flags])
        return capsys.readouterr().out.strip()

    return make


def test_recreate_makes_the_same_sample(
    sample: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = sample("--lossless")
    assert main(["recreate", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["likeness"] == "identical"
    assert media.load(found["file"]).digest == media.load(path).digest
    assert main(["recreate", path, "--out", "mine.mkv"]) == 0
    assert capsys.readouterr().out == "mine.mkv\n"


def test_recreate_says_when_samples_differ(
    sample: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sample()
    monkeypatch.setattr("phosphene.request.Request.stream", lambda self, name: 12345)
    assert main(["recreate", path, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["likeness"] == "different"


def test_recreate_never_overwrites_what_it_compares_with(
    sample: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = sample()
    assert "compare with" in refused(capsys, "recreate", path, "--out", path)
    assert "must end in .mp4" in refused(capsys, "recreate", path, "--out", "a.png")


@pytest.mark.parametrize("flag", ["--allow-pickle", "--trust-remote-code"])
def test_a_file_alone_cannot_let_code_run(
    flag: str, sample: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = sample(flag)
    assert f"add {flag}" in refused(capsys, "recreate", path)
    assert main(["recreate", path, flag]) == 0
