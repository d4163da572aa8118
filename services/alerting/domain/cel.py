"""Conditions as text: the part of CEL (Common Expression Language) that says what trees say.

    any  = all { "||" all }
    all  = part { "&&" part }
    part = "(" any ")" | operand comparison operand | field "in" "[" value { "," value } "]"

An operand is a field, a number or a text; one of the two is a field. No calls, arithmetic or
macros: what is more than comparing is refused at its position, and nothing here can run long.
The language: github.com/google/cel-spec, doc/langdef.md.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from services.alerting.domain.fields import NUMBERS, TEXTS
from services.alerting.domain.predicate import (
    MAX_DEPTH,
    MAX_NUMBER,
    MAX_TEXT,
    MAX_VALUES,
    TEXT,
    AllOf,
    AnyOf,
    Comparison,
    OtherField,
    Predicate,
    mistake,
)

MAX_LENGTH = 4_000

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign><=|>=|==|!=|&&|\|\||[<>()\[\],])
    )""",
    re.VERBOSE | re.ASCII,
)
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


class SyntaxMistake(ValueError):  # noqa: N818 - what a person makes; nothing has failed
    """What is wrong with a text, and where (from 1)."""

    def __init__(self, text: str, position: int, words: str) -> None:
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1) + 1
        super().__init__(f"line {line}, column {column}: {words}")
        self.line, self.column = line, column


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse(text: str) -> Predicate:
    """Return the condition that a text says; raises SyntaxMistake."""
    if len(text) > MAX_LENGTH:
        raise SyntaxMistake(text, MAX_LENGTH, f"use at most {MAX_LENGTH:,} characters")
    return _Parser(text).whole()


def write(predicate: Predicate) -> str:
    """Return a condition as text."""
    predicate = _alone(predicate)
    match predicate:
        case Comparison():
            return f"{predicate.field} {predicate.comparison} {_value(predicate.value)}"
        case AllOf():
            parts = map(_alone, predicate.all)
            return " && ".join(
                f"({write(part)})" if isinstance(part, AnyOf) else write(part) for part in parts
            )
        case AnyOf():
            return " || ".join(map(write, predicate.any))


def _alone(predicate: Predicate) -> Predicate:
    """Return what a group of one part says: the part."""
    while not isinstance(predicate, Comparison):
        within = predicate.all if isinstance(predicate, AllOf) else predicate.any
        if len(within) > 1:
            break
        predicate = within[0]
    return predicate


def _value(value: object) -> str:
    if isinstance(value, OtherField):
        return value.field
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() else repr(value)
    return json.dumps(value, ensure_ascii=False)


class _Parser:
    """Reads one text from left to right; each method takes what its name says."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._next = 0
        self._depth = 0

    def whole(self) -> Predicate:
        found = self._any()
        if self._peek().kind != "end":
            raise self._wrong("go on with && or ||")
        return found

    def _split(self) -> Iterator[_Token]:
        at, end = 0, len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None:
                at += len(self._text[at:]) - len(self._text[at:].lstrip())
                words = 'this is not understood; compare fields, numbers and "texts"'
                raise SyntaxMistake(self._text, at, words)
            kind = match.lastgroup or ""
            yield _Token(kind, match[kind], match.start(kind))
            at = match.end()
        yield _Token("end", "", end)

    def _any(self) -> Predicate:
        found = [self._all()]
        while self._take("||"):
            found.append(self._all())
        return found[0] if len(found) == 1 else AnyOf(any=found)

    def _all(self) -> Predicate:
        found = [self._part()]
        while self._take("&&"):
            found.append(self._part())
        return found[0] if len(found) == 1 else AllOf(all=found)

    def _part(self) -> Predicate:
        if not self._take("("):
            return self._comparison()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"nest at most {MAX_DEPTH} brackets")
        found = self._any()
        if not self._take(")"):
            raise self._wrong("close the bracket with )")
        self._depth -= 1
        return found

    def _comparison(self) -> Predicate:
        start = self._peek()
        left = self._operand()
        sign = self._peek()
        if self._take("in"):
            right: object = self._list()
        elif sign.text in _FLIPPED and self._take(sign.text):
            right = self._operand()
        else:
            raise self._wrong("compare by <, <=, >, >=, ==, != or in")
        comparison = sign.text
        if not isinstance(left, OtherField):
            if not isinstance(right, OtherField):
                raise SyntaxMistake(self._text, start.position, "one side must be a field")
            left, right, comparison = right, left, _FLIPPED[comparison]
        problem = mistake(left.field, comparison, right)
        if problem is not None:
            raise SyntaxMistake(self._text, start.position, problem)
        return Comparison.model_validate(
            {"field": left.field, "comparison": comparison, "value": right}
        )

    def _list(self) -> list[float | str]:
        if not self._take("["):
            raise self._wrong('give a list of values, such as ["A", "B"]')
        found: list[float | str] = []
        while not found or self._take(","):
            value = self._operand()
            if isinstance(value, OtherField):
                raise self._wrong("a list has values only, no fields")
            found.append(value)
        if len(found) > MAX_VALUES:
            raise self._wrong(f"give at most {MAX_VALUES:,} values")
        if not self._take("]"):
            raise self._wrong("close the list with ]")
        return found

    def _operand(self) -> OtherField | float | str:
        token = self._peek()
        if token.kind == "number":
            number = float(token.text)
            if abs(number) > MAX_NUMBER:
                raise self._wrong(f"use a number within ±{MAX_NUMBER:,}")
            self._next += 1
            return number
        if token.kind == "text":
            text = self._unquoted(token)
            if not re.fullmatch(TEXT, text):
                raise self._wrong(f"use a text of at most {MAX_TEXT} characters on one line")
            self._next += 1
            return text
        if token.kind != "name" or token.text == "in":
            raise self._wrong('a field, a number or a "text" belongs here')
        if token.text not in NUMBERS and token.text not in TEXTS:
            raise self._wrong(mistake(token.text, "==", 0.0) or "")
        self._next += 1
        return OtherField(field=token.text)

    def _unquoted(self, token: _Token) -> str:
        def meant(found: re.Match[str]) -> str:
            escape = found[1]
            if escape[0] == "u" and len(escape) == 5:
                return chr(int(escape[1:], 16))
            if escape in "\"'\\" or escape in _ESCAPES:
                return _ESCAPES.get(escape, escape)
            position = token.position + 1 + found.start()
            raise SyntaxMistake(self._text, position, "this escape is not known")

        return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", meant, token.text[1:-1])

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token.text != text or token.kind == "text":
            return False
        self._next += 1
        return True

    def _wrong(self, words: str) -> SyntaxMistake:
        return SyntaxMistake(self._text, self._peek().position, words)
