"""Writes the generated modules of the Python SDK."""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Iterable
from pathlib import Path

from contract import LAST_EVENT_ID, Contract, Operation, Property, Schema, Service, Type

HEADER = (
    '"""{}. Made from the OpenAPI document by `make sdk`; changes here are lost."""\n\nfrom __future__ import annotations\n'
)
SCALARS = {
    "text": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "time": "datetime",
    "bytes": "bytes",
    "any": "Any",
}
ZEROS = {"text": '""', "int": "0", "float": "0.0", "bool": "False"}
WIDTH = 118


def write(contract: Contract, package: Path) -> None:
    """Writes the types and the services of a contract into a package."""
    (package / "models.py").write_text(Models(contract).module(), encoding="utf-8")
    for is_async, name in ((False, "_services.py"), (True, "_async_services.py")):
        (package / name).write_text(Services(contract, is_async).module(), encoding="utf-8")


def snake(words: list[str]) -> str:
    """The name of a variable or a method."""
    name = "_".join(words)
    return name + "_" if keyword.iskeyword(name) or name == "self" else name


def pascal(words: list[str]) -> str:
    """The name of a class."""
    return "".join(word.capitalize() for word in words)


def constant(word: str) -> str:
    """The name of a word of an enumeration."""
    name = "".join(letter if letter.isalnum() else "_" for letter in word).upper() or "UNSPECIFIED"
    return f"N{name}" if name[0].isdigit() else name


def doc(indent: str, *paragraphs: str) -> str:
    """A docstring of these paragraphs."""
    lines: list[str] = []
    for paragraph in paragraphs:
        for line in paragraph.strip().splitlines() or [""]:
            marker = "  " if line.startswith("- ") else ""
            wrap = textwrap.wrap(
                line,
                WIDTH - len(indent),
                subsequent_indent=marker,
                break_long_words=False,
                break_on_hyphens=False,
            )
            lines += wrap or [""]
        lines.append("")
    text = f"\n{indent}".join(lines[:-1]).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    end = f"\n{indent}" if "\n" in text else " " if text.endswith('"') else ""
    return f'{indent}"""{text}{end}"""\n'


class Models:
    """`models.py`: a dataclass for each object, a set of words for each enumeration."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        bodies = {operation.body for service in contract.services for operation in service.operations}
        self.schemas = {name: schema for name, schema in contract.schemas.items() if schema.is_answer or name not in bodies}

    def module(self) -> str:
        schemas = sorted(
            self.schemas.values(),
            key=lambda schema: (
                schema.enumeration is None,
                schema.items is not None,
                pascal(schema.words),
            ),
        )
        parts = [self.words(schema) if schema.enumeration is not None else self.model(schema) for schema in schemas]
        names = "".join(f'    "{name}",\n' for name in sorted(pascal(schema.words) for schema in schemas))
        head = HEADER.format("The types of the contract")
        imports = (
            "\nfrom dataclasses import dataclass, field\nfrom datetime import datetime\nfrom typing import Any, ClassVar\n"
        )
        return f"{head}{imports}\nfrom . import _model\n\n__all__ = [\n{names}]\n\n\n" + "\n\n".join(parts)

    def words(self, schema: Schema) -> str:
        lines = [
            f"class {pascal(schema.words)}(_model.Word):",
            doc("    ", schema.text),
        ]
        lines += [f'    {constant(word)} = "{word}"' for word in schema.enumeration or []]
        return "\n".join(lines) + "\n"

    def model(self, schema: Schema) -> str:
        item = self.annotation(schema.items.type.of, True) if schema.items and schema.items.type.of else ""
        bases = f"_model.Model, _model.Page[{item}]" if item else "_model.Model"
        # Of what is required and what is not, neither comes first.
        decorator = "@dataclass" if schema.is_answer else "@dataclass(kw_only=True)"
        text = f"{decorator}\nclass {pascal(schema.words)}({bases}):\n" + doc("    ", schema.text or pascal(schema.words) + ".")
        if schema.items:
            text += f'\n    _items: ClassVar[str] = "{snake(schema.items.words)}"\n'
        if schema.counts:
            text += f'    _counts: ClassVar[str] = "{snake(schema.counts.words)}"\n'
        taken = [snake(property.words) for property in schema.properties]
        if len(set(taken)) != len(taken) or {"unknown", "to_json", "from_json"} & set(taken):
            raise SystemExit(f"members of {pascal(schema.words)} would have the same name")
        for property in schema.properties:
            text += f"\n    {self.field(property, schema.is_answer)}\n" + doc("    ", property.text or property.key)
        return text

    def field(self, property: Property, is_answer: bool) -> str:
        name, annotation = (
            snake(property.words),
            self.annotation(property.type, is_answer),
        )
        is_required = property.is_required and not is_answer
        if is_required:
            annotation = annotation.removesuffix(" | None")
        zero, is_factory = self.zero(property.type, is_answer)
        if name != property.key or property.is_secret:
            passed = [
                f'"{property.key}"',
                *([] if is_required else [zero]),
                *(["repr=False"] if property.is_secret else []),
            ]
            return f"{name}: {annotation} = _model.member({', '.join(passed)})"
        if is_required:
            return f"{name}: {annotation}"
        return f"{name}: {annotation} = " + (f"field(default_factory={zero})" if is_factory else zero)

    def annotation(self, type: Type, is_answer: bool, is_inner: bool = False) -> str:
        """The annotation of a member. Absent members of answers are zero, those of requests are `None`."""
        inner = self.annotation(type.of, is_answer, True) if type.of else ""
        names = {"list": f"list[{inner}]", "map": f"dict[str, {inner}]"}
        schema = self.contract.schemas.get(type.name)
        name = pascal(schema.words) if schema else names.get(type.kind) or SCALARS[type.kind]
        if name == "Any" or (is_inner and not type.nullable):
            return name
        has_zero = is_answer and not type.nullable and type.kind not in ("time", "bytes")
        return name if has_zero else f"{name} | None"

    def zero(self, type: Type, is_answer: bool) -> tuple[str, bool]:
        """What an absent member is, and whether that is made anew each time."""
        if type.nullable or not is_answer or type.kind in ("time", "bytes", "any"):
            return "None", False
        schema = self.contract.schemas.get(type.name)
        if schema and schema.enumeration is not None:
            return f"{pascal(schema.words)}.{constant(schema.enumeration[0])}", False
        if schema:
            return f"lambda: {pascal(schema.words)}()", True
        return ZEROS.get(type.kind) or {"list": "list", "map": "dict"}[type.kind], type.kind in ("list", "map")


class Services:
    """`_services.py`, or the same with `await`: a class for each service, a method for each operation."""

    def __init__(self, contract: Contract, is_async: bool) -> None:
        self.contract = contract
        self.prefix = "Async" if is_async else ""
        self.is_async = is_async
        self.transport = "_async" if is_async else "_sync"
        self.imported: set[str] = set()

    def module(self) -> str:
        classes = [self.service(service) for service in self.contract.services]
        head = HEADER.format("The operations of the contract" + (", with `await`" if self.is_async else ""))
        iterator = f"{self.prefix}Iterator"
        body = "\n\n".join(classes) + "\n\n" + self.all_services()
        imports = "\nimport builtins\n" if "builtins." in body else "\n"
        imports += f"from collections.abc import {iterator}, Mapping, Sequence\nfrom datetime import datetime\n"
        imports += f"from types import NoneType\nfrom typing import Any\n\nfrom . import {self.transport}\nfrom ._core import path as _path\n"
        imports += "from ._paging import PAGE_SIZE\nfrom .models import (\n" + "".join(
            f"    {name},\n" for name in sorted(self.imported)
        )
        return f"{head}{imports})\n\n\n{body}"

    def class_name(self, service: Service) -> str:
        return f"{self.prefix}{pascal(service.words)}Service"

    def all_services(self) -> str:
        text = f"class {self.prefix}Services:\n" + doc("    ", "All services of the contract.")
        text += f"\n    def __init__(self, connection: {self.transport}.{self.prefix}Connection) -> None:\n"
        text += "".join(
            f"        self.{snake(service.joined)} = {self.class_name(service)}(connection)\n"
            for service in self.contract.services
        )
        return text

    def service(self, service: Service) -> str:
        text = f"class {self.class_name(service)}:\n" + doc("    ", f"Operations of `client.{snake(service.joined)}`.")
        text += f"\n    def __init__(self, connection: {self.transport}.{self.prefix}Connection) -> None:\n        self._connection = connection\n"
        for operation in service.operations:
            text += "\n" + self.operation(operation)
            if operation.page:
                text += "\n" + self.iteration(operation)
        return text

    def operation(self, operation: Operation) -> str:
        path = [(property, name, self.annotation(property.type)) for property, name in self.named(operation.path_parameters)]
        taken = {name for _, name, _ in path}
        query = [(property, name, self.annotation(property.type)) for property, name in self.named(operation.query, taken)]
        taken |= {name for _, name, _ in query}
        schema = self.contract.schemas.get(operation.body or "")
        body = [
            (property, name, self.annotation(property.type))
            for property, name in self.named(schema.properties if schema else [], taken)
        ]
        taken |= {name for _, name, _ in body}
        headers = [(property, name, self.annotation(property.type)) for property, name in self.named(operation.headers, taken)]
        arguments = [f"{name}: {annotation}" for _, name, annotation in path]
        told = (*query, *body, *headers)
        named = [f"{name}: {annotation}" for property, name, annotation in told if property.is_required]
        named += [
            f"{name}: {self.optional(annotation)} = None" for property, name, annotation in told if not property.is_required
        ]
        arguments += ["*", *named] if named else []
        result = self.result(operation.result)
        returns = f"{self.transport}.{self.prefix}Stream[{result}]" if operation.is_stream else result
        is_awaited = self.is_async and not operation.is_stream
        text = f"    {'async ' if is_awaited else ''}def {snake(operation.words)}(\n        self,\n"
        text += "".join(f"        {argument},\n" for argument in arguments) + f"    ) -> {returns}:\n"
        described = [f"- {name}: {property.text}" for property, name, _ in (*path, *told) if property.text]
        text += doc(
            "        ",
            operation.summary + ".",
            *filter(None, [operation.description, "\n".join(described)]),
        )
        names = ", ".join(f"{property.key}={name}" for property, name, _ in path)
        address = f'_path("{operation.path}", {names})' if path else f'"{operation.path}"'
        kind = "NoneType" if result == "None" else result
        passed = [kind, f'"{operation.method}"', address]
        for label, members in (("query", query), ("body", body)):
            if members or (label == "body" and schema):
                passed.append(f"{label}={{" + ", ".join(f'"{property.key}": {name}' for property, name, _ in members) + "}")
        passed += ["envelope=True"] if operation.is_envelope else []
        if operation.is_resumable:
            passed.append("resumable=True")
            passed += [f"last_event_id={name}" for property, name, _ in headers if property.key == LAST_EVENT_ID]
        sent = [f'"{property.key}": {name}' for property, name, _ in headers if property.key != LAST_EVENT_ID]
        passed += [f"headers={{{', '.join(sent)}}}"] if sent else []
        key = next(
            (property.key for property, _, _ in body if property.key == "request_id"),
            None,
        )
        passed += [f'key="{key}"'] if key else []
        call = f"self._connection.{'stream' if operation.is_stream else 'call'}({', '.join(passed)})"
        returning = "" if result == "None" else "return "
        return text + f"        {returning}{'await ' if is_awaited else ''}{call}\n"

    def iteration(self, operation: Operation) -> str:
        """The operation for all pages."""
        size = next(key for key in ("limit", "page_size") if any(property.key == key for property in operation.query))
        path = self.named(operation.path_parameters)
        filters = [entry for entry in self.named(operation.query) if entry[0].key not in ("page", "limit", "page_size")]
        page = self.contract.schemas[operation.page or ""]
        item = page.items.type.of if page.items else None
        iterator = f"{self.prefix}Iterator[{self.result(item)}]"
        words = ["iterate", *operation.words[1:]] if operation.words[0] == "list" else ["iterate", *operation.words]
        arguments = [f"{name}: {self.annotation(property.type)}" for property, name in path]
        optional = [
            f"{name}: {annotation}" if property.is_required else f"{name}: {self.optional(annotation)} = None"
            for property, name in sorted(filters, key=lambda entry: not entry[0].is_required)
            for annotation in [self.annotation(property.type)]
        ]
        arguments += ["*", *optional] if optional else []
        text = f"    def {snake(words)}(\n        self,\n"
        text += "".join(f"        {argument},\n" for argument in arguments) + f"    ) -> {iterator}:\n"
        text += doc(
            "        ",
            f"All of what `{snake(operation.words)}` gives in pages, fetched as it is consumed.",
        )
        passed = [name for _, name in path] + ["page=page", f"{size}=PAGE_SIZE"] + [f"{name}={name}" for _, name in filters]
        call = f"lambda page: self.{snake(operation.words)}({', '.join(passed)})"
        return text + f"        return self._connection.pages({call})\n"

    @staticmethod
    def named(properties: Iterable[Property], taken: Iterable[str] = ()) -> list[tuple[Property, str]]:
        """The names of parameters; one that another kind of parameter has already gets another."""
        names = [(property, snake(property.words)) for property in properties]
        return [(property, f"body_{name}" if name in taken else name) for property, name in names]

    @staticmethod
    def optional(annotation: str) -> str:
        return annotation if annotation == "Any" or annotation.endswith("| None") else f"{annotation} | None"

    def use(self, schema: Schema) -> str:
        self.imported.add(pascal(schema.words))
        return pascal(schema.words)

    def annotation(self, type: Type) -> str:
        """What an argument may be."""
        inner = self.annotation(type.of) if type.of else ""
        schema = self.contract.schemas.get(type.name)
        if schema:
            return f"{self.use(schema)} | " + ("str" if schema.enumeration is not None else "Mapping[str, Any]")
        return {"list": f"Sequence[{inner}]", "map": f"Mapping[str, {inner}]"}.get(type.kind) or SCALARS[type.kind]

    def result(self, type: Type | None) -> str:
        """What an operation gives. The service may have a method called `list`."""
        if type is None:
            return "None"
        schema = self.contract.schemas.get(type.name)
        if schema:
            return self.use(schema)
        inner = self.result(type.of) if type.of else ""
        return {
            "list": f"builtins.list[{inner}]",
            "map": f"builtins.dict[str, {inner}]",
        }.get(type.kind) or SCALARS[type.kind]
