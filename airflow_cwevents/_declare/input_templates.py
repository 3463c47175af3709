"""
Templates of input transformers, parsed: their placeholders, and what stands around them.

A template is a JSON document with bare placeholders in the place of values, or strings in double quotes, one per line.

.. seealso::
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    - https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from airflow_cwevents._aws.json_text import parse_json_text, to_json_text
from airflow_cwevents.exceptions import InvalidInputError

# In pairs, so that the second of two backslashes escapes nothing.
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z0-9_.\-]+")
_TOKEN: Final = re.compile(r'(?P<escape>\\.)|(?P<quote>")|<(?P<name>[A-Za-z0-9_.\-]+)>', re.DOTALL)
# Stand for placeholders while the text around them is parsed; neither is part of any template.
_IN_STRING: Final = "\ue000"
_MARK: Final = "\ue001"
_MARKED: Final = re.compile(f'"{_MARK}([^"]*){_MARK}"')


@dataclass(frozen=True, slots=True, repr=False)
class Placeholder:
    """
    A placeholder without quotes in a template that is given as a dict or list: ``{"detail": Placeholder("detail")}``.

    A string such as ``"<detail>"`` has quotes in the template, and then AWS delivers nothing if the value is an object
    or a list.

    :param name: a name of ``InputPathsMap``, or a predefined variable such as ``aws.events.event.json``.
    """

    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a template has a placeholder: its name, the span of characters, and whether that is inside quotes."""

    name: str
    start: int
    end: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Template:
    """
    A parsed template.

    :param text: the template.
    :param form: ``object`` or ``value`` for a JSON document, ``strings`` for lines of quoted strings, ``text`` for
        what has no quotes, which AWS's user guide refuses and its API reference shows.
    :param occurrences: its placeholders, in order.
    """

    text: str
    form: Literal["object", "value", "strings", "text"]
    occurrences: tuple[Occurrence, ...]

    def replaced(self, value_of: Callable[[Occurrence], str]) -> str:
        """Return the text with each placeholder replaced, and escaped angle brackets as such."""
        parts, at = [], 0
        for occurrence in self.occurrences:
            parts += [self._unescaped(at, occurrence.start), value_of(occurrence)]
            at = occurrence.end
        return "".join([*parts, self._unescaped(at, None)])

    def _unescaped(self, start: int, end: int | None) -> str:
        return _ESCAPE.sub(lambda pair: pair[1] if pair[1] in "<>" else pair[0], self.text[start:end])


def template_text(template: object) -> str:
    """
    Return a template as a string.

    :param template: a string, or what JSON can express, with :class:`Placeholder` for placeholders without quotes.
    :return: the template.
    :raises ValueError: if JSON cannot express it, or a placeholder has a name that none can have.
    """
    if isinstance(template, str):
        return template
    return _MARKED.sub(r"<\1>", to_json_text(_marked(template)))


def parse_template(text: str, place: str) -> Template:
    """
    Parse a template.

    :param text: the template.
    :param place: where it is in the caller's input, for the error.
    :return: the parsed template.
    :raises InvalidInputError: if it is broken JSON, or has a placeholder as the key of an object.
    """
    occurrences = tuple(_occurrences(text))
    draft = Template(text, "text", occurrences)
    skeleton = draft.replaced(lambda occurrence: _IN_STRING if occurrence.quoted else "0")
    try:
        document = json.loads(skeleton, object_pairs_hook=lambda members: _checked(members, place, text))
    except RecursionError:
        return Template(text, "value", occurrences)
    except InvalidInputError:
        raise
    except ValueError as error:
        form = _form_of_lines(skeleton, text, place, error)
        if form == "text":  # where a quote is a character like any other
            occurrences = tuple(replace(each, quoted=False) for each in occurrences)
        return Template(text, form, occurrences)
    return Template(text, "object" if isinstance(document, dict) else "value", occurrences)


def _occurrences(text: str) -> Iterable[Occurrence]:
    quoted = False
    for token in _TOKEN.finditer(text):
        if token["quote"]:
            quoted = not quoted
        elif token["name"]:
            yield Occurrence(token["name"], token.start(), token.end(), quoted)


def _checked(members: list[tuple[str, Any]], place: str, text: str) -> dict[str, Any]:
    for key, _ in members:
        if _IN_STRING in key:
            reason = f"the key {key.replace(_IN_STRING, '<…>')!r} has a placeholder, and only values may have one"
            raise InvalidInputError(place, reason, "Write the key out, and put the placeholder into the value", text)
    return dict(members)


def _form_of_lines(skeleton: str, text: str, place: str, error: ValueError) -> Literal["strings", "text"]:
    if skeleton.lstrip().startswith("{"):
        remedy = 'Write JSON, with placeholders in the place of values, such as {"state": <state>}'
        raise InvalidInputError(place, f"it is not JSON around its placeholders: {error}", remedy, text) from None
    lines = [line for line in skeleton.splitlines() if line.strip()]
    return "strings" if all(map(_is_json_string, lines)) else "text"


def _is_json_string(line: str) -> bool:
    try:
        return isinstance(parse_json_text(line.strip()), str)
    except ValueError:
        return False


def _marked(value: Any) -> Any:
    if isinstance(value, Placeholder):
        if not _NAME.fullmatch(value.name):
            raise ValueError(f"{value.name!r} is not the name of a placeholder")
        return f"{_MARK}{value.name}{_MARK}"
    if isinstance(value, Mapping):
        return {key: _marked(item) for key, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list | tuple) else value
