"""`phosphene train`: train the embedded model."""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import App, Parameter

from phosphene.cli.console import say, say_json

T = TypeVar("T")
app = App(name="train", help="Train the model that Phosphene carries.")


@app.command
def ember(
    *,
    config: Path,
    changes: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    quiet: bool = False,
    json: bool = False,
) -> None:
    """Train Ember and print where its weights are; the same command resumes.

    The run's directory holds progress.html, drawn anew at every exam and checkpoint.

    Args:
        config: YAML file, e.g. configs/train/ember-cpu.yaml.
        changes: KEY=VALUE in place of the file's, e.g. stages.0.lr=1e-4; may be repeated.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.ember.settings import TrainConfig
    from phosphene.ember.train import train

    told = _config(config, changes, TrainConfig)
    with redirect_stdout(sys.stderr):
        weights = train(told, (lambda event: None) if quiet else _show)
    if json:
        say_json({"weights": weights})
    else:
        say(str(weights))


@app.command
def encoder(
    *,
    config: Path,
    changes: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    quiet: bool = False,
    json: bool = False,
) -> None:
    """Train Ember's eyes and ears and print where their weights are; the same command resumes.

    The weights' folder holds retrieval.json: how often the nearest of the held-out clips is the
    right one.

    Args:
        config: YAML file, e.g. configs/train/encoder-cpu.yaml.
        changes: KEY=VALUE in place of the file's, e.g. samples=1024; may be repeated.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.ember.contrast import EncoderConfig, train

    told = _config(config, changes, EncoderConfig)
    began = time.perf_counter()

    def show(event: dict[str, Any]) -> None:
        if "loss" not in event:
            _live("  ".join(f"{n} {_short(v)}" for n, v in event.items()), last=True)
            return
        speed = event["fresh"] / (time.perf_counter() - began)
        left = _time((told.samples - event["samples"]) / speed)
        line = f"{event['samples']:,} of {told.samples:,} clips  loss {event['loss']:.3f}"
        _live(f"{line}  {speed:,.0f} a second  {left} left", last=False)

    with redirect_stdout(sys.stderr):
        weights = train(told, (lambda event: None) if quiet else show)
    if json:
        say_json({"weights": weights})
    else:
        say(str(weights))


@app.command
def shards(
    *,
    config: Path,
    out: Path,
    clips: int = 65536,
    workers: int = 1,
    changes: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    quiet: bool = False,
    json: bool = False,
) -> None:
    """Draw the clips that a training run reads, so that it never waits for them.

    Stages that draw the same share their clips; the same command resumes. Train on them with
    `phosphene train ember --config CONFIG --set shards=OUT`. A clip takes about 130 kB.

    Args:
        config: YAML file of the training run.
        out: the folder for them.
        clips: how many for each distinct world.
        workers: processes that draw.
        changes: KEY=VALUE in place of the file's; may be repeated.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.ember.settings import TrainConfig
    from phosphene.ember.shards import Shelf, write_shards

    told = _config(config, changes, TrainConfig)
    worlds = {stage.world.digest(): stage.world for stage in told.stages}
    folders = []
    with redirect_stdout(sys.stderr):
        for world in worlds.values():
            shelf = Shelf(out, world, told.seed, clips)
            began, had = time.perf_counter(), shelf.there

            def show(there: int, total: int, began: float = began, had: int = had) -> None:
                speed = (there - had) / (time.perf_counter() - began)
                line = f"{there:,} of {total:,} clips  {speed:,.0f} a second"
                _live(f"{line}  {_time((total - there) / speed)} left", last=there == total)

            write_shards(shelf, workers, (lambda there, total: None) if quiet else show)
            folders.append(shelf.folder)
    if json:
        say_json({"shards": folders})
    else:
        say("\n".join(str(folder) for folder in folders))


@app.command
def mind(
    *,
    config: Path,
    changes: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    quiet: bool = False,
    json: bool = False,
) -> None:
    """Teach a language model to think in vectors; print where it is. The same command resumes.

    Args:
        config: YAML file, e.g. configs/train/mind-prosqa.yaml.
        changes: KEY=VALUE in place of the file's, e.g. way=pause; may be repeated.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.minds.settings import MindConfig
    from phosphene.minds.train import train_mind

    told = _config(config, changes, MindConfig)

    def show(event: dict[str, Any]) -> None:
        where = f"{event['samples']:,} examples  stage {event['stage']}"
        if "exam" in event:
            exam = event["exam"]
            right = f"{exam['right']:.1%} [{exam['low']:.1%}, {exam['high']:.1%}]"
            _live(f"{where}  {right} of {exam['n']} held-out problems right", last=True)
            return
        speed = f"{event['samples_per_s']:,.4g} a second  {_time(event['eta_s'])} left"
        _live(f"{where}  loss {event['loss']:.4g}  {speed}", last=False)

    with redirect_stdout(sys.stderr):
        place = train_mind(told, (lambda event: None) if quiet else show)
    if json:
        say_json({"mind": place})
    else:
        say(str(place))


def _config(path: Path, changes: tuple[str, ...], kind: type[T]) -> T:
    from phosphene.config import assignments, build, override, read_yaml

    return build(kind, override(read_yaml(path), assignments(changes)), str(path))


def _show(event: dict[str, Any]) -> None:
    """Loss lines replace each other on a terminal; all else stays."""
    if "loss" not in event:
        _live("  ".join(f"{name} {_short(value)}" for name, value in event.items()), last=True)
        return
    _live(
        f"{event['samples']:,} examples  loss {event['loss']:.4g}  "
        f"{event['samples_per_s']:,.4g} a second  MFU {event['mfu']:.1%}  "
        f"{_time(event['eta_s'])} left",
        last=False,
    )


def _live(line: str, last: bool) -> None:
    if not sys.stderr.isatty():
        say(line)
        return
    sys.stderr.write(f"\r\x1b[K{line}" + ("\n" if last else ""))
    sys.stderr.flush()


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_short(inner)}" for name, inner in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
