"""Which arguments a pipeline can't do without, although their default is None.

Many calls declare `image=None` and then use it regardless. The call's syntax tree is followed in
order with every such argument absent, until it is either guarded against or used.
"""

from __future__ import annotations

import ast
import functools
from enum import Enum

from phosphene.backbones.diffusers.code import function


class _Fate(Enum):
    NEEDED = 1
    OPTIONAL = 2


@functools.cache
def is_needed(cls: type, parameter: str, method: str = "__call__", depth: int = 3) -> bool:
    """Would the call fail with `parameter` left at None and other inputs left at theirs?"""
    tree = function(cls, method)
    if tree is None or depth == 0:
        return False
    return _follow(tree.body, parameter, cls, depth) is _Fate.NEEDED


def _follow(body: list[ast.stmt], name: str, cls: type, depth: int) -> _Fate | None:
    for statement in body:
        fate = _step(statement, name, cls, depth)
        if fate is not None:
            return fate
    return None


def _step(statement: ast.stmt, name: str, cls: type, depth: int) -> _Fate | None:
    if isinstance(statement, ast.If):
        return _branch(statement, name, cls, depth)
    if isinstance(statement, ast.With | ast.Try):
        return _follow(statement.body, name, cls, depth)
    if isinstance(statement, ast.FunctionDef | ast.For | ast.While):
        return None
    if any(_uses(node, name, cls, depth) for node in _unguarded(statement, name)):
        return _Fate.NEEDED
    rebound = isinstance(statement, ast.Assign) and any(
        isinstance(n, ast.Name) and n.id == name for t in statement.targets for n in ast.walk(t)
    )
    return _Fate.OPTIONAL if rebound else None


def _branch(statement: ast.If, name: str, cls: type, depth: int) -> _Fate | None:
    truth = _truth(statement.test, name)
    if truth is False:
        return _follow(statement.orelse, name, cls, depth)
    if truth is True:
        if isinstance(statement.body[-1], ast.Raise):
            return _Fate.NEEDED
        return _follow(statement.body, name, cls, depth)
    uses = (_uses(node, name, cls, depth) for node in _unguarded(statement.test, name))
    if any(uses):
        return _Fate.NEEDED
    # Which way it goes isn't known here: needed only if both ways need it.
    ways = [_follow(way, name, cls, depth) for way in (statement.body, statement.orelse)]
    if ways == [_Fate.NEEDED, _Fate.NEEDED]:
        return _Fate.NEEDED
    return _Fate.OPTIONAL if _Fate.OPTIONAL in ways else None


def _truth(test: ast.expr, name: str) -> bool | None:
    """The test's value while `name` is None, where that alone decides it."""
    if isinstance(test, ast.Name) and test.id == name:
        return False
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _truth(test.operand, name)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        parts = [_truth(v, name) for v in test.values]
        decisive = isinstance(test.op, ast.Or)
        if decisive in parts:
            return decisive
        return (not decisive) if all(p is (not decisive) for p in parts) else None
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        compared = test.left
        against = test.comparators[0]
        is_none = isinstance(against, ast.Constant) and against.value is None
        # `latents` are never given, so they are None as well.
        if is_none and isinstance(compared, ast.Name) and compared.id in (name, "latents"):
            return isinstance(test.ops[0], ast.Is)
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Name):
        subject = test.args[0] if test.args else None
        if isinstance(subject, ast.Name) and subject.id == name:
            return False if test.func.id == "isinstance" else None
    return None


def _unguarded(node: ast.AST, name: str) -> list[ast.AST]:
    """The nodes below `node` that are reached while `name` is None."""
    if isinstance(node, ast.IfExp):
        truth = _truth(node.test, name)
        if truth is not None:
            return _unguarded(node.body if truth else node.orelse, name)
        both = [_unguarded(n, name) for n in (node.body, node.orelse)]
        return _unguarded(node.test, name) + (both[0] + both[1] if all(both) else [])
    if isinstance(node, ast.BoolOp):
        stop = isinstance(node.op, ast.Or)
        reached: list[ast.AST] = []
        for value in node.values:
            reached += _unguarded(value, name)
            if _truth(value, name) in (stop, None):
                break
        return reached
    out: list[ast.AST] = [node]
    for child in ast.iter_child_nodes(node):
        out += _unguarded(child, name)
    return out


def _uses(node: ast.AST, name: str, cls: type, depth: int) -> bool:
    """Does this node break on None: an attribute, an index, or a call that can't take it?"""
    if isinstance(node, ast.Attribute | ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id == name
    if not isinstance(node, ast.Call):
        return False
    places = [i for i, a in enumerate(node.args) if isinstance(a, ast.Name) and a.id == name]
    words = [k.arg for k in node.keywords if isinstance(k.value, ast.Name) and k.value.id == name]
    if not places and not words:
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id == "len"
    if not isinstance(node.func, ast.Attribute):
        return False
    if isinstance(node.func.value, ast.Name) and node.func.value.id == "self":
        return any(
            is_needed(cls, parameter, node.func.attr, depth - 1)
            for parameter in _bound(cls, node.func.attr, places, words)
        )
    return node.func.attr.startswith("preprocess")


def _bound(cls: type, method: str, places: list[int], words: list[str | None]) -> list[str]:
    tree = function(cls, method)
    if tree is None:
        return []
    names = [a.arg for a in tree.args.args][1:]
    return [names[i] for i in places if i < len(names)] + [w for w in words if w is not None]
