"""Predicted x0: a denoiser that knows the truth gives the truth back, under every scheduler."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import diffusers.schedulers as known  # noqa: E402

from phosphene.errors import PhospheneError  # noqa: E402
from phosphene.tap.estimate import clean, level  # noqa: E402

# Not of one continuous sample, or x0 doesn't follow from one prediction by a known formula.
REFUSED = {
    "CMStochasticIterativeScheduler",  # consistency functions, with a skip of its own
    "DDPMWuerstchenScheduler",
    "DPMSolverMultistepInverseScheduler",  # does not say the level of a timestep
    "FlowMapEulerDiscreteScheduler",  # velocities between two times
    "IPNDMScheduler",  # no prediction type
    "MiniMaxH3Scheduler",
    "PiflowScheduler",
    "RePaintScheduler",  # no prediction type
}
NO_STEP_OF_OURS = {  # of tokens, of decoders, of proteins, in stages
    "HeliosDMDScheduler",
    "HeliosScheduler",
    "AmusedScheduler",
    "BlockRefinementScheduler",
    "ConsistencyDecoderScheduler",
    "DiscreteDDIMScheduler",
    "EntropyBoundScheduler",
    "RFD4ProteinaScheduler",
    "VQDiffusionScheduler",
}
OWN_STEP = {"CogVideoXDPMScheduler", "DDIMInverseScheduler"}  # more arguments; the step before


def _schedulers() -> dict[str, Any]:
    """Every class of diffusers' that steps; those whose packages are missing are left out."""
    found = {}
    for module, names in known._import_structure.items():
        for name in names:
            if not module.startswith("scheduling") or "Flax" in name:
                continue
            kind = getattr(importlib.import_module(f"diffusers.schedulers.{module}"), name, None)
            if inspect.isclass(kind) and callable(getattr(kind, "step", None)):
                found[name] = kind
    return found


SCHEDULERS = {k: v for k, v in _schedulers().items() if k not in NO_STEP_OF_OURS}
pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_lists_above_name_schedulers_that_exist():
    assert set(_schedulers()) >= (REFUSED | NO_STEP_OF_OURS | OWN_STEP)


def made(name: str, kind: str | None) -> Any:
    """A scheduler of a prediction type, ready to step."""
    takes = inspect.signature(SCHEDULERS[name].__init__).parameters
    fields: dict[str, Any] = {} if kind is None else {"prediction_type": kind}
    if kind == "flow_prediction":
        fields["use_flow_sigmas"] = True
    if "clip_sample" in takes:
        fields["clip_sample"] = False
    scheduler = SCHEDULERS[name](**fields)
    scheduler.set_timesteps(2 if name == "SCMScheduler" else 8)
    return scheduler


def _kinds(name: str) -> list[str | None]:
    """The prediction types that a scheduler has."""
    takes = inspect.signature(SCHEDULERS[name].__init__).parameters
    if "prediction_type" not in takes or "precondition_outputs" in dir(SCHEDULERS[name]):
        return [None]
    if name == "SCMScheduler":
        return ["trigflow"]
    kinds: list[str | None] = ["epsilon", "v_prediction", "sample"]
    return [*kinds, "flow_prediction"] if "use_flow_sigmas" in takes else kinds


def steps(scheduler: Any, name: str):
    """Each step's timestep, noised sample and right prediction, for a known x0 and noise: by the
    definition of the prediction type, with the signal and noise that the scheduler itself adds."""
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(1, 4, 8, 8, generator=generator).clamp(-1, 1) * 0.9
    noise = torch.randn(1, 4, 8, 8, generator=generator)
    told = getattr(scheduler.config, "prediction_type", None)
    for t in scheduler.timesteps[:-1][:4]:
        sigma: Any = level(scheduler, t)
        flow = name.startswith("FlowMatch") or told == "flow_prediction" or "RF" in name
        if told == "trigflow":
            a, s = torch.cos(t), torch.sin(t)
        elif flow:
            a, s = 1 - sigma, sigma
        elif hasattr(scheduler, "precondition_outputs"):
            a, s = 1.0, sigma
        elif hasattr(scheduler, "_sigma_to_alpha_sigma_t") or not hasattr(scheduler, "sigmas"):
            a, s = (1 + sigma**2) ** -0.5, sigma * (1 + sigma**2) ** -0.5
        else:
            a, s = 1.0, sigma
        x = a * x0 + s * noise
        if told == "trigflow":
            out = a * noise - s * x0
        elif flow:
            out = noise - x0
        elif told == "sample":
            out = x0
        elif told == "v_prediction":
            r = (a**2 + s**2) ** 0.5
            out = a / r * noise - s / r * x0
        else:
            out = noise
        yield t, x, out, x0


CASES = [(n, k) for n in sorted(SCHEDULERS) if n not in REFUSED for k in _kinds(n)]
PLAIN = [c for c in CASES if "precondition_outputs" not in dir(SCHEDULERS[c[0]])]


@pytest.mark.parametrize(("name", "kind"), PLAIN)
def test_a_true_prediction_gives_x0_back(name, kind):
    scheduler = made(name, kind)
    for t, x, out, x0 in steps(scheduler, name):
        torch.testing.assert_close(clean(scheduler, out, t, x), x0, atol=2e-3, rtol=1e-3)
        try:
            scheduler.step(out, t, x)
        except (TypeError, ValueError, NotImplementedError):
            return  # it has the type by name only, or wants more than this to step


TELLING = [c for c in CASES if c[0] not in OWN_STEP]


def test_most_schedulers_tell_their_x0():
    assert sum(_told(n, k) is not None for n, k in TELLING) > 20


def _told(name: str, kind: str | None) -> list[tuple[Any, Any]] | None:
    """Our x0 and the scheduler's own at each step; None where it tells none."""
    scheduler = made(name, kind)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 4, 8, 8, generator=generator)
    pairs = []
    for t in scheduler.timesteps[:-1][:5]:
        out = torch.randn(1, 4, 8, 8, generator=generator) * 0.1
        found = clean(scheduler, out, t, x)
        try:
            told = scheduler.step(out, t, x)
        except (ValueError, NotImplementedError):
            return None
        if getattr(told, "pred_original_sample", None) is None:
            return None
        pairs.append((found, told.pred_original_sample.float()))
        x = told.prev_sample
    return pairs


@pytest.mark.parametrize(("name", "kind"), TELLING)
def test_x0_is_the_one_that_the_scheduler_tells(name, kind):
    for found, own in _told(name, kind) or []:
        torch.testing.assert_close(found, own, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("name", sorted(REFUSED & set(SCHEDULERS)))
def test_unknown_formulas_are_refused(name):
    scheduler = SCHEDULERS[name]()
    scheduler.set_timesteps(4)
    t = scheduler.timesteps[0]
    x = torch.zeros(1, 4, 8, 8)
    with pytest.raises(PhospheneError, match="x0 can't be told"):
        clean(scheduler, x, t, x)


def test_timesteps_of_single_tokens():
    scheduler = SCHEDULERS["FlowMatchEulerDiscreteScheduler"]()
    scheduler.set_timesteps(4)
    x, out = torch.randn(1, 6, 3), torch.randn(1, 6, 3)
    times = torch.tensor([[0.0, 0.0, 0.0, 500.0, 500.0, 500.0]])
    found = clean(scheduler, out, scheduler.timesteps[0], x, times)
    assert torch.equal(found[:, :3], x[:, :3])
    torch.testing.assert_close(found[:, 3:], (x - 0.5 * out)[:, 3:])


def test_a_learned_variance_is_left_out():
    scheduler = SCHEDULERS["DDPMScheduler"](variance_type="learned_range")
    scheduler.set_timesteps(4)
    x = torch.randn(1, 4, 8, 8)
    t, eps = scheduler.timesteps[1], torch.randn(1, 4, 8, 8)
    both = torch.cat([eps, torch.randn(1, 4, 8, 8)], 1)
    assert torch.equal(clean(scheduler, both, t, x), clean(scheduler, eps, t, x))
