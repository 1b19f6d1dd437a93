"""`phosphene explore`: search a backbone's space in a session."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from phosphene.cli.console import say, say_json, say_table
from phosphene.cli.loading import Loading
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.search import Search
    from phosphene.session import Session

_WHAT = Parameter(group=Group("What to search", sort_key=1))
_HOW = Parameter(group=Group("How to search", sort_key=1))


@dataclass(frozen=True)
class ExploreOptions(Loading):
    """Flags of `phosphene explore`; None is a flag that was not given.

    Args:
        backbone: a name of `phosphene ls backbones`, a directory or a hub id; ember if not given.
        prompt: what to ask for; slots in braces are exchanged: "a {colour} ball".
        word: SLOT=CHOICE,CHOICE; may be repeated.
        picture: a first frame: a file, or task:NAME:COUNT; may be repeated.
        target: what to look for, in words; may be repeated.
        negative: what to stay away from.
        size: picture size in pixels, WIDTHxHEIGHT.
        frames: number of frames.
        fps: frames a second: 24, 23.976 or 24000/1001.
        steps: denoising steps of a finished sample.
        guidance: classifier-free guidance scale.
        explorer: a name of `phosphene ls explorers`; portfolio if not given.
        budget: finished samples' worth of denoiser calls; 256 if not given.
        warmup: independent draws to begin with; 32 if not given.
        batch: candidates a round; 16 if not given.
        seed: of everything; 0 if not given.
        embedding: what novelty is measured in; may be repeated.
        quality: what good is measured by, two at least; may be repeated.
        judge: a quality that is measured and never searched for.
        operator: may be used; all that are able if not given; may be repeated.
        lossless: keep exact frames and sound.
    """

    backbone: Annotated[str | None, _WHAT] = None
    prompt: Annotated[str | None, _WHAT] = None
    word: Annotated[tuple[str, ...] | None, _WHAT] = None
    picture: Annotated[tuple[str, ...] | None, _WHAT] = None
    target: Annotated[tuple[str, ...] | None, _WHAT] = None
    negative: Annotated[str | None, _WHAT] = None
    size: Annotated[str | None, _WHAT] = None
    frames: Annotated[int | None, _WHAT] = None
    fps: Annotated[str | None, _WHAT] = None
    steps: Annotated[int | None, _WHAT] = None
    guidance: Annotated[float | None, _WHAT] = None
    explorer: Annotated[str | None, _HOW] = None
    budget: Annotated[int | None, _HOW] = None
    warmup: Annotated[int | None, _HOW] = None
    batch: Annotated[int | None, _HOW] = None
    seed: Annotated[int | None, _HOW] = None
    embedding: Annotated[tuple[str, ...] | None, _HOW] = None
    quality: Annotated[tuple[str, ...] | None, _HOW] = None
    judge: Annotated[str | None, _HOW] = None
    operator: Annotated[tuple[str, ...] | None, _HOW] = None
    lossless: Annotated[bool | None, _HOW] = None

    def given(self) -> dict[str, Any]:
        """The fields of a `Search` that were given as flags.

        Raises:
            PhospheneError: a word or a size that can't be read.
        """
        from phosphene.cli.values import parse_fps, parse_size

        many = {
            "word": None,
            "picture": "pictures",
            "target": "targets",
            "embedding": "embeddings",
            "quality": "qualities",
            "operator": "operators",
        }
        plain = ("prompt", "negative", "frames", "steps", "guidance", "explorer", "budget")
        plain += ("warmup", "batch", "seed", "judge", "lossless")
        found: dict[str, Any] = {n: v for n in plain if (v := getattr(self, n)) is not None}
        found |= {to: v for n, to in many.items() if to and (v := getattr(self, n)) is not None}
        if self.fps is not None:
            found["fps"] = str(parse_fps(self.fps))
        if self.size is not None:
            found["width"], found["height"] = parse_size(self.size)
        if self.word is not None:
            found["words"] = dict(map(_word, self.word))
        return found


def _word(text: str) -> tuple[str, tuple[str, ...]]:
    slot, sign, choices = text.partition("=")
    found = tuple(c.strip() for c in choices.split(",") if c.strip())
    if not sign or not slot.strip() or not found:
        raise PhospheneError(f"--word takes SLOT=CHOICE,CHOICE; got {text!r}")
    return slot.strip(), found


def explore(
    *,
    session: Path | None = None,
    config: Path | None = None,
    options: Annotated[ExploreOptions, Parameter(name="*")] = ExploreOptions(),
    changes: Annotated[tuple[str, ...], _WHAT, Parameter(name="--set")] = (),
    settings: Annotated[tuple[str, ...], _HOW, Parameter(name="--with")] = (),
    repeats: int = 0,
    control: Annotated[bool, Parameter(negative="--no-control")] = True,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Search for samples that are new and good; random search at equal cost runs beside it.

    An interrupted command goes on where it stopped when it is given again. A session that is there
    goes on with its own settings when nothing but --session is given.

    Args:
        session: directory; runs/explore-BACKBONE-SEED if not given.
        config: YAML file of settings; flags given here win.
        changes: KEY=VALUE, a further argument of the backbone's own call; may be repeated.
        settings: KEY=VALUE, a setting of the explorer; may be repeated.
        repeats: further sessions, each with another seed, for intervals.
        control: whether random search runs beside it.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.config import assignments
    from phosphene.exploring.study import study
    from phosphene.progress import shown

    if repeats < 0:
        raise PhospheneError(f"--repeats counts sessions; got {repeats}")
    told = {**options.given()}
    if changes:
        told["extra"] = assignments(changes)
    if settings:
        told["explorer"] = {"name": told.get("explorer"), **assignments(settings, "--with")}
    asked, spec = _settled(session, config, told, options)
    root = session or Path("runs") / f"explore-{Path(spec.id).name}-{asked.seed}"
    with redirect_stdout(sys.stderr), shown(quiet) as on_event:
        found = study(spec, root, asked, repeats, control, on_event)
    return tell(root, found, json)


def _settled(
    session: Path | None, config: Path | None, told: dict[str, Any], options: ExploreOptions
) -> tuple[Search, Any]:
    """Flags over the config file over what the session was begun with over the defaults."""
    from phosphene.config import build, read_yaml
    from phosphene.search import Search
    from phosphene.session import Session

    base: dict[str, Any] = {}
    where = "the flags"
    loading: dict[str, Any] = {}
    if session is not None and (session / "session.json").exists():
        manifest = Session.load(session).manifest
        base = {**manifest["search"], "budget": manifest["budget"]}
        loading = dict(manifest["spec"])
        loading["backbone"] = loading.pop("id")
        where = str(session / "session.json")
    if config is not None:
        content = read_yaml(config)
        names = {f.name for f in fields(Loading)}
        loading |= {k: v for k, v in content.items() if k.replace("-", "_") in names}
        base |= {k: v for k, v in content.items() if k.replace("-", "_") not in names}
        where = str(config)
    if isinstance(told.get("explorer"), dict) and told["explorer"]["name"] is None:
        held = base.get("explorer", "portfolio")
        held = {"name": held} if isinstance(held, str) else held
        told["explorer"] = {**held, **{k: v for k, v in told["explorer"].items() if k != "name"}}
    own = {f.name: getattr(options, f.name) for f in fields(Loading)}
    loading |= {k: v for k, v in own.items() if v is not None}
    asked = build(Search, {**base, **told}, where)
    return asked, build(Loading, loading, where).spec()


def tell(root: Path, sessions: list[Session], json: bool) -> int:
    """Say what was found; returns the exit status, 1 where samples could not be made."""
    from phosphene.report.session import publish

    page, found = publish(root)
    lost = sum(bool(m.failed) for s in sessions for m in s.made.values())
    if json:
        say_json({"session": root, "report": page, **found})
    else:
        say_table(found["table"])
        for note in found["notes"]:
            say(note)
        say(f"{page}  (every clip, curves and the control)")
        say(f"phosphene studio {root}  (look, rate and steer)")
    if lost:
        sys.stderr.write(f"phosphene: {lost} samples could not be made; the log says why\n")
    return 1 if lost else 0
