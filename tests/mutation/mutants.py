"""Small wrong changes to a module, one at a time."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}

Change = tuple[str, dict[str, Any]]
"""What a change does, in words, and the members that its node gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change to a module. `function` is the qualified name of what it stands in, empty at module level."""

    line: int
    function: str
    what: str
    source: str
    place: int
    members: dict[str, Any]

    def tree(self) -> ast.Module:
        """The whole module with the change."""
        plain = ast.parse(self.source)
        node = next(each for place, each in enumerate(ast.walk(plain)) if place == self.place)
        _changed(node, self.members)
        return ast.fix_missing_locations(plain)


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant of a module's code; annotations, docstrings and texts are left alone."""
    plain = ast.parse(source)
    inert, functions = _inert(plain), _functions(plain)
    return [
        Mutant(
            line=getattr(node, "lineno", 0), function=functions.get(id(node), ""), what=what, source=source,
            place=place, members=members,
        )
        for place, node in enumerate(ast.walk(plain))
        if id(node) not in inert
        for what, members in (*_changes(node), *_changes_of_control(node))
    ]  # fmt: skip


def named(mutants: Iterable[Mutant]) -> dict[tuple[int, str], str]:
    """A name for each mutant, by its place and what it does, that survives edits elsewhere in the file."""
    seen: Counter[str] = Counter()
    names = {}
    for mutant in mutants:
        text = f"{mutant.function}: {mutant.what}"
        seen[text] += 1
        names[mutant.place, mutant.what] = f"{text} #{seen[text]}"
    return names


def _functions(tree: ast.Module) -> dict[int, str]:
    """The outermost function, by its qualified name, around every node of its body."""
    names: dict[int, str] = {}

    def enter(node: ast.AST, path: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                enter(child, f"{path}{child.name}.")
            elif isinstance(child, ast.FunctionDef):
                names.update((id(inner), path + child.name) for part in child.body for inner in ast.walk(part))

    enter(tree, "")
    return names


def _inert(tree: ast.Module) -> set[int]:
    """The nodes of annotations, decorators and type aliases: changed, they are no fault of behaviour."""
    roots: list[ast.AST | None] = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(decorator_list=decorators, returns=returns):
                roots += [*decorators, returns]
            case ast.ClassDef(decorator_list=decorators):
                roots += decorators
            case ast.arg(annotation=annotation) | ast.AnnAssign(annotation=annotation):
                roots.append(annotation)
            case ast.Assign(value=ast.Subscript() as alias):
                roots.append(alias)
    return {id(each) for root in roots if root for each in ast.walk(root)}


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
            yield _rewritten(node, ops=[COMPARISONS[type(operator)]()])
        case ast.BoolOp(op=operator, values=values):
            yield _rewritten(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
            for number, value in enumerate(values):
                yield f"without the operand {_text(value)}", {"values": values[:number] + values[number + 1 :]}
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"{_text(node)}  ->  without not", {"operand": _not(operand)}
        case ast.BinOp(op=operation) if type(operation) in OPERATORS:
            yield _rewritten(node, op=OPERATORS[type(operation)]())
        case ast.Constant(value=int() as value):
            yield _rewritten(node, value=not value if isinstance(value, bool) else value + 1)
        case ast.Name(id=name) if name in NAMES:
            yield _rewritten(node, id=NAMES[name])


def _changes_of_control(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield f"if {_text(test)}  ->  if not", {"test": _not(test)}
        case ast.comprehension(ifs=[first, *others]):
            yield f"without the filter {_text(first)}", {"ifs": others}
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield f"{_text(node)}  ->  return None", {"value": ast.Constant(value=None)}
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return  # a word to the type checker: it is never reached
        case ast.Expr(value=ast.Call()):
            yield f"without {_text(node)}", {"value": ast.Constant(value=None)}
        case ast.AugAssign(target=target):
            nothing = ast.parse(f"type({ast.unparse(target)})()", mode="eval").body
            yield f"without {_text(node)}", {"op": ast.Add(), "value": nothing}
        case ast.Continue():
            yield "continue  ->  break", {"__class__": ast.Break}
        case ast.match_case(guard=guard) if guard is not None:
            yield f"without the guard {_text(guard)}", {"guard": None}


def _rewritten(node: ast.AST, **members: Any) -> Change:
    return f"{_text(node)}  ->  {_text(_changed(copy.copy(node), members))}", members


def _changed(node: ast.AST, members: dict[str, Any]) -> ast.AST:
    for name, value in members.items():
        setattr(node, name, value)
    return node


def _not(test: ast.expr) -> ast.UnaryOp:
    return ast.UnaryOp(op=ast.Not(), operand=test)


def _text(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:70]
