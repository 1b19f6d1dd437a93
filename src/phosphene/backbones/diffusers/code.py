"""A pipeline's own source, read as syntax: what it divides by, what it falls back to.

Nothing is matched by a pipeline's name. Expressions found in the source are evaluated against the
skeleton, so `height % (self.vae_scale_factor * 2)` yields the number this model needs.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@functools.cache
def function(cls: type, name: str) -> ast.FunctionDef | None:
    """The syntax tree of one method; None if it has none or its source isn't there."""
    method = getattr(cls, name, None)
    if method is None:
        return None
    try:
        text = textwrap.dedent(inspect.getsource(inspect.unwrap(method)))
    except (OSError, TypeError):
        return None
    body = ast.parse(text).body[0]
    return body if isinstance(body, ast.FunctionDef) else None


def _functions(cls: type) -> Iterator[ast.FunctionDef]:
    for name in ("__call__", "check_inputs", "prepare_latents"):
        found = function(cls, name)
        if found is not None:
            yield found


@dataclass(frozen=True)
class FrameRule:
    """Frame counts a pipeline can make: `step * k + offset`, k >= 0, at least 1."""

    step: int
    offset: int

    def nearest(self, frames: int) -> list[int]:
        """The valid counts around `frames`; `[frames]` if it is one."""
        below = (frames - self.offset) // self.step * self.step + self.offset
        if below == frames and frames >= 1:
            return [frames]
        return [n for n in (below, below + self.step) if n >= 1]


def size_multiple(cls: type, skeleton: Any) -> int:
    """What width and height must be divisible by, 1 if nothing says so."""
    found = [_scale(skeleton, _SPATIAL)]
    for tree in _functions(cls):
        for node in ast.walk(tree):
            divisor = _divisor(node, ("height", "width"))
            if divisor is not None:
                found.append(_whole(_evaluate(divisor, tree, skeleton)))
    return math.lcm(*found, _patched(skeleton))


# Pixels (or frames) to a latent one, as pipelines keep it after asking their VAE.
_SPATIAL = re.compile(r"^(vae|movq)(?!.*(temporal|audio|mel)).*(scale_factor|compression)")
_TEMPORAL = re.compile(r"^(vae_)?(?!.*(audio|mel|patch)).*temporal.*(factor|compression|ratio)")


def _scale(skeleton: Any, words: re.Pattern[str]) -> int:
    return math.lcm(*(_whole(v) for n, v in vars(skeleton).items() if words.search(n)))


def _patched(skeleton: Any) -> int:
    """Latent pixels times the denoiser's patch: what a patch transformer can cut up."""
    config = getattr(getattr(skeleton, "transformer", None), "config", None)
    patch = getattr(config, "patch_size", None)
    if isinstance(patch, list | tuple) and patch:
        patch = patch[-1]
    return _scale(skeleton, _SPATIAL) * _whole(patch)


def frame_rule(cls: type, skeleton: Any, parameter: str, default: Any) -> FrameRule | None:
    """Which frame counts the pipeline makes as asked; None if any, or if nothing is known.

    Args:
        parameter: the name of the count in the call.
        default: its default, which settles whether counts are `step * k` or `step * k + 1`.
    """
    for tree in _functions(cls):
        for node in ast.walk(tree):
            divisor = _divisor(node, (parameter,))
            step = 0 if divisor is None else _whole(_evaluate(divisor, tree, skeleton))
            if step > 1 and _remainder_is_tested(tree, node):
                return FrameRule(step, 1)
    step = _scale(skeleton, _TEMPORAL)
    if step == 1:
        return None
    divisible = isinstance(default, int) and default % step == 0
    return FrameRule(step, 0 if divisible else 1)


def _remainder_is_tested(tree: ast.FunctionDef, node: ast.AST) -> bool:
    """Is `n % step != 1` or `(n - 1) % step` what is tested, and not, say, whether n is even?"""
    assert isinstance(node, ast.BinOp)
    if isinstance(node.left, ast.BinOp):
        return isinstance(node.left.op, ast.Sub)
    return any(
        isinstance(test, ast.Compare) and test.left is node and _is_one(test.comparators[0])
        for test in ast.walk(tree)
    )


def _is_one(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1


def default_of(cls: type, skeleton: Any, parameter: str) -> Any:
    """What the call uses when `parameter` is None: the E of `p = p or E`; None if not found."""
    tree = function(cls, "__call__")
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        fallback = node.value
        if _names(node.targets[0], parameter) and isinstance(fallback, ast.BoolOp):
            return _evaluate(fallback.values[-1], tree, skeleton)
        if isinstance(fallback, ast.Constant) and _names(node.targets[0], parameter):
            return fallback.value
        if isinstance(fallback, ast.IfExp):
            fallback = fallback.orelse if _names(fallback.body, parameter) else fallback.body
        if isinstance(fallback, ast.Attribute | ast.BinOp) and _names(node.targets[0], parameter):
            return _evaluate(fallback, tree, skeleton)
    return None


def _names(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _divisor(node: ast.AST, names: tuple[str, ...]) -> ast.expr | None:
    """E of `name % E`, of `(name - 1) % E` and of `name // E * E`."""
    if not isinstance(node, ast.BinOp):
        return None
    if isinstance(node.op, ast.Mod):
        left = node.left
        if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Sub) and _is_one(left.right):
            left = left.left
        if any(_names(left, name) for name in names):
            return node.right
    if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.BinOp):
        inner = node.left
        same = ast.dump(inner.right) == ast.dump(node.right)
        if isinstance(inner.op, ast.FloorDiv) and same:
            return node.right if any(_names(inner.left, name) for name in names) else None
    return None


def _evaluate(node: ast.expr, tree: ast.FunctionDef | None, skeleton: Any, depth: int = 3) -> Any:
    """The value of an expression over `self` and the function's own locals; None if unknown."""
    known: dict[str, Any] = {"self": skeleton}
    for name in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {"self"}:
        value = _local(name, tree, skeleton, depth - 1) if tree is not None and depth else None
        if value is None:
            return None
        known[name] = value
    try:
        # The expression comes from the installed library, the same code that will run anyway.
        return eval(compile(ast.Expression(node), "<rule>", "eval"), {"__builtins__": {}}, known)
    except Exception:  # whatever the skeleton can't answer is unknown
        return None


def _local(name: str, tree: ast.FunctionDef, skeleton: Any, depth: int) -> Any:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _names(node.targets[0], name):
            value = _evaluate(node.value, tree, skeleton, depth)
            if value is not None:
                return value
    return None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1
