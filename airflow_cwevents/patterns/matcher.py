"""
The structure of event patterns: compile a pattern to rules, and match events against them.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html#eb-create-pattern-considerations
https://github.com/aws/event-ruler#json-array-matching
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from airflow_cwevents.exceptions import InvalidEventPatternError
from airflow_cwevents.patterns.complexity import is_too_complex
from airflow_cwevents.patterns.operators import OPERATORS, any_of
from airflow_cwevents.patterns.ranges import COMPARISONS
from airflow_cwevents.patterns.wildcards import between_wildcards

OR: Final = "$or"

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-complex-example-or
_MAX_COMBINATIONS: Final = 1000
_TOO_COMPLEX: Final = (
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a "
    "wildcard character"
)
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
# Checked first, as this is much faster.
_PLAIN: Final = {str, int, float, bool, type(None)}
_MISSING: Final = object()

# A list in an event, by its identity and path: the same list may occur in two places.
Array = tuple[int, str]
Element = tuple[Array, int]
# A value and the array elements that contain it, outermost first.
Found = tuple[Any, tuple[Element, ...]]


class _Keys(dict[int, list[tuple[str, int]]]):
    """
    The possible keys at each offset of a dotted path, each with the offset after it; computed on demand.

    In patterns and events, AWS treats a dot as a separator of keys or as part of a key.

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
    :param values: the values that the pattern lists for it.
    :param place: its place in the pattern, for errors.
    :raises InvalidEventPatternError: if AWS would reject it.
    """

    __slots__ = ("_keys", "missing", "optional", "path", "place", "test", "too_complex")

    def __init__(self, path: str, values: list[Any], place: str) -> None:
        self.path = path
        self.place = place
        self.test = any_of(values, place)
        self.optional = {"exists": False} in values
        self.missing = all(value == {"exists": False} for value in values)
        wildcards = [item["wildcard"] for item in values if isinstance(item, dict) and "wildcard" in item]
        self.too_complex = is_too_complex(map(between_wildcards, wildcards))
        self._keys = _Keys(path)

    def find(self, event: Mapping[str, Any], chosen: Mapping[Array, int]) -> list[Found]:
        """
        Return the values of the field in an event.

        :param event: the event.
        :param chosen: for some arrays, the only element to consider.
        :return: the values, with the array elements that contain them.
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
    # Fields that end at an array precede those that choose one of its elements: no other element counts then.
    for at, value in enumerate(values) if only is None else [(only, values[only])]:
        # To AWS, a plain value is only within the arrays that contain its own array.
        yield value, (*within, (array, at)) if isinstance(value, _CONTAINERS) else within


class Rule:
    """
    A pattern without ``$or``: an event must match all its fields.

    :param fields: the fields, with distinct paths.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[Field]) -> None:
        # Fields of the envelope exclude most events.
        self._fields = sorted(fields, key=lambda field: field.path.count("."))

    def holds(self, event: Mapping[str, Any]) -> bool:
        """
        Return whether an event matches the rule.

        :param event: the event.
        :return: whether it matches.
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
    """Return whether fields can match within the same elements of the arrays that they share."""
    bound.sort(key=lambda entry: entry[0].path)
    choices = {frozenset[Element]()}
    for at, (field, _) in enumerate(bound):
        # The elements chosen in other arrays no longer matter.
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
        # AWS evaluates fields in the order of paths: the choices of later fields do not count here.
        if field.optional and not found:
            yield choice


class _Position(NamedTuple):
    """The position of the compiler: the field's keys, the place for errors, and whether it is inside ``$or``."""

    keys: tuple[str, ...] = ()
    place: str = ""
    in_or: bool = False

    def member(self, key: str) -> _Position:
        return _Position((*self.keys, key), f"{self.place}.{key}" if self.place else key, self.in_or)

    def branch(self, at: int) -> _Position:
        return _Position(self.keys, f"{self.member(OR).place}[{at}]", in_or=True)


def compile_rules(pattern: dict[str, Any]) -> list[Rule]:
    """
    Compile a pattern to rules, at least one of which must match.

    :param pattern: the pattern, in plain JSON values.
    :return: the rules.
    :raises InvalidEventPatternError: if AWS would reject the pattern.
    """
    drafts = _object(pattern, _Position(), [{}])
    for fields in drafts:
        _check_complexity(fields.values())
    return [Rule(fields.values()) for fields in drafts]


def _check_complexity(fields: Iterable[Field]) -> None:
    for field in sorted(fields, key=lambda field: field.path):
        if field.too_complex:
            remedy = "Use prefix or suffix if possible, or split the pattern across several rules"
            raise InvalidEventPatternError(field.place, _TOO_COMPLEX, remedy)
        # AWS evaluates fields in this order, and none after one that must be missing.
        if field.missing:
            return


# Rules under construction: fields by path. If a path occurs twice, the last field counts, as in AWS.
_Drafts = list[dict[str, Field]]


def _object(node: dict[str, Any], position: _Position, drafts: _Drafts) -> _Drafts:
    if not node:
        remedy = "Add a field to it, or remove it"
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
        raise InvalidEventPatternError(here.place, reason, "Put operators into the list of a field", value)
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
            raise InvalidEventPatternError(place, reason, "Split the pattern across several rules", branches)
    if len(branches) < 2:
        reason = "There must have at least 2 Objects in $or relationship."
        raise InvalidEventPatternError(place, reason, _OR_REMEDY, branches)
    return forked
