"""Small wrong changes to a module, one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "setdefault": "get"}

Change = Callable[[ast.AST], str]
"""Changes a node in place and says what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change to a module. `function` is the qualified name of what it stands in, empty at module level."""

    line: int
    function: str
    what: str
    source: str
    place: int
    change: Change

    def tree(self) -> ast.Module:
        """The whole module with the change."""
        plain = ast.parse(self.source)
        node = next(each for place, each in enumerate(ast.walk(plain)) if place == self.place)
        self.change(node)
        return ast.fix_missing_locations(plain)


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant of a module's code; annotations, docstrings and texts are left alone."""
    plain = ast.parse(source)
    skipped, functions = _skipped(plain), _functions(plain)
    return [
        Mutant(
            line=getattr(node, "lineno", 0),
            function=functions.get(id(node), ""),
            what=change(copy.deepcopy(node)),
            source=source,
            place=place,
            change=change,
        )
        for place, node in enumerate(ast.walk(plain))
        if place not in skipped
        for change in _changes(node)
    ]


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


def _skipped(tree: ast.Module) -> frozenset[int]:
    """Places inside annotations, decorators, imports and enums: changed, they are no fault of behaviour."""
    inert: set[int] = set()
    for node in ast.walk(tree):
        roots: list[ast.AST] = []
        if isinstance(node, ast.FunctionDef):
            everything = [*node.args.args, *node.args.kwonlyargs, *node.args.posonlyargs]
            roots = [*node.decorator_list, *(a.annotation for a in everything if a.annotation)]
            roots += [node.returns] if node.returns else []
        elif isinstance(node, ast.AnnAssign):
            roots = [node.annotation]
        elif isinstance(node, ast.ClassDef):
            roots = list(node.decorator_list)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
            roots = [node.value]  # a type alias
        inert.update(id(each) for root in roots for each in ast.walk(root))
    return frozenset(number for number, node in enumerate(ast.walk(tree)) if id(node) in inert)


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
            yield _swap_comparison
        case ast.BoolOp(values=values):
            yield _swap_and_or
            yield from (_drop_operand(number) for number in range(len(values)))
        case ast.UnaryOp(op=ast.Not()):
            yield _drop_not
        case ast.BinOp(op=operation) if type(operation) in OPERATORS:
            yield _swap_operator
        case ast.Constant(value=int() as value):
            yield _flip if isinstance(value, bool) else _one_more
        case ast.Name(id=name) if name in NAMES:
            yield _other_name
        case _:
            yield from _changes_of_control(node)


def _changes_of_control(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.If() | ast.IfExp() | ast.While():
            yield _negate_test
        case ast.comprehension(ifs=[_, *_]):
            yield _drop_filter
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield _return_nothing
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return  # a word to the type checker: it is never reached
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield _drop_statement
        case ast.Continue():
            yield _leave_loop
        case ast.match_case(guard=guard) if guard is not None:
            yield _drop_guard
        case _:
            return


def _text(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:70]


def _swap_comparison(node: ast.AST) -> str:
    assert isinstance(node, ast.Compare)
    before = _text(node)
    node.ops = [COMPARISONS[type(node.ops[0])]()]
    return f"{before}  ->  {_text(node)}"


def _swap_and_or(node: ast.AST) -> str:
    assert isinstance(node, ast.BoolOp)
    before = _text(node)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return f"{before}  ->  {_text(node)}"


def _drop_operand(number: int) -> Change:
    def change(node: ast.AST) -> str:
        assert isinstance(node, ast.BoolOp)
        dropped = node.values.pop(number)
        return f"without the operand {_text(dropped)}"

    return change


def _drop_not(node: ast.AST) -> str:
    assert isinstance(node, ast.UnaryOp)
    before = _text(node)
    node.operand = ast.UnaryOp(op=ast.Not(), operand=node.operand)
    return f"{before}  ->  without not"


def _swap_operator(node: ast.AST) -> str:
    assert isinstance(node, ast.BinOp)
    before = _text(node)
    node.op = OPERATORS[type(node.op)]()
    return f"{before}  ->  {_text(node)}"


def _flip(node: ast.AST) -> str:
    assert isinstance(node, ast.Constant)
    node.value = not node.value
    return f"{not node.value}  ->  {node.value}"


def _one_more(node: ast.AST) -> str:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, int)
    node.value += 1
    return f"{node.value - 1}  ->  {node.value}"


def _other_name(node: ast.AST) -> str:
    assert isinstance(node, ast.Name)
    before, node.id = node.id, NAMES[node.id]
    return f"{before}  ->  {node.id}"


def _negate_test(node: ast.AST) -> str:
    assert isinstance(node, ast.If | ast.IfExp | ast.While)
    before = _text(node.test)
    node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
    return f"if {before}  ->  if not"


def _drop_filter(node: ast.AST) -> str:
    assert isinstance(node, ast.comprehension)
    dropped = node.ifs.pop(0)
    return f"without the filter {_text(dropped)}"


def _return_nothing(node: ast.AST) -> str:
    assert isinstance(node, ast.Return)
    before = _text(node)
    node.value = ast.Constant(value=None)
    return f"{before}  ->  return None"


def _drop_statement(node: ast.AST) -> str:
    before = _text(node)
    if isinstance(node, ast.Expr):
        node.value = ast.Constant(value=None)
    elif isinstance(node, ast.AugAssign):
        node.op, node.value = ast.Add(), ast.parse("type(" + ast.unparse(node.target) + ")()", mode="eval").body
    return f"without {before}"


def _leave_loop(node: ast.AST) -> str:
    node.__class__ = ast.Break  # type: ignore[assignment]
    return "continue  ->  break"


def _drop_guard(node: ast.AST) -> str:
    assert isinstance(node, ast.match_case)
    assert node.guard is not None
    before = _text(node.guard)
    node.guard = None
    return f"without the guard {before}"
