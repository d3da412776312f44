"""The pages of the JSON API, from the OpenAPI document: one for each service, and one for all types."""

from __future__ import annotations

import json
import re
from typing import Any

from text import code, heading, page, prose, slug, table

Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")


class Rest:
    """The reference of the JSON API."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._schemas: Json = document["components"]["schemas"]

    def pages(self) -> dict[str, str]:
        """The pages by their names."""
        pages = {"rest.md": self._index(), "rest/types.md": self._types()}
        for tag in self._document["tags"]:
            pages[f"rest/{self._file(tag['name'])}"] = self._service(tag)
        return pages

    def contents(self) -> list[tuple[str, str]]:
        """The pages below the first, with their titles."""
        services = [(self._title(tag["name"]), f"rest/{self._file(tag['name'])}") for tag in self._document["tags"]]
        return [*services, ("Types", "rest/types.md")]

    @staticmethod
    def _title(tag: str) -> str:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tag.removesuffix("Service"))
        return {"Iam": "Registration and log-in", "Account": "Own account", "Gpu": "GPU", "Api Token": "API token"}.get(
            words, words
        )

    @staticmethod
    def _file(tag: str) -> str:
        return slug(tag.removesuffix("Service")) + ".md"

    def _index(self) -> str:
        rows = []
        for tag in self._document["tags"]:
            for method, path, operation in self._operations(tag["name"]):
                link = f"rest/{self._file(tag['name'])}#{self._anchor(operation)}"
                rows.append([f"[`{method.upper()} {path}`]({link})", operation["summary"]])
        about = (
            "The same as an OpenAPI 3.1 document is at `/api/openapi.json` of every server, and as Swagger UI at `/api/docs`."
        )
        return page("REST API", self._document["info"]["description"], about, table(["operation", "what it does"], rows))

    def _service(self, tag: Json) -> str:
        sections = [self._operation(*entry) for entry in self._operations(tag["name"])]
        return page(self._title(tag["name"]), prose(tag.get("description", "")), *sections)

    def _operations(self, tag: str) -> list[tuple[str, str, Json]]:
        return [
            (method, path, item[method])
            for path, item in self._document["paths"].items()
            for method in METHODS
            if method in item and item[method]["tags"][0] == tag
        ]

    @staticmethod
    def _anchor(operation: Json) -> str:
        return slug(operation["operationId"].split("_", 1)[1].replace("_", "-"))

    def _operation(self, method: str, path: str, operation: Json) -> str:
        parts = [heading(2, f"{method.upper()} {path}", self._anchor(operation)), f"**{prose(operation['summary'])}.**"]
        parts.append(prose(operation.get("description", "")))
        if "x-grpc-method" in operation:
            name = operation["x-grpc-method"]
            package, method = name.removeprefix("/").rsplit(".", 1)
            target = f"../grpc/{slug(package.rsplit('.', 1)[0])}.md#{slug(method)}"
            parts.append(f"gRPC: [`{package}.{method}`]({target})")
        parameters = [
            [code(parameter["name"]), parameter["in"], self._type(parameter["schema"]), parameter.get("description", "")]
            for parameter in operation.get("parameters", [])
        ]
        parts.append(table(["parameter", "in", "type", "meaning"], parameters))
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            parts.append(f"Body: {self._type(content['schema'])}, `{media}`")
            if "example" in content:
                parts.append("```json\n" + json.dumps(content["example"], indent=2, ensure_ascii=False) + "\n```")
        parts.append(table(["status", "answer"], self._answers(operation["responses"])))
        return "\n\n".join(part for part in parts if part)

    def _answers(self, responses: Json) -> list[list[str]]:
        rows = []
        failed: list[str] = []
        for status, response in responses.items():
            if "$ref" in response:
                failed.append(status)
                continue
            contents = response.get("content", {})
            types = [self._content(media, content["schema"]) for media, content in contents.items()]
            rows.append([status, "; ".join(types) or "no body"])
        if failed:
            rows.append([", ".join(failed), "[an error](../errors.md)"])
        return rows

    def _content(self, media: str, schema: Json) -> str:
        if "contentSchema" in schema:
            return f"a stream of {self._type(schema['contentSchema'])}, `{media}`"
        return f"{self._type(schema)}, `{media}`"

    def _types(self) -> str:
        sections = []
        for name, schema in sorted(self._schemas.items()):
            parts = [heading(2, name, f"type-{slug(name)}"), prose(schema.get("description", ""))]
            rows = []
            for key, member in schema.get("properties", {}).items():
                examples = ", ".join(code(json.dumps(example, ensure_ascii=False)) for example in member.get("examples", []))
                meaning = member.get("description", "") + (f" Example: {examples}" if examples else "")
                rows.append([code(key), self._type(member, here=True), meaning])
            parts.append(table(["member", "type", "meaning"], rows))
            sections.append("\n\n".join(part for part in parts if part))
        return page("Types", "The objects and words of the JSON API, in the order of their names.", *sections)

    def _type(self, schema: Json, here: bool = False) -> str:
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return f"[{name}]({'' if here else 'types.md'}#type-{slug(name)})"
        if "anyOf" in schema:
            return " or ".join(self._type(inner, here) for inner in schema["anyOf"])
        kinds = schema.get("type", "any value")
        if isinstance(kinds, list):
            return " or ".join(self._type({**schema, "type": kind}, here) for kind in kinds)
        if kinds == "array":
            return f"list of {self._type(schema['items'], here)}"
        if kinds == "object" and "properties" in schema:
            members = ", ".join(f"`{key}`: {self._member(inner, here)}" for key, inner in schema["properties"].items())
            return f"object of {members}"
        if kinds == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"map of {self._type(schema['additionalProperties'], here)}"
        if schema.get("contentEncoding"):
            return f"{kinds} in {schema['contentEncoding']}"
        form = {"date-time": "time", "int64": "integer, 64 bits"}.get(schema.get("format", ""))
        return form or str(kinds)

    def _member(self, schema: Json, here: bool) -> str:
        return code(json.dumps(schema["const"])) if "const" in schema else self._type(schema, here)
