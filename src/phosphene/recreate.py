"""Recreate: make a sample again from the recipe inside its file, and say how alike the two are."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from phosphene import media
from phosphene.backbone import Backbone, BackboneSpec, open_backbone
from phosphene.batching import Batcher
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.recipe import ClipFacts, Recipe, versions, write

# Another batch size or reload moves a sample by rounding only: a level or two of 255.
LEVELS = 2
SOUND = 1e-3
# Against a lossy file: noise of the last bit moves an encoder's choices, yet stays above 37 dB on
# pure noise; another seed's sample lies below 20.
PSNR_DB = 30.0
SNR_DB = 20.0
Likeness = Literal["identical", "alike", "different"]


@dataclass(frozen=True)
class Recreated:
    """A sample made again, set against the file it was made from.

    Args:
        clip: the new sample.
        path: where it was saved, None if nowhere.
        likeness: `identical` to the bit, `alike` within the stated tolerance, or `different`.
        reason: one line that says what was compared, with numbers.
        warnings: a line for each thing that has changed since the file was made.
    """

    clip: Clip
    path: Path | None
    likeness: Likeness
    reason: str
    warnings: tuple[str, ...] = ()


def recreate(
    path: str | Path,
    out: str | Path | None = None,
    *,
    backbone: str | Backbone | None = None,
    force: bool = False,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
) -> Recreated:
    """Make the sample in the file `path` again and compare the two.

    Tolerance, where the new sample is not identical to the digest in the recipe: against a
    lossless file (png, mkv, wav) every pixel within 2 of 255 and every sound sample within 1e-3;
    against an mp4, the new sample goes through the same encoder, and what the two decode to must
    agree with a PSNR of at least 30 dB in the pictures and an SNR of at least 20 dB in the sound.

    Args:
        path: a file that `generate` wrote.
        out: a file to save the new sample to, with a recipe of its own.
        backbone: where it lies now, or an open one; None takes the name or path in the recipe.
        force: go on though the weights are not those the file was made with.
        allow_pickle, trust_remote_code: let a file that was made so open pickled weights, or run
            code that ships with them. A file may come from anyone, so it can't allow that itself.

    Raises:
        PhospheneError: the file is damaged or carries no recipe, the backbone can't be had, its
            weights are others (without `force`), or the sample can't be made.
    """
    path = Path(path)
    old = media.load(path)
    recipe = Recipe.read(media.read_recipe(path), str(path))
    if recipe.clip is None:
        raise PhospheneError(f"{path}: its recipe holds no clip; nothing to compare with")
    request = recipe.to_request()
    if isinstance(backbone, Backbone):
        opened = backbone
    else:
        spec = recipe.to_spec()
        _refuse_what_a_file_may_not_ask(path, spec, allow_pickle, trust_remote_code)
        opened = _open(spec, backbone, path)
    warnings = _changes(recipe)
    if opened.fingerprint != recipe.fingerprint:
        differs = (
            f"the weights of {opened.id!r} are not those {path} was made with "
            f"({_short(opened.fingerprint)} for {_short(recipe.fingerprint)})"
        )
        if not force:
            raise PhospheneError(f"{differs}; get those, or go on with force")
        warnings = (differs, *warnings)
    opened.check(request)
    ((_, made),) = Batcher(opened, 1, tell=lambda kind, text: None).make([request])
    if made.clip is None:
        raise PhospheneError(f"can't make {path} again: {made.reason}")
    clip = made.clip
    likeness, reason = _compare(clip, old, recipe.clip, exact=path.suffix.lower() != ".mp4")
    saved = None
    if out is not None:
        new = write(opened.fingerprint, opened.spec, request, clip, made.seconds)
        saved = media.save(clip, Path(out), recipe=new.model_dump(mode="json"))
    return Recreated(clip, saved, likeness, reason, warnings)


def _refuse_what_a_file_may_not_ask(
    path: Path, spec: BackboneSpec, allow_pickle: bool, trust_remote_code: bool
) -> None:
    for asked, allowed, name, what in (
        (spec.allow_pickle, allow_pickle, "allow-pickle", "pickled weights of"),
        (spec.trust_remote_code, trust_remote_code, "trust-remote-code", "code that ships with"),
    ):
        if asked and not allowed:
            raise PhospheneError(
                f"{path} was made with {what} {spec.id!r}; if you trust that, add --{name} "
                f"({name.replace('-', '_')}=True in Python)"
            )


def _open(spec: BackboneSpec, id: str | None, path: Path) -> Backbone:
    try:
        return open_backbone(spec if id is None else replace(spec, id=id))
    except PhospheneError as error:
        raise PhospheneError(
            f"{path} was made with backbone {spec.id!r}: {error}; give its place now as backbone"
        ) from error


def _compare(new: Clip, old: Clip, was: ClipFacts, exact: bool) -> tuple[Likeness, str]:
    """Likeness and reason; `old` is what the file decodes to, `was` what went into it."""
    now = ClipFacts.of(new)
    if now.digest == was.digest:
        return "identical", "identical to the bit"
    shape = now.model_dump(exclude={"digest"}), was.model_dump(exclude={"digest"})
    if shape[0] != shape[1]:
        parts = [f"{n} {shape[0][n]} for {v}" for n, v in shape[1].items() if shape[0][n] != v]
        return "different", ", ".join(parts)
    return _compare_exact(new, old) if exact else _compare_lossy(_encoded(new), old)


def _compare_exact(new: Clip, old: Clip) -> tuple[Likeness, str]:
    good, words = True, []
    if new.frames is not None and old.frames is not None:
        levels = int(np.abs(new.frames.astype(np.int16) - old.frames).max())
        good &= levels <= LEVELS
        words.append(f"pixels within {levels} of 255, {LEVELS} allowed")
    if new.audio is not None and old.audio is not None:
        sound = float(np.abs(new.audio - old.audio).max())
        good &= sound <= SOUND
        words.append(f"sound within {sound:.1e}, {SOUND:.0e} allowed")
    return ("alike" if good else "different"), "; ".join(words)


def _compare_lossy(new: Clip, old: Clip) -> tuple[Likeness, str]:
    good, words = True, []
    if new.frames is not None and old.frames is not None:
        ratio = psnr(new.frames, old.frames)
        good &= ratio >= PSNR_DB
        words.append(f"PSNR of the pictures {ratio:.1f} dB, {PSNR_DB:.0f} needed")
    if new.audio is not None and old.audio is not None:
        ratio = snr(new.audio, old.audio)
        good &= ratio >= SNR_DB
        words.append(f"SNR of the sound {ratio:.1f} dB, {SNR_DB:.0f} needed")
    return ("alike" if good else "different"), "; ".join(words)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 arrays of one shape, dB; inf if they are equal."""
    error = float(np.mean((a.astype(np.float32) - b) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def snr(a: np.ndarray, b: np.ndarray) -> float:
    """Power of sound `b` over the power of `a - b`, dB; inf if they are equal."""
    error, power = float(np.mean((a - b) ** 2)), float(np.mean(b**2))
    if error == 0:
        return float("inf")
    return float(10 * np.log10(power / error)) if power else float("-inf")


def _encoded(clip: Clip) -> Clip:
    """What `clip` looks like after the lossy encoder."""
    with tempfile.TemporaryDirectory() as directory:
        return media.load(media.save(clip, Path(directory) / "new.mp4"))


def _changes(recipe: Recipe) -> tuple[str, ...]:
    now = versions()
    return tuple(
        f"{name} is {now.get(name, 'not there')}, was {was}"
        for name, was in recipe.versions.items()
        if now.get(name) != was
    )


def _short(fingerprint: str) -> str:
    return fingerprint if len(fingerprint) <= 40 else f"{fingerprint[:36]}..."
