"""`phosphene train`: train the embedded model."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from phosphene.cli.console import say, say_json

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

    Args:
        config: YAML file, e.g. configs/train/ember-cpu.yaml.
        changes: KEY=VALUE in place of the file's, e.g. stages.0.lr=1e-4; may be repeated.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.config import assignments, build, override, read_yaml
    from phosphene.ember.train import TrainConfig, train

    values = override(read_yaml(config), assignments(changes))
    told = build(TrainConfig, values, str(config))
    with redirect_stdout(sys.stderr):
        weights = train(told, (lambda event: None) if quiet else _show)
    if json:
        say_json({"weights": weights})
    else:
        say(str(weights))


def _show(event: dict[str, Any]) -> None:
    say("  ".join(f"{name} {_short(value)}" for name, value in event.items()))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
