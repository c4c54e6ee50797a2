"""`Expression`: a condition on the columns of a table, such as ``n_elements <= 3 and applicability > 0.1``.

The syntax is Python's and is parsed by Python, but nothing is executed: a few kinds of nodes are understood, and become
operations on whole columns.
"""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from paraisite.files import arrow
from paraisite.prediction.write import TEXT, TRUTH

MAX_LENGTH = 2000
"""Characters of an expression."""

ELEMENTS = "elements"
"""A column that is made of the formula: ``"Te" in elements``."""

Kind = Literal["number", "text", "truth", "elements"]
Columns = Mapping[str, np.ndarray]
Evaluate = Callable[[Columns], Any]

_COMPARE: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"log10": np.log10, "sqrt": np.sqrt, "abs": np.abs}


class ExpressionError(ValueError):
    """An expression cannot be understood; the message shows where and says what can stand there."""


@dataclass(frozen=True, slots=True)
class _Part:
    kind: Kind
    evaluate: Evaluate


class Expression:
    """A condition on rows.

    Numbers are compared (``<  <=  >  >=  ==  !=``, also chained: ``1 < kappa_W_mK < 2``), computed with (``+ - * /``,
    ``log10()``, ``sqrt()``, ``abs()``) and looked for in lists (``n_sites in (2, 4)``). Texts are compared with
    ``==`` and ``!=`` and searched with ``in`` (``"perovskite" in id``); ``"Te" in elements`` asks for an element.
    Columns of truths stand alone (``not is_metal``) or are compared (``is_metal == false``). Conditions are joined by
    ``and``, ``or`` and ``not``. A row that lacks a value the expression names does not meet it.

    Parameters
    ----------
    text : str
    columns : sequence of str
        Columns of the table.

    Raises
    ------
    ExpressionError
        If the text is not such a condition.
    """

    def __init__(self, text: str, columns: Sequence[str]) -> None:
        self.text, self._columns = text, columns
        self._names: set[str] = set()
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"the expression has {len(text)} characters, more than {MAX_LENGTH}; shorten it")
        try:
            tree = ast.parse(text.strip(), mode="eval")
            made = self._build(tree.body)
        except SyntaxError as error:
            place = error.offset - 1 if error.offset else len(text.strip())  # 0 stands for the end
            raise self._error(f"it cannot be read here ({error.msg})", place) from None
        except (RecursionError, MemoryError):
            raise ExpressionError("the expression is nested too deeply; simplify it") from None
        except ValueError as error:
            if isinstance(error, ExpressionError):
                raise
            raise ExpressionError(f"the expression cannot be read ({error})") from None
        if made.kind != "truth":
            raise self._error("this is not a condition; compare it with a value", 0)
        self._evaluate = made.evaluate

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns of the table that the expression reads."""
        return tuple(sorted({"formula" if name == ELEMENTS else name for name in self._names}))

    def mask(self, table: pa.Table) -> np.ndarray:
        """Whether each row meets the condition, shape (len(table),), bool."""
        columns: dict[str, np.ndarray] = {}
        complete = np.ones(table.num_rows, dtype=bool)
        for name in self._names:
            if name == ELEMENTS:
                formulas = table.column("formula").to_pylist()
                columns[name] = np.array(
                    [frozenset(re.findall("[A-Z][a-z]?", f or "")) for f in formulas], dtype=object
                )
            elif name in TRUTH:
                truths = table.column(name).to_pylist()
                columns[name] = np.array([bool(truth) for truth in truths], dtype=bool)
                complete &= np.array([truth is not None for truth in truths], dtype=bool)
            elif name in TEXT:
                columns[name] = np.array([text or "" for text in table.column(name).to_pylist()], dtype=object)
            else:
                columns[name] = arrow.floats(table.column(name))
                complete &= ~np.isnan(columns[name])
        with np.errstate(all="ignore"):
            met = np.asarray(self._evaluate(columns), dtype=bool)
        return complete & np.broadcast_to(met, complete.shape)

    def _error(self, what: str, offset: int) -> ExpressionError:
        shown = " ".join(self.text.strip().split("\n"))
        return ExpressionError(f"character {offset + 1}: {what}\n  {shown}\n  {' ' * offset}^")

    def _at(self, node: ast.expr, what: str) -> ExpressionError:
        # the parser counts bytes
        return self._error(what, len(self.text.strip().encode()[: node.col_offset].decode(errors="ignore")))

    def _build(self, node: ast.expr) -> _Part:
        match node:
            case ast.BoolOp():
                return self._join(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._expect(operand, "truth", "not takes a condition").evaluate
                return _Part("truth", lambda c: ~np.asarray(inner(c), dtype=bool))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
                inner = self._expect(operand, "number", "a sign belongs to a number").evaluate
                return _Part("number", (lambda c: -inner(c)) if isinstance(op, ast.USub) else inner)
            case ast.BinOp():
                return self._compute(node)
            case ast.Compare():
                return self._compare(node)
            case ast.Call():
                return self._call(node)
            case ast.Name(id="true" | "false" as word):
                return _Part("truth", lambda c: word == "true")
            case ast.Name(id=name):
                return self._column(node, name)
            case ast.Constant(value=bool() as truth):
                return _Part("truth", lambda c: truth)
            case ast.Constant(value=int() | float() as value):
                try:
                    number = float(value)
                except OverflowError:
                    raise self._at(node, "this number is too large") from None
                return _Part("number", lambda c: number)
            case ast.Constant(value=str() as text):
                return _Part("text", lambda c: text)
        raise self._at(node, "this is not supported; use columns, numbers, texts, comparisons, and, or, not")

    def _expect(self, node: ast.expr, kind: Kind, what: str) -> _Part:
        made = self._build(node)
        if made.kind != kind:
            raise self._at(node, what)
        return made

    def _join(self, node: ast.BoolOp) -> _Part:
        word, function = ("and", np.logical_and) if isinstance(node.op, ast.And) else ("or", np.logical_or)
        parts = [
            self._expect(v, "truth", f"{word} joins conditions; this is not a condition").evaluate for v in node.values
        ]
        return _Part("truth", lambda c: function.reduce(np.broadcast_arrays(*(part(c) for part in parts))))

    def _compute(self, node: ast.BinOp) -> _Part:
        function = _ARITHMETIC.get(type(node.op))
        if function is None:
            raise self._at(node, "only +, -, * and / are supported between numbers")
        left = self._expect(node.left, "number", "this is not a number").evaluate
        right = self._expect(node.right, "number", "this is not a number").evaluate
        return _Part("number", lambda c: function(left(c), right(c)))

    def _compare(self, node: ast.Compare) -> _Part:
        conditions: list[Evaluate] = []
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, (ast.In, ast.NotIn)):
                conditions.append(self._contains(left, right, negated=isinstance(op, ast.NotIn)))
            else:
                conditions.append(self._two(left, op, right))
            left = right
        return _Part("truth", lambda c: np.logical_and.reduce(np.broadcast_arrays(*(one(c) for one in conditions))))

    def _two(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Evaluate:
        if type(op) not in _COMPARE:
            raise self._at(left, "is and is not are not supported; write == and !=")
        sign, function = _COMPARE[type(op)]
        one, other = self._build(left), self._build(right)
        if one.kind == other.kind != "number" and sign not in ("==", "!="):
            raise self._at(left, f"{one.kind}s are not compared by {sign}; use ==, != or in")
        if one.kind != other.kind or one.kind == "elements":
            raise self._at(left, f"{sign} compares two numbers or two texts, not {one.kind} and {other.kind}")
        return lambda c: np.asarray(function(one.evaluate(c), other.evaluate(c)), dtype=bool)

    def _contains(self, left: ast.expr, right: ast.expr, *, negated: bool) -> Evaluate:
        found = self._contained(left, right)
        return (lambda c: ~found(c)) if negated else found

    def _contained(self, left: ast.expr, right: ast.expr) -> Evaluate:
        one = self._build(left)
        if isinstance(right, (ast.Tuple, ast.List)):
            allowed = [
                self._expect(item, one.kind, "this list mixes numbers and texts").evaluate for item in right.elts
            ]
            if not allowed:
                raise self._at(right, "the list is empty")
            return lambda c: np.logical_or.reduce(
                np.broadcast_arrays(*(np.asarray(one.evaluate(c) == item(c), dtype=bool) for item in allowed))
            )
        whole = self._build(right)
        if one.kind != "text" or whole.kind not in ("text", "elements"):
            raise self._at(right, "in looks for a text in a text, an element in elements, or a value in a list (1, 2)")
        inside = np.frompyfunc(lambda piece, text: piece in text, 2, 1)
        return lambda c: np.asarray(inside(one.evaluate(c), whole.evaluate(c)), dtype=bool)

    def _call(self, node: ast.Call) -> _Part:
        function = _FUNCTIONS.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is None or node.keywords or len(node.args) != 1:
            raise self._at(node, f"the functions are {', '.join(f'{name}(x)' for name in _FUNCTIONS)}")
        inner = self._expect(node.args[0], "number", "this is not a number").evaluate
        return _Part("number", lambda c: function(inner(c)))

    def _column(self, node: ast.expr, name: str) -> _Part:
        if name not in self._columns and name != ELEMENTS:
            near = difflib.get_close_matches(name, [*self._columns, ELEMENTS], n=1)
            hint = f"did you mean {near[0]}?" if near else f"the columns are {', '.join([*self._columns, ELEMENTS])}"
            raise self._at(node, f"unknown column {name}; {hint}")
        self._names.add(name)
        kinds: list[tuple[Kind, bool]] = [
            ("elements", name == ELEMENTS),
            ("text", name in TEXT),
            ("truth", name in TRUTH),
        ]
        kind: Kind = next((kind for kind, found in kinds if found), "number")
        return _Part(kind, lambda c: c[name])
