"""World: the endless, seeded stream of clips Ember learns from, dealt by the tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch

from phosphene.assets import asset
from phosphene.config import read_yaml
from phosphene.ember.sound import to_rows
from phosphene.ember.view import View
from phosphene.ember.words import word_ids
from phosphene.errors import PhospheneError, unknown
from phosphene.task import Canvas, Problem, Task, tasks

HOP = 125  # samples between the blocks of the sound transform
SOUND_SCALE = 1 / 3  # brings sounding rows of the transform to about the range of pixels
LEVELS = 16  # steps in which fields that are ranges move over a stage


@dataclass(frozen=True)
class Family:
    """A task as a share of the world.

    Args:
        share: how often it is dealt, relative to the others. At 0 it is never dealt but sits the
            exams: that is how a rule is held out.
        task: name of the task; the family's own when empty.
        fields: the task's fields. A range `[from, to]` moves linearly over a stage; one of whole
            numbers stays whole.
        said: more wordings of the request, after the task's own, or the name of some in
            assets/ember/wordings.yaml; the world's `wordings` says how many of them all are heard.
        asked: the frames that stepwise examples ask for; any when empty.
        begun, stepwise, wordless, misheard: the world's, where this family wants another. Where
            two families begin with the same picture, the one that is to be drawn unless words ask
            for the other may be wordless and misheard, the other not.
    """

    share: float = 1.0
    task: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    said: Sequence[str] | str = ()
    asked: Sequence[int] = ()
    begun: float | None = None
    stepwise: float | None = None
    wordless: float | None = None
    misheard: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.said, str):
            object.__setattr__(self, "said", _wordings(self.said))

    def over(self, world: World, name: str) -> float:
        """A setting that a family may have of its own, or else the world's."""
        own = getattr(self, name)
        return getattr(world, name) if own is None else own


@dataclass(frozen=True)
class World:
    """A mixture of tasks, as training examples.

    Args:
        families: name -> its task, share and fields.
        fields: fields of every family that doesn't say otherwise, e.g. `variety: [0.0, 0.5]`.
        frames: how many frames an example holds: the first and others drawn from the rest. Fewer
            frames than the clip has make an example cheaper; every frame gets its turn.
        text_only: share of examples that hide the first frame and describe the scene in words.
        both_ends: share of examples that give the last frame too.
        finished: share of examples whose last frame is the clip's last, where the answer stands;
            in the others it is any.
        begun: share of examples whose frames are the clip's first, as frame-by-frame drawing
            begins; among those neither stepwise nor given the last frame.
        continued: share of examples that give several of the first frames shown, half of them
            with their sound; wants frames >= 3.
        stepwise: share of examples whose later frames follow on one another, all but the last of
            them given: what comes next? Wants frames >= 3.
        captioned: share of examples that describe the scene in words beside the first frame.
        wordless: share of examples with an empty prompt, for classifier-free guidance.
        misheard: share of a prompt's words that another word stands for, so that wordings it
            never read don't mislead.
        wordings: how many of each family's wordings are heard; they are gone round where there are
            fewer.
        text_length: words kept of a prompt.
        vocabulary: rows of the word embedding.
        canvas: what clips are drawn on.
    """

    families: Mapping[str, Family]
    fields: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 9
    text_only: float = 0.0
    both_ends: float = 0.0
    finished: float = 0.0
    begun: float = 0.0
    continued: float = 0.0
    stepwise: float = 0.0
    captioned: float = 0.0
    wordless: float = 0.1
    misheard: float = 0.0
    wordings: int = 3
    text_length: int = 12
    vocabulary: int = 2048
    canvas: Canvas = field(default_factory=Canvas)

    def __post_init__(self) -> None:
        if not 2 <= self.frames <= self.canvas.frames:
            raise PhospheneError(
                f"world.frames must lie in 2..{self.canvas.frames}; got {self.frames}"
            )
        for name in ("continued", "stepwise"):
            if getattr(self, name) and self.frames < 3:
                raise PhospheneError(f"world.{name} wants world.frames >= 3; got {self.frames}")
        for name, family in self.families.items():
            if any(not self.frames - 1 <= k < self.canvas.frames for k in family.asked):
                raise PhospheneError(
                    f"world.families.{name}.asked takes frames from {self.frames - 1} to "
                    f"{self.canvas.frames - 1}; got {list(family.asked)}"
                )
        shares = [f.share for f in self.families.values()]
        if not shares or min(shares) < 0 or sum(shares) == 0:
            raise PhospheneError("world.families needs shares >= 0, at least one of them above 0")

    @property
    def levels(self) -> int:
        """In how many steps the world changes over a stage: 1 where nothing moves."""
        values = [v for name in self.families for v in self._fields(name).values()]
        return LEVELS if any(isinstance(v, list | tuple) for v in values) else 1

    def _fields(self, family: str) -> dict[str, Any]:
        return {**self.fields, **self.families[family].fields}

    def tasks(self, level: int | None = None) -> dict[str, Task]:
        """Family -> its task at a level of the stage; as the stage ends when None."""
        progress = 1.0 if level is None or self.levels == 1 else level / (self.levels - 1)
        return {
            name: tasks.get(family.task or name)(
                **{k: _between(k, v, progress) for k, v in self._fields(name).items()}
            )
            for name, family in self.families.items()
        }

    def digest(self) -> str:
        """Names what is drawn, whatever is then shown of it."""
        drawn = (
            [
                [n, f.task or n, f.share, list(f.said), self._fields(n)]
                for n, f in self.families.items()
            ],
            asdict(self.canvas),
            (self.text_length, self.vocabulary, LEVELS, self.wordings, SOUND_SCALE),
        )
        return hashlib.sha256(json.dumps(drawn, default=str).encode()).hexdigest()[:16]

    def deal(self, seed: int, index: int, dealt: Mapping[str, Task]) -> tuple[str, Problem]:
        """Family and training problem number `index`: they depend on (world, seed, index) alone."""
        rng = np.random.default_rng([seed, index])
        name = self._turn(rng)
        return name, dealt[name].sample(int(rng.integers(2**62)), "train")

    def _turn(self, rng: np.random.Generator) -> str:
        """The family whose turn it is: the first that an example's randomness decides."""
        names = list(self.families)
        shares = np.array([self.families[n].share for n in names])
        return names[rng.choice(len(names), p=shares / shares.sum())]

    def clip(
        self, seed: int, index: int, dealt: Mapping[str, Task], frame_ids: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Clip number `index`, all of it or some of its frames: no others are drawn.

        Returns:
            frames uint8 `(f, h, w, 3)`, sound float32 `(f, n)`, words int32
            `(wordings + 1, text_length)` with the caption last, family: its place in `families`.
        """
        name, problem = self.deal(seed, index, dealt)
        total = self.canvas.frames
        ids = np.arange(total) if frame_ids is None else frame_ids
        pictures = dealt[name].film(problem, self.canvas, np.linspace(0, 1, total)[ids])
        track = dealt[name].sound(problem, self.canvas)
        if track is None:
            raise PhospheneError(f"world.families: {name} has no sound; choose a task that has")
        rows = to_rows(torch.from_numpy(track), total, HOP)[0] * SOUND_SCALE
        said = [*problem.prompts, *self.families[name].said]
        texts = [*islice(cycle(said), self.wordings), problem.caption]
        return {
            "frames": np.rint(pictures).clip(0, 255).astype(np.uint8),
            "sound": rows.numpy()[ids],
            "words": word_ids(texts, self.text_length, self.vocabulary).numpy().astype(np.int32),
            "family": list(self.families).index(name),
        }

    def view(self, seed: int, index: int, family: str | None = None) -> View:
        """What example number `index` shows: depends on (world, seed, index) alone.

        Args:
            family: of the clip that is shown, where it isn't the one dealt for this number.
        """
        own = self.families[family or self._turn(np.random.default_rng([seed, index]))]
        # One more word than `deal` has: other numbers than those the clip is dealt from.
        rng = np.random.default_rng([seed, index, 1])
        total = self.canvas.frames
        text_only, both_ends, finished, continued, stepwise, heard, captioned, wordless = (
            rng.random(8)
            < (
                self.text_only,
                self.both_ends,
                self.finished,
                self.continued,
                own.over(self, "stepwise"),
                0.5,
                self.captioned,
                own.over(self, "wordless"),
            )
        )
        given = np.zeros(self.frames, bool)
        if stepwise:
            last = rng.choice(own.asked or range(self.frames - 1, total))
            later = np.arange(last - self.frames + 2, last + 1)
            given[:-1] = True
            text_only = both_ends = False
        else:
            later = 1 + np.sort(rng.permutation(total - 1)[: self.frames - 1])
            if both_ends or finished:
                later[-1] = total - 1
            if not text_only:
                given[: rng.integers(2, self.frames) if continued else 1] = True
                given[-1] |= both_ends
        wording = self.wordings if text_only or captioned else int(rng.integers(self.wordings))
        others = rng.integers(1, self.vocabulary, self.text_length)
        wrong = rng.random(self.text_length) < (0 if text_only else own.over(self, "misheard"))
        # Drawn last, so that worlds without it show what they always showed.
        if rng.random() < own.over(self, "begun") and not (stepwise or both_ends):
            later = np.arange(1, self.frames)
        return View(
            frame_ids=np.concatenate([[0], later]),
            given=given,
            heard=given & ((continued or stepwise) and heard and not both_ends),
            wording=None if wordless and not text_only else wording,
            misheard=others * wrong,
        )

    def example(self, seed: int, index: int, dealt: Mapping[str, Task]) -> dict[str, np.ndarray]:
        """Training example number `index`, drawn now: depends on (world, seed, index) alone.

        Returns:
            see `View.of`.
        """
        view = self.view(seed, index)
        return view.of(**self.clip(seed, index, dealt, view.frame_ids))


def _wordings(name: str) -> tuple[str, ...]:
    known = read_yaml(asset("ember/wordings.yaml"))
    if name not in known:
        raise unknown("wordings", name, known)
    return tuple(known[name])


def _between(name: str, value: Any, progress: float) -> Any:
    if not isinstance(value, list | tuple):
        return value
    if len(value) != 2 or not all(type(v) in (int, float) for v in value):
        raise PhospheneError(f"a range wants two numbers, as {name}: [0.0, 1.0]; got {value!r}")
    between = value[0] + (value[1] - value[0]) * progress
    return round(between) if all(type(v) is int for v in value) else between
