"""Types of the contract as dataclasses, and how they come from JSON and become JSON.

An answer of a newer server may have members and words that are not known here, one of an older server may lack some:
both are read. A member of a wrong type is an error that names its path.
"""

from __future__ import annotations

import base64
import dataclasses
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, Union, overload

from .errors import InvalidResponse

T = TypeVar("T")
M = TypeVar("M", bound="Model")
Decoder = Callable[[Any, str], Any]

_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))")
_SCALARS: dict[Any, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float), bool: (bool,)}


class Word(str, Enum):
    """A word of a set that may grow: one that is not known here is kept as it is, as a word without a place in the set."""

    @classmethod
    def _missing_(cls, value: object) -> Word | None:
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_ = word._value_ = value
        return word

    def __str__(self) -> str:
        return str.__str__(self)

    @property
    def is_known(self) -> bool:
        """Whether this version of the package knows the word."""
        return self._value_ in type(self)._value2member_map_


@dataclasses.dataclass
class Model:
    """An object of the contract."""

    def __post_init__(self) -> None:
        self._unknown: dict[str, Any] = {}

    @property
    def unknown(self) -> Mapping[str, Any]:
        """Members of an answer that this version of the package does not know."""
        return self._unknown

    @classmethod
    def from_json(cls: type[M], value: Any) -> M:
        """Reads it from decoded JSON."""
        return typing.cast("M", decode(cls, value))

    def to_json(self) -> dict[str, Any]:
        """It as plain values for JSON, without what is `None`."""
        members = ((_key(field), getattr(self, field.name)) for field in dataclasses.fields(self))
        return {key: encode(value) for key, value in members if value is not None}


class Page(Generic[T]):
    """Some of many: a sequence of the items on this page."""

    # The member with the items, and the one that tells which page of how many where that is not the page itself.
    _items: ClassVar[str]
    _counts: ClassVar[str] = ""

    @property
    def _on_page(self) -> list[T]:
        return typing.cast("list[T]", getattr(self, self._items))

    @property
    def _place(self) -> tuple[int, int]:
        """Which page it is, and how many items are on all pages; 0 where the server does not tell."""
        counts = getattr(self, self._counts) if self._counts else self
        return getattr(counts, "page", 0), getattr(counts, "total", 0)

    def __len__(self) -> int:
        return len(self._on_page)

    def __iter__(self) -> Iterator[T]:
        return iter(self._on_page)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self._on_page[index]


def member(key: str, value: Any = dataclasses.MISSING, *, repr: bool = True) -> Any:
    """A field whose key in JSON is not its name, or that is not shown; required without a value."""
    if callable(value):
        return dataclasses.field(default_factory=value, repr=repr, metadata={"key": key})
    return dataclasses.field(default=value, repr=repr, metadata={"key": key})


def encode(value: Any) -> Any:
    """A value of a request as plain values for JSON."""
    if isinstance(value, Model):
        return value.to_json()
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): encode(inner) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [encode(inner) for inner in value]
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def timestamp(value: datetime) -> str:
    """A time in RFC 3339. One without a time zone is taken as local time, as `datetime.timestamp` does."""
    return value.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def decode(kind: Any, value: Any) -> Any:
    """Reads a value of this type from decoded JSON."""
    return _decoder(kind)(value, "")


def _key(field: dataclasses.Field[Any]) -> str:
    return str(field.metadata.get("key", field.name))


def _wrong(path: str, wanted: str, value: Any) -> InvalidResponse:
    return InvalidResponse(f"{path.lstrip('.') or 'the answer'} is not {wanted} but {type(value).__name__}")


@cache
def _decoder(kind: Any) -> Decoder:
    """How values of a type are read; of optional and absent ones the caller takes care."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in (Any, object):
        return lambda value, path: value
    if kind is type(None):
        return lambda value, path: None
    if origin is Union or origin is types.UnionType:
        inner = _decoder(next(argument for argument in arguments if argument is not type(None)))
        return lambda value, path: None if value is None else inner(value, path)
    if origin is list:
        return _list_decoder(_decoder(arguments[0]))
    if origin is dict:
        return _map_decoder(_decoder(arguments[1]))
    if kind in _SCALARS:
        return _scalar_decoder(kind)
    if kind is datetime:
        return _time
    if kind is bytes:
        return _bytes
    if issubclass(kind, Word):
        return _word_decoder(kind)
    return _model_decoder(kind)


def _scalar_decoder(kind: Any) -> Decoder:
    accepted = _SCALARS[kind]

    def decode_scalar(value: Any, path: str) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise _wrong(path, kind.__name__, value)
        return kind(value)

    return decode_scalar


def _word_decoder(kind: type[Word]) -> Decoder:
    def decode_word(value: Any, path: str) -> Word:
        if not isinstance(value, str):
            raise _wrong(path, "a word", value)
        return kind(value)

    return decode_word


def _list_decoder(inner: Decoder) -> Decoder:
    def decode_list(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(path, "a list", value)
        return [inner(item, f"{path}[{index}]") for index, item in enumerate(value)]

    return decode_list


def _map_decoder(inner: Decoder) -> Decoder:
    def decode_map(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        return {key: inner(item, f"{path}.{key}") for key, item in value.items()}

    return decode_map


def _model_decoder(kind: type[Model]) -> Decoder:
    hints = typing.get_type_hints(kind)
    members = {_key(field): (field.name, _Lazy(hints[field.name])) for field in dataclasses.fields(kind)}

    def decode_model(value: Any, path: str) -> Model:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        known: dict[str, Any] = {}
        unknown: dict[str, Any] = {}
        for key, inner in value.items():
            found = members.get(key)
            if found is None:
                unknown[key] = inner
            elif inner is not None:
                known[found[0]] = found[1](inner, f"{path}.{key}")
        model = kind(**known)
        model._unknown = unknown
        return model

    return decode_model


class _Lazy:
    """The decoder of a member, made when it is needed first: types may contain themselves."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def __call__(self, value: Any, path: str) -> Any:
        return _decoder(self._kind)(value, path)


def _time(value: Any, path: str) -> datetime:
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise _wrong(path, "a time", value)
    day, clock, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date.fromisoformat(day)}T{clock}").replace(tzinfo=timezone.utc)
        offset = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta()
        moment = moment - offset if sign != "-" else moment + offset
        return moment + timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))
    except (ValueError, OverflowError) as error:
        raise _wrong(path, "a time", value) from error


def _bytes(value: Any, path: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError) as error:
        raise _wrong(path, "base64", value) from error
