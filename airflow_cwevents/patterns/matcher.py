"""
The structure of event patterns: divide it into rules, and see which of them an event fulfils.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html#eb-create-pattern-considerations
https://github.com/aws/event-ruler#json-array-matching
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from airflow_cwevents.exceptions import InvalidEventPatternError
from airflow_cwevents.patterns.operators import OPERATORS, any_of
from airflow_cwevents.patterns.ranges import COMPARISONS

OR: Final = "$or"

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-complex-example-or
_MAX_COMBINATIONS: Final = 1000
_OR_REMEDY: Final = 'List two or more objects, as in {"$or": [{"a": [1]}, {"b": [2]}]}'
# https://github.com/aws/event-ruler/blob/main/src/main/software/amazon/event/ruler/Constants.java
_RESERVED_IN_OR: Final = {
    *OPERATORS,
    *COMPARISONS,
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
}
_CONTAINERS: Final = (dict, Mapping, list, tuple)
# Asked first, as it takes a fraction of the time.
_PLAIN: Final = {str, int, float, bool, type(None)}
_MISSING: Final = object()

# A list in an event, by its identity and the path to it: the same list may be in two places.
Array = tuple[int, str]
Element = tuple[Array, int]
# A value and the array elements that it is within, from the outside.
Found = tuple[Any, tuple[Element, ...]]


class _Keys(dict[int, list[tuple[str, int]]]):
    """
    The keys that may lead on from some place in a dotted path, each with the place behind it; made when asked for.

    To AWS, in patterns and in events, a dot may part two keys or be in one.

    :param path: the path.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._ends = [*(at for at, character in enumerate(path) if character == "."), len(path)]

    def __missing__(self, start: int) -> list[tuple[str, int]]:
        self[start] = [(self._path[start:end], end + 1) for end in self._ends if end >= start]
        return self[start]


class Field:
    """
    One field of a pattern.

    :param path: its dotted path.
    :param values: what the pattern lists for it.
    :param place: where that is in the pattern.
    :raises InvalidEventPatternError: AWS would refuse it.
    """

    __slots__ = ("_keys", "optional", "path", "test")

    def __init__(self, path: str, values: list[Any], place: str) -> None:
        self.path = path
        self.test = any_of(values, place)
        self.optional = {"exists": False} in values
        self._keys = _Keys(path)

    def find(self, event: Mapping[str, Any], chosen: Mapping[Array, int]) -> list[Found]:
        """
        Look the field up in an event.

        :param event: the event.
        :param chosen: for some arrays, the only element to look at.
        :return: its values, and where they are.
        """
        found: list[Found] = []
        pending: list[tuple[Any, int, tuple[Element, ...]]] = [(event, 0, ())]
        for value, start, within in pending:
            if type(value) in _PLAIN or not isinstance(value, _CONTAINERS):
                if start > len(self.path):
                    found.append((value, within))
            elif isinstance(value, (dict, Mapping)):
                for key, after in self._keys[start]:
                    member = value.get(key, _MISSING)
                    if member is not _MISSING:
                        pending.append((member, after, within))
            else:
                array = id(value), self.path[: start - 1]
                pending += [(item, start, path) for item, path in _items(value, array, within, chosen.get(array))]
        return found


def _items(
    values: Sequence[Any], array: Array, within: tuple[Element, ...], only: int | None
) -> Iterator[tuple[Any, tuple[Element, ...]]]:
    # Fields that end at an array come before those that go on and choose an element: beside that one nothing counts.
    for at, value in enumerate(values) if only is None else [(only, values[only])]:
        # To AWS a plain value is only within the arrays around its own.
        yield value, (*within, (array, at)) if isinstance(value, _CONTAINERS) else within


class Rule:
    """
    A pattern without ``$or``, all of whose fields an event must have.

    :param fields: the fields, each with a path of its own.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[Field]) -> None:
        # Fields of the envelope exclude most events.
        self._fields = sorted(fields, key=lambda field: field.path.count("."))

    def holds(self, event: Mapping[str, Any]) -> bool:
        """
        Tell whether an event fulfils the rule.

        :param event: the event.
        :return: whether it does.
        """
        bound: list[tuple[Field, list[Found]]] = []
        for field in self._fields:
            found = field.find(event, {})
            matching = [within for value, within in found if field.test(value)]
            if () in matching or (field.optional and not found):
                continue
            if not matching and not field.optional:
                return False
            bound.append((field, found))
        return not bound or _agree(bound, event)


def _agree(bound: list[tuple[Field, list[Found]]], event: Mapping[str, Any]) -> bool:
    """Tell whether fields can match within the same elements of the arrays that they share."""
    bound.sort(key=lambda entry: entry[0].path)
    choices = {frozenset[Element]()}
    for at, (field, _) in enumerate(bound):
        # Which element of any other array was chosen is past.
        shared = {array for _, found in bound[at + 1 :] for _, within in found for array, _ in within}
        choices = {
            frozenset(element for element in choice if element[0] in shared)
            for choice in _choices(choices, field, event)
        }
    return bool(choices)


def _choices(choices: set[frozenset[Element]], field: Field, event: Mapping[str, Any]) -> Iterator[frozenset[Element]]:
    for choice in choices:
        found = field.find(event, dict(choice))
        yield from (choice.union(within) for value, within in found if field.test(value))
        # AWS goes by the order of paths: what later fields would choose does not count here.
        if field.optional and not found:
            yield choice


class _Position(NamedTuple):
    """Where compilation is: the field's keys, the place for errors, and whether ``$or`` is around it."""

    keys: tuple[str, ...] = ()
    place: str = ""
    in_or: bool = False

    def member(self, key: str) -> _Position:
        return _Position((*self.keys, key), f"{self.place}.{key}" if self.place else key, self.in_or)

    def branch(self, at: int) -> _Position:
        return _Position(self.keys, f"{self.member(OR).place}[{at}]", in_or=True)


def compile_rules(pattern: dict[str, Any]) -> list[Rule]:
    """
    Divide a pattern into rules, one of which must hold.

    :param pattern: the pattern, in plain JSON values.
    :return: the rules.
    :raises InvalidEventPatternError: AWS would refuse the pattern.
    """
    return [Rule(fields.values()) for fields in _object(pattern, _Position(), [{}])]


# Rules in the making: their fields, by path. Where a path is given twice, the last field counts, as with AWS.
_Drafts = list[dict[str, Field]]


def _object(node: dict[str, Any], position: _Position, drafts: _Drafts) -> _Drafts:
    if not node:
        remedy = "Name a field in it, or leave it out"
        raise InvalidEventPatternError(position.place, "Empty objects are not allowed", remedy, node)
    for key, value in node.items():
        if key == OR:
            drafts = _branches(value, position, drafts)
        elif isinstance(value, dict) and not (position.in_or and key in _RESERVED_IN_OR):
            drafts = _object(value, position.member(key), drafts)
        else:
            field = _field(key, value, position)
            for draft in drafts:
                draft[field.path] = field
    return drafts


def _field(key: str, value: Any, position: _Position) -> Field:
    here = position.member(key)
    if position.in_or and key in _RESERVED_IN_OR:
        reason = f"{key} is Ruler reserved fieldName which cannot be used inside $or."
        raise InvalidEventPatternError(here.place, reason, "Write operators into the list of a field", value)
    if not isinstance(value, list):
        reason = f'"{key}" must be an object or an array'
        raise InvalidEventPatternError(here.place, reason, "Put the value into a list", value)
    return Field(".".join(here.keys), value, here.place)


def _branches(branches: Any, position: _Position, drafts: _Drafts) -> _Drafts:
    place = position.member(OR).place
    if not isinstance(branches, list):
        raise InvalidEventPatternError(place, "It must be an Array followed with $or.", _OR_REMEDY, branches)
    forked: _Drafts = []
    for at, branch in enumerate(branches):
        if not isinstance(branch, dict):
            reason = "Only JSON object is allowed in array of $or relationship."
            raise InvalidEventPatternError(f"{place}[{at}]", reason, _OR_REMEDY, branch)
        copies = [dict(draft) for draft in drafts]
        forked += _object(branch, position.branch(at), copies)
        if len(forked) > _MAX_COMBINATIONS:
            reason = f"Or operator is producing over {_MAX_COMBINATIONS} rule combinations"
            raise InvalidEventPatternError(place, reason, "Divide the pattern between several rules", branches)
    if len(branches) < 2:
        reason = "There must have at least 2 Objects in $or relationship."
        raise InvalidEventPatternError(place, reason, _OR_REMEDY, branches)
    return forked
