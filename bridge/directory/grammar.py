"""The text of a selector → its tree: SCIM's filter grammar (RFC 7644 section 3.4.2.2), with errors for people.

scim2-models reads the same grammar for the SCIM endpoint, but its tree has no columns and its only message is
"invalid syntax"; a policy is written by hand and needs both. The two are tested against each other. Not part of a
selector: value paths in brackets.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Never

from bridge.directory.expression import Node, compared, joined, negated, present
from bridge.directory.person import Scalar
from bridge.errors import SelectorError

LONGEST = 10_000
"""Characters a selector may have."""
DEEPEST = 30
"""Parentheses that may be open at once."""

_NAME = r"\$?[A-Za-z][A-Za-z0-9$_-]*"
_URN = r"(?i:urn):[A-Za-z0-9][A-Za-z0-9._-]*(?::[A-Za-z0-9][A-Za-z0-9._-]*)*"
_TOKEN = re.compile(
    rf"""
      (?P<space> [ \t\f\r\n]+ )
    | (?P<text> "(?:[^"\\\x00-\x1f] | \\["\\/bfnrt] | \\u[0-9A-Fa-f]{{4}})*" )
    | (?P<number> -?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.$-]) )
    | (?P<word> (?:(?:{_URN}|(?i:user)):)?{_NAME}(?:\.{_NAME})? )
    | (?P<mark> [()\[\]] )
    | (?P<stray> [^\s()\[\]"']+ | ["'] )
    """,
    re.VERBOSE,
)
_OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr")
_RESERVED = frozenset({"and", "or", "not", "true", "false", "null", *_OPERATORS})
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_HABITS = {"=": "eq", "==": "eq", "!=": "ne", "<>": "ne", ">": "gt", ">=": "ge", "<": "lt", "<=": "le", "is": "eq"}
_SYNONYMS = {"manager.value": "manager", "emails.value": "emails", "groups.display": "groups"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """Group of `_TOKEN`, or `end`."""
    text: str
    column: int

    @property
    def lower(self) -> str:
        return self.text.lower() if self.kind == "word" else ""

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end"
        shown = self.text if len(self.text) <= 40 else f"{self.text[:39]}…"
        return shown if shown.isprintable() else ascii(shown)


def read(text: str) -> Node:
    """Return the tree of a filter; raise `SelectorError` with the column of the first thing that does not fit."""
    if len(text) > LONGEST:
        raise SelectorError(f"expected a selector of at most {LONGEST} characters, came {len(text)}")
    parser = _Parser(_tokens(text))
    node = parser.alternatives()
    parser.expect_end()
    return node


def short_path(path: str) -> str:
    """Return the name under which a selector knows an attribute: lower case, without schema, synonyms made one."""
    lower = path.rpartition(":")[2].lower()
    return _SYNONYMS.get(lower, lower)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while match := _TOKEN.match(text, position):
        if match.lastgroup not in (None, "space"):
            found.append(_Token(str(match.lastgroup), match.group(), position + 1))
        position = match.end()
    if position < len(text):
        raise SelectorError(f"expected a plain space, came {text[position]!r}", position + 1)
    return [*found, _Token("end", "", len(text) + 1)]


def _refuse(expected: str, token: _Token, hint: str = "") -> Never:
    raise SelectorError(f"expected {expected}, came {token}{'; ' if hint else ''}{hint}", token.column)


class _Parser:
    """Recursive descent; one method per rule of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._open = 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += token.kind != "end"
        return token

    def alternatives(self) -> Node:
        terms = [self._conjunction()]
        while self._token.lower == "or":
            self._take()
            terms.append(self._conjunction())
        return joined("or", tuple(terms))

    def expect_end(self) -> None:
        token = self._token
        if token.text in ("&&", "&", "||", "|", ","):
            _refuse("`and`, `or` or the end", token, "write `or`" if "|" in token.text else "write `and`")
        if token.text == ")":
            _refuse("`and`, `or` or the end", token, "no parenthesis is open here")
        if token.kind != "end":
            _refuse("`and`, `or` or the end", token)

    def _conjunction(self) -> Node:
        terms = [self._term()]
        while self._token.lower == "and":
            self._take()
            terms.append(self._term())
        return joined("and", tuple(terms))

    def _term(self) -> Node:
        if self._token.lower == "not":
            word = self._take()
            if self._token.text != "(":
                _refuse("`(` after `not`", self._token, f"write `{word}` with parentheses: `not (…)`")
            return negated(self._group())
        return self._group() if self._token.text == "(" else self._question()

    def _group(self) -> Node:
        opening = self._take()
        self._open += 1
        if self._open > DEEPEST:
            raise SelectorError(f"expected at most {DEEPEST} parentheses inside each other", opening.column)
        inner = self.alternatives()
        if self._token.text != ")":
            _refuse(f"`)` for the `(` at column {opening.column}, `and` or `or`", self._token)
        self._take()
        self._open -= 1
        return inner

    def _question(self) -> Node:
        name = self._take()
        if name.kind != "word" or name.lower in _RESERVED:
            hint = f"write `not ({name.text[1:]}…)`" if name.text.startswith("!") else ""
            _refuse("an attribute, `not (` or `(`", name, hint)
        path = short_path(name.text)
        operator = self._operator(name)
        if operator.lower == "pr":
            return present(path, name.column)
        return self._comparison(path, name, operator)

    def _operator(self, name: _Token) -> _Token:
        token = self._take()
        if token.lower in _OPERATORS:
            return token
        if token.text == "[":
            _refuse(
                f"an operator after {name}",
                token,
                "conditions in brackets are not possible in a selector; ask for the attribute itself",
            )
        habit = _HABITS.get(token.text.lower())
        hint = f"write `{habit}`" if habit else f"operators are {', '.join(_OPERATORS)}"
        _refuse(f"an operator after {name}", token, hint)

    def _comparison(self, path: str, name: _Token, operator: _Token) -> Node:
        token = self._take()
        value = _value(token, operator)
        word = operator.lower
        if value is None:
            if word not in ("eq", "ne"):
                _refuse(f"text or a number after {word}", token)
            return negated(present(path, name.column)) if word == "eq" else present(path, name.column)
        if word in ("co", "sw", "ew") and not isinstance(value, str):
            _refuse(f"text in double quotes after {word}", token, f'write "{token}"')
        if word in ("gt", "ge", "lt", "le") and isinstance(value, bool):
            _refuse(f"text or a number after {word}", token)
        return compared(path, word, value, name.column)


def _value(token: _Token, operator: _Token) -> Scalar | None:
    expected = f"a value after {operator.lower}"
    if token.kind == "text":
        return _text(token)
    if token.kind == "number":
        return _number(token)
    if token.lower in _CONSTANTS:
        return _CONSTANTS[token.lower]
    if token.text == '"':
        _refuse(expected, token, "the text is not closed with another double quote, or has a wrong escape after `\\`")
    if token.text == "'":
        _refuse(expected, token, "text stands in double quotes")
    if token.kind in ("word", "stray"):
        _refuse(expected, token, f'text stands in double quotes: "{token}"')
    _refuse(expected, token, 'text in double quotes, a number, true, false or null; for instance "Sales"')


def _text(token: _Token) -> str:
    text = str(json.loads(token.text))
    if any("\ud800" <= character <= "\udfff" for character in text):
        _refuse("text", token, "half a surrogate pair is no character")
    return text


def _number(token: _Token) -> int | float:
    if not set(token.text) & set(".eE"):
        return int(token.text)
    value = float(token.text)
    if value in (float("inf"), float("-inf")):
        _refuse("a number that fits", token)
    return value
