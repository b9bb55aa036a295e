"""The mutants of a module: each is its syntax tree with one small fault."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}  # fmt: skip
OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}
CLAUSES = {"where", "with_for_update", "order_by", "limit", "join", "outerjoin", "join_from"}
"""Methods of a query that are left out as a whole."""
CONDITIONS = {"where", "and_", "or_"}
"""Calls of which each argument is left out."""
UNTOLD = {"log", "logger", "TypeVar", "cast"}
"""Calls of these, or of their methods, are not mutated: they log, or matter to types alone."""
NEEDED = UNTOLD | {"super"}
"""Statements that call these are not left out."""


@dataclass(frozen=True)
class Mutation:
    """One fault.

    Attributes:
        line: its line, from 1.
        source: that line, without the space around it.
        change: what is replaced by what.
        ordinal: counts from 1 the mutations with the same source and change.
        function: the name of the innermost function around it; empty outside of functions.
        span: the first and the last line of the statement around it, of a compound one its head.
        tree: makes the whole module with the fault in it.
    """

    line: int
    source: str
    change: str
    ordinal: int
    function: str
    span: tuple[int, int]
    tree: Callable[[], ast.Module]

    @property
    def is_about_locks(self) -> bool:
        """Whether it takes away or changes a lock of rows, which SQLite has none of."""
        return "with_for_update" in self.change or "key_share" in self.source

    def __str__(self) -> str:
        return f"{self.line}: {self.source}   [{self.change}]"


@dataclass(frozen=True)
class _Site:
    """A place of the tree, and what can stand there instead."""

    node: ast.AST
    replacement: ast.AST | None
    """None where the statement is left out."""
    change: str
    function: str
    span: tuple[int, int]


def mutations(source: str) -> list[Mutation]:
    """All mutants of a module, in the order of its lines."""
    tree, lines = ast.parse(source), source.splitlines()
    sites = sorted(_sites(tree), key=lambda site: (site.node.lineno, site.node.col_offset))  # type: ignore[attr-defined]
    counts: dict[tuple[str, str], int] = {}
    result = []
    for site in sites:
        number = site.node.lineno  # type: ignore[attr-defined]
        text = lines[number - 1].strip()
        ordinal = counts[text, site.change] = counts.get((text, site.change), 0) + 1
        build = partial(_mutated, tree, site)
        result.append(Mutation(number, text, site.change, ordinal, site.function, site.span, build))
    return result


def _mutated(tree: ast.Module, site: _Site) -> ast.Module:
    """A copy of the tree with the fault in it."""
    same_node = copy.deepcopy(tree, {id(site.node): site.node})
    mutant: ast.Module = _Replacement(site).visit(same_node)
    return ast.fix_missing_locations(mutant)


class _Replacement(ast.NodeTransformer):
    def __init__(self, site: _Site) -> None:
        self._site = site

    def visit(self, node: ast.AST) -> ast.AST:
        if node is not self._site.node:
            return self.generic_visit(node)
        return ast.copy_location(copy.copy(self._site.replacement or ast.Pass()), node)


def _sites(tree: ast.Module) -> Iterator[_Site]:
    yield from _walk(tree, "", (1, 1))


def _walk(node: ast.AST, function: str, span: tuple[int, int]) -> Iterator[_Site]:
    """The sites of a node and of all below it, but for types, docstrings, decorators and messages."""
    outside = function
    if isinstance(node, ast.FunctionDef):
        function = node.name
    if isinstance(node, ast.stmt):
        body = getattr(node, "body", None)
        span = (node.lineno, max(node.lineno, body[0].lineno - 1) if body else _last(node))
    for operator in OPERATORS:
        for replacement in operator(node):
            change = f"{_text(node)} -> {_text(replacement)}"
            yield _Site(node, replacement, change, function, span)
    for child in _children(node):
        # Defaults of arguments are made where the function is.
        yield from _walk(child, outside if isinstance(child, ast.arguments) else function, span)


def _last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _children(node: ast.AST) -> Iterator[ast.AST]:
    skipped: set[int] = set()
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        skipped |= {id(decorator) for decorator in node.decorator_list}
    if isinstance(node, ast.FunctionDef) and node.returns:
        skipped.add(id(node.returns))
    if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation:
        skipped.add(id(node.annotation))
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr) or _is_type(node):
        return
    if isinstance(node, ast.Call) and _root(node.func) in UNTOLD:
        return
    for child in ast.iter_child_nodes(node):
        if id(child) not in skipped and not _is_docstring(child):
            yield child


def _is_type(node: ast.AST) -> bool:
    if not isinstance(node, ast.Subscript):
        return False
    names = {"dict", "list", "tuple", "set", "Callable", "Mapping", "Sequence", "Literal", "type"}
    return isinstance(node.value, ast.Name) and node.value.id in names


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _root(node: ast.expr) -> str:
    """The name that an attribute, or a chain of calls, begins with."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.AST | None) -> str:
    if node is None:
        return "nothing"
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else f"{text[:60]} ... {text[-35:]}"


# --- operators: what can stand in the place of a node ---

Operator = Callable[[ast.AST], Iterator["ast.AST | None"]]


def _comparison(node: ast.AST) -> Iterator[ast.AST | None]:
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            other = COMPARISONS[type(operator)]()
            ops = [*node.ops[:index], other, *node.ops[index + 1 :]]
            yield ast.Compare(node.left, ops, node.comparators)


def _boolean(node: ast.AST) -> Iterator[ast.AST | None]:
    if isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    if isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    if isinstance(node, ast.If | ast.While) and isinstance(
        node.test, ast.Name | ast.Attribute | ast.Call
    ):
        test = ast.UnaryOp(ast.Not(), node.test)
        yield type(node)(test, node.body, node.orelse)


def _arithmetic(node: ast.AST) -> Iterator[ast.AST | None]:
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    if isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)


def _constant(node: ast.AST) -> Iterator[ast.AST | None]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    elif isinstance(node.value, float):
        yield ast.Constant(node.value * 2)
    elif isinstance(node.value, str) and " " not in node.value.strip():
        yield ast.Constant(f"{node.value}X")


def _statement(node: ast.AST) -> Iterator[ast.AST | None]:
    """Statements without which the others still make sense; a return that returns nothing."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        if _root(node.value.func) not in NEEDED:
            yield None
    elif isinstance(node, ast.Raise | ast.AugAssign) or _is_storing(node):
        yield None
    elif isinstance(node, ast.Return) and node.value and not _is_false(node.value):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Break):
        yield ast.Continue()


def _is_storing(node: ast.AST) -> bool:
    """Whether a statement stores into something that is there without it, too."""
    stores = (ast.Attribute, ast.Subscript)
    return isinstance(node, ast.Assign) and all(isinstance(one, stores) for one in node.targets)


def _is_false(node: ast.expr) -> bool:
    """Whether it is None or False: whoever asks for the truth of an answer sees no difference."""
    return isinstance(node, ast.Constant) and (node.value is None or node.value is False)


def _clause(node: ast.AST) -> Iterator[ast.AST | None]:
    """A query without one of its clauses, or without one condition of several."""
    if not isinstance(node, ast.Call):
        return
    func = node.func
    if isinstance(func, ast.Attribute) and func.attr in CLAUSES:
        yield func.value
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if name in CONDITIONS and len(node.args) > 1:
        for index in range(len(node.args)):
            args = [*node.args[:index], *node.args[index + 1 :]]
            yield ast.Call(func, args, node.keywords)


def _call(node: ast.AST) -> Iterator[ast.AST | None]:
    """A call with two arguments changed round, or of the opposite function."""
    if not isinstance(node, ast.Call) or _root(node.func) in UNTOLD:
        return
    if isinstance(node.func, ast.Name) and node.func.id in OPPOSITES:
        opposite = ast.Name(OPPOSITES[node.func.id], ast.Load())
        yield ast.Call(opposite, node.args, node.keywords)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in {*OPPOSITES, "select", "where", "and_", "or_", "isinstance", *CLAUSES}:
        return
    simple = (ast.Name, ast.Attribute, ast.Constant, ast.Subscript)
    for index, (one, other) in enumerate(zip(node.args, node.args[1:])):  # noqa: B905 - pairs
        if isinstance(one, simple) and isinstance(other, simple):
            args = [*node.args[:index], other, one, *node.args[index + 2 :]]
            yield ast.Call(node.func, args, node.keywords)


def _filter(node: ast.AST) -> Iterator[ast.AST | None]:
    """A comprehension without its condition."""
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        (first, *others) = node.generators
        if first.ifs:
            bare = ast.comprehension(first.target, first.iter, [], first.is_async)
            yield type(node)(node.elt, [bare, *others])


OPERATORS: tuple[Operator, ...] = (
    _comparison, _boolean, _arithmetic, _constant, _statement, _clause, _call, _filter,
)  # fmt: skip
