"""The pages of the gRPC API, from the descriptors that `buf build` makes of the `.proto` files: one for each package."""

from __future__ import annotations

import re
from typing import Any

from text import code, heading, page, prose, slug, table

Json = dict[str, Any]
# Numbers in paths of source information: fields of FileDescriptorProto, DescriptorProto, EnumDescriptorProto, ServiceDescriptorProto.
MESSAGES, ENUMS, SERVICES = 4, 5, 6
FIELDS, NESTED, INNER_ENUMS, VALUES, METHODS = 2, 3, 4, 2, 2
OPTIONS = "[utopia.api.v1.operation]"


class Grpc:
    """The reference of the gRPC API."""

    def __init__(self, image: Json) -> None:
        self._files = [file for file in image["file"] if file.get("package", "").startswith("utopia.")]
        self._packages = list(dict.fromkeys(file["package"] for file in self._files))

    def pages(self) -> dict[str, str]:
        """The pages by their names."""
        pages = {f"grpc/{self._slug(package)}.md": self._package(package) for package in self._packages}
        return {"grpc.md": self._index(), **pages}

    def contents(self) -> list[tuple[str, str]]:
        """The pages below the first, with their titles."""
        return [(package, f"grpc/{self._slug(package)}.md") for package in self._packages]

    @staticmethod
    def _slug(package: str) -> str:
        return slug(package.rsplit(".", 1)[0])

    def _index(self) -> str:
        rows = []
        for file in self._files:
            for at, service in enumerate(file.get("service", [])):
                target = f"grpc/{self._slug(file['package'])}.md#{slug(service['name'])}"
                methods = ", ".join(f"`{method['name']}`" for method in service["method"])
                rows.append([f"[{file['package']}.{service['name']}]({target})", self._comment(file, [SERVICES, at]), methods])
        about = (
            "Every operation is a gRPC method, served over TLS on port 8443, and as gRPC-Web on port 8080. Server reflection and the standard "
            "health service are there too. The token goes into the metadata `authorization: Bearer …`; the reason of an error is the `reason` of "
            "`google.rpc.ErrorInfo` in its details."
        )
        return page("gRPC API", about, table(["service", "what it is for", "methods"], rows))

    def _package(self, package: str) -> str:
        parts = []
        for file in self._files:
            if file["package"] != package:
                continue
            for at, service in enumerate(file.get("service", [])):
                parts.append(heading(2, service["name"], slug(service["name"])))
                parts.append(prose(self._comment(file, [SERVICES, at])))
                methods = enumerate(service["method"])
                parts += [
                    self._method(file, package, service, method, [SERVICES, at, METHODS, inner]) for inner, method in methods
                ]
        for file in self._files:
            if file["package"] == package:
                for at, message in enumerate(file.get("messageType", [])):
                    parts += self._message(file, package, message, [MESSAGES, at], "")
                for at, enum in enumerate(file.get("enumType", [])):
                    parts.append(self._enum(file, enum, [ENUMS, at], ""))
        return page(package, *parts)

    def _method(self, file: Json, package: str, service: Json, method: Json, path: list[int]) -> str:
        options = method.get("options", {})
        about = [
            ["request", ("a stream of " if method.get("clientStreaming") else "") + self._type(package, method["inputType"])],
            ["answer", ("a stream of " if method.get("serverStreaming") else "") + self._type(package, method["outputType"])],
        ]
        rule = options.get("[google.api.http]", {})
        routes = [self._route(binding) for binding in [rule, *rule.get("additionalBindings", [])]]
        about.append(["REST", ", ".join(code(route) for route in routes if route) or "none"])
        about += [[name, self._option(value)] for name, value in options.get(OPTIONS, {}).items() if name != "rest"]
        anchor = slug(f"{service['name']}/{method['name']}")
        return "\n\n".join(
            [
                heading(3, f"{service['name']}/{method['name']}", anchor),
                prose(self._comment(file, path)),
                table(["", ""], about),
            ]
        )

    @staticmethod
    def _route(binding: Json) -> str:
        return next(
            (f"{verb.upper()} {binding[verb]}" for verb in ("get", "post", "put", "patch", "delete") if verb in binding), ""
        )

    def _option(self, value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name} {self._option(inner)}" for name, inner in value.items())
        if isinstance(value, list):
            return ", ".join(map(self._option, value))
        if isinstance(value, str) and re.fullmatch(r"[A-Z_]+", value):
            return code(value.split("_", 1)[-1].lower())
        return code(str(value).lower() if isinstance(value, bool) else str(value))

    def _message(self, file: Json, package: str, message: Json, path: list[int], outer: str) -> list[str]:
        name = outer + message["name"]
        if message.get("options", {}).get("mapEntry"):
            return []
        maps = {
            f".{package}.{name}.{inner['name']}": inner
            for inner in message.get("nestedType", [])
            if inner.get("options", {}).get("mapEntry")
        }
        rows = []
        for at, field in enumerate(message.get("field", [])):
            kind = self._field(package, field, maps)
            rows.append([str(field["number"]), code(field["name"]), kind, self._comment(file, [*path, FIELDS, at])])
        parts = [heading(3, name, f"message-{slug(name)}"), prose(self._comment(file, path))]
        parts.append(table(["number", "field", "type", "meaning"], rows) or "It has no fields.")
        for at, inner in enumerate(message.get("nestedType", [])):
            parts += self._message(file, package, inner, [*path, NESTED, at], name + ".")
        parts += [
            self._enum(file, inner, [*path, INNER_ENUMS, at], name + ".")
            for at, inner in enumerate(message.get("enumType", []))
        ]
        return parts

    def _field(self, package: str, field: Json, maps: dict[str, Json]) -> str:
        entry = maps.get(field.get("typeName", ""))
        if entry:
            key, value = entry["field"]
            return f"map of {self._field(package, key, {})} to {self._field(package, value, {})}"
        kind = self._type(package, field["typeName"]) if "typeName" in field else field["type"].removeprefix("TYPE_").lower()
        repeated = field.get("label") == "LABEL_REPEATED"
        return f"list of {kind}" if repeated else f"optional {kind}" if field.get("proto3Optional") else kind

    def _enum(self, file: Json, enum: Json, path: list[int], outer: str) -> str:
        name = outer + enum["name"]
        rows = [
            [str(value.get("number", 0)), code(value["name"]), self._comment(file, [*path, VALUES, at])]
            for at, value in enumerate(enum["value"])
        ]
        parts = [
            heading(3, name, f"message-{slug(name)}"),
            prose(self._comment(file, path)),
            table(["number", "value", "meaning"], rows),
        ]
        return "\n\n".join(part for part in parts if part)

    def _type(self, package: str, name: str) -> str:
        name = name.removeprefix(".")
        owner = next((known for known in self._packages if name.startswith(known + ".")), None)
        if owner is None:
            return code(name)
        short = name.removeprefix(owner + ".")
        target = "" if owner == package else f"{self._slug(owner)}.md"
        return f"[{short if owner == package else name}]({target}#message-{slug(short)})"

    def _comment(self, file: Json, path: list[int]) -> str:
        for location in file.get("sourceCodeInfo", {}).get("location", []):
            if location.get("path") == path:
                lines = location.get("leadingComments", "") or location.get("trailingComments", "")
                return "\n".join(line.removeprefix(" ") for line in lines.splitlines()).strip()
        return ""
