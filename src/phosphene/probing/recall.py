"""Recall: a run's denoiser calls, kept so that they can be made again outside it, with gradients.

A pipeline runs without gradients, and what follows a call can't be differentiated; a single call
can. Its outputs become the scheduler's input by arithmetic that each pipeline does for itself
(guidance, signs); that is linear, so its factors are solved for and checked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn as nn

from phosphene.errors import PhospheneError
from phosphene.subject import Subject
from phosphene.tap import Address, Edit, Tap
from phosphene.tap.anatomy import denoisers
from phosphene.tap.estimate import clean

CLOSE = 1e-2  # of the prediction's size, that the factors may leave unexplained


@dataclass(eq=False)
class Call:
    """One call of a denoiser."""

    denoiser: nn.Module
    args: tuple
    kwargs: dict[str, Any]

    def again(self, runs: int) -> list[torch.Tensor]:
        """Its output, one `(runs, ...)` a guidance branch."""
        out = self.denoiser(*self.args, **self.kwargs)
        first = out if isinstance(out, torch.Tensor | list) else out[0]
        whole = torch.stack(first) if isinstance(first, list) else first
        return list(whole.chunk(len(whole) // runs))


@dataclass(eq=False)
class Step:
    """The calls of one step, and what became of them.

    Attributes:
        calls: in order.
        prediction: `(runs, ...)`, what the scheduler was given.
        sample: `(runs, ...)`, x_t.
        slope: how far x0 goes for one unit of prediction.
    """

    calls: list[Call] = field(default_factory=list)
    prediction: torch.Tensor | None = None
    slope: float = 0.0


@contextlib.contextmanager
def recording(subject: Subject) -> Iterator[tuple[list[Step], Edit]]:
    """Keeps the calls of one run made inside, step by step.

    Yields:
        the steps, filled as the run goes on, and an edit that changes nothing, to be handed to
        `subject.run`: it tells where a step ends.
    """
    steps: list[Step] = [Step()]
    pipeline = subject.pipeline

    def note(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        steps[-1].calls.append(Call(module, _copied(args), _copied(kwargs)))

    def end(value: torch.Tensor, at: Address) -> torch.Tensor:
        if at.stream == 0:
            steps[-1].prediction = value.detach().float().cpu().clone()
            steps[-1].slope = _slope(pipeline.scheduler, value)
            steps.append(Step())
        return value

    with contextlib.ExitStack() as stack:
        for denoiser in denoisers(pipeline).values():
            handle = denoiser.register_forward_pre_hook(note, with_kwargs=True)
            stack.callback(handle.remove)
        yield steps, Edit("prediction", end)
    steps.pop()


def _slope(scheduler: Any, prediction: torch.Tensor) -> float:
    """x0's change for a unit of prediction, by the scheduler's own formula."""
    index = scheduler.step_index if scheduler.step_index is not None else 0
    unit = torch.ones_like(prediction, dtype=torch.float32)
    nought = torch.zeros_like(unit)
    time = scheduler.timesteps[index]
    ahead = clean(scheduler, unit, time, nought) - clean(scheduler, nought, time, nought)
    return float(ahead.mean())


def factors(step: Step, outputs: Sequence[torch.Tensor]) -> list[float]:
    """What each branch's output counts for in the prediction: prediction = sum_i c_i output_i.

    Raises:
        PhospheneError: the outputs and the prediction are of other shapes, or no factors fit.
    """
    told = step.prediction
    assert told is not None
    if any(out.shape != told.shape for out in outputs):
        raise PhospheneError(
            f"a denoiser that puts out {tuple(outputs[0].shape)} where the scheduler is given "
            f"{tuple(told.shape)} can't be differentiated through; use the probe patch"
        )
    columns = torch.stack([out.detach().float().cpu().flatten() for out in outputs], 1)
    solved = torch.linalg.lstsq(columns, told.flatten()[:, None]).solution.flatten()
    left = (columns @ solved - told.flatten()).norm() / told.norm().clamp_min(1e-9)
    if float(left) > CLOSE:
        raise PhospheneError(
            f"the prediction is no sum of the denoiser's {len(outputs)} outputs ({float(left):.1%} "
            f"unexplained), so it can't be differentiated through; use the probe patch"
        )
    return solved.tolist()


def repeat(tap: Tap, step: Step, runs: int) -> list[torch.Tensor]:
    """A step's calls once more, under an entered tap; one output a branch.

    What the tap reads is in `tap.values` afterwards, as of step 0.
    """
    with tap.by_hand():
        return [out for call in step.calls for out in call.again(runs)]


def _copied(value: Any) -> Any:
    """Tensors cloned, wherever they are: the pipeline may go on to change its own."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, tuple | list):
        return type(value)(_copied(v) for v in value)
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return value
