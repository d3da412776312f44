"""Writes the generated files of the Go SDK."""

from __future__ import annotations

import textwrap
from pathlib import Path

from contract import Contract, Operation, Property, Schema, Service, Type, split

HEADER = "// Code generated from the OpenAPI document by make sdk. DO NOT EDIT.\n\npackage aiinfra\n\n"
INITIALISMS = {
    *(
        "api",
        "cpu",
        "dns",
        "gb",
        "gpu",
        "http",
        "https",
        "iam",
        "id",
        "io",
        "ip",
        "json",
        "jwt",
        "kb",
        "mb",
        "os",
        "ram",
        "s3",
        "sql",
    ),
    *("ssh", "tcp", "tls", "ttl", "udp", "uri", "url", "uuid", "vm"),
}
# Words of the language, and what the generated methods use themselves.
RESERVED = {
    *(
        "any",
        "break",
        "case",
        "chan",
        "const",
        "continue",
        "default",
        "defer",
        "else",
        "error",
        "fallthrough",
        "for",
        "func",
        "go",
    ),
    *(
        "goto",
        "if",
        "import",
        "interface",
        "iter",
        "map",
        "nil",
        "package",
        "range",
        "return",
        "select",
        "string",
        "struct",
        "switch",
    ),
    *(
        "time",
        "type",
        "var",
        "context",
        "service",
        "ctx",
        "params",
        "body",
        "request",
        "first",
        "stream",
        "pages",
        "call",
    ),
}
SCALARS = {
    "text": "string",
    "float": "float64",
    "bool": "bool",
    "time": "time.Time",
    "bytes": "[]byte",
    "any": "any",
}
INTEGERS = {"int64": "int64", "uint32": "uint32", "uint64": "uint64"}
WIDTH = 125


def write(contract: Contract, package: Path) -> None:
    """Writes the types and the services of a contract into a package."""
    types = "".join(
        f"{text}\n"
        for text in map(
            Types(contract).schema,
            sorted(contract.schemas.values(), key=lambda s: pascal(s.words)),
        )
    )
    imports = 'import "time"\n\n' if "time.Time" in types else ""
    version = f'// The version of the contract.\nconst contractVersion = "{contract.version}"\n\n'
    (package / "types.go").write_text(HEADER + imports + version + types, encoding="utf-8")
    (package / "services.go").write_text(Services(contract).file(), encoding="utf-8")


def pascal(words: list[str]) -> str:
    """An exported name."""

    def one(word: str) -> str:
        if word in INITIALISMS:
            return word.upper()
        return word[:-1].upper() + "s" if word[-1:] == "s" and word[:-1] in INITIALISMS else word.capitalize()

    return "".join(map(one, words))


def camel(words: list[str]) -> str:
    """The name of an argument."""
    name = words[0] + pascal(words[1:])
    return name + "_" if name in RESERVED else name


def comment(indent: str, *paragraphs: str) -> str:
    """A comment of these paragraphs."""
    lines: list[str] = []
    for paragraph in filter(None, paragraphs):
        lines += [""] if lines else []
        for line in paragraph.strip().splitlines():
            is_item = line.startswith("- ")
            wrap = textwrap.wrap(
                ("  " if is_item else "") + line,
                WIDTH - len(indent),
                subsequent_indent="    " if is_item else "",
                break_long_words=False,
                break_on_hyphens=False,
            )
            lines += wrap or [""]
    return "".join(f"{indent}//{' ' if line else ''}{line}\n" for line in lines)


class Types:
    """`types.go`: a struct for each object, a string with constants for each enumeration."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def schema(self, schema: Schema) -> str:
        """The declaration of a type."""
        name = pascal(schema.words)
        text = comment("", schema.text or f"{name} is a type of the contract.")
        if schema.enumeration is not None:
            constants = "".join(
                f'\t{name}{pascal(split(word)) or "Unspecified"} {name} = "{word}"\n' for word in schema.enumeration
            )
            return f"{text}type {name} string\n\n// Words of [{name}]. A newer server may have more.\nconst (\n{constants})\n"
        fields = "".join(self.field(property, schema.is_answer) for property in schema.properties)
        return f"{text}type {name} struct {{\n{fields}}}\n{self.contents(schema)}{self.string(schema)}"

    def field(self, property: Property, is_answer: bool) -> str:
        """A member. Of requests, those that nothing requires are left out when they are zero; what may be null is a pointer."""
        kind = self.type(property.type)
        may_be_absent = not is_answer and not property.is_required
        if may_be_absent and self.is_object(property.type) and not kind.startswith("*"):
            kind = f"*{kind}"
        tag = f'json:"{property.key}{",omitzero" if may_be_absent else ""}"' + (' secret:"true"' if property.is_secret else "")
        required = " It is required." if property.is_required and not is_answer else ""
        return comment("\t", property.text + required) + f"\t{pascal(property.words)} {kind} `{tag}`\n"

    def contents(self, schema: Schema) -> str:
        """Of a page: its place among the others."""
        if not schema.items or not schema.items.type.of:
            return ""
        items = f"page.{pascal(schema.items.words)}"
        counts = f"page.{pascal(schema.counts.words)}" if schema.counts else "page"
        text = f"\nfunc (page *{pascal(schema.words)}) contents() ([]{self.type(schema.items.type.of)}, int, int) {{\n"
        if schema.counts:
            text += f"\tif {counts} == nil {{\n\t\treturn {items}, 0, 0\n\t}}\n"
        return text + f"\treturn {items}, int({counts}.Page), int({counts}.Total)\n}}\n"

    @staticmethod
    def string(schema: Schema) -> str:
        """Of what holds a secret: how it is shown."""
        if not any(property.is_secret for property in schema.properties):
            return ""
        comment = "// String shows all but secrets."
        return f"\n{comment}\nfunc (value {pascal(schema.words)}) String() string {{\n\treturn withoutSecrets(value)\n}}\n"

    def is_object(self, type: Type) -> bool:
        """Whether a type is an object."""
        return type.kind == "ref" and self.contract.schemas[type.name].enumeration is None

    def type(self, type: Type) -> str:
        """A type. What may be null is a pointer, but for times and what can be nil by itself."""
        inner = self.type(type.of) if type.of else ""
        if type.kind == "ref":
            name = pascal(self.contract.schemas[type.name].words)
        elif type.kind == "int":
            name = INTEGERS.get(type.format, "int")
        else:
            name = {"list": f"[]{inner}", "map": f"map[string]{inner}"}.get(type.kind) or SCALARS[type.kind]
        is_pointer = type.nullable and type.kind in (
            "ref",
            "text",
            "int",
            "float",
            "bool",
        )
        return f"*{name}" if is_pointer else name


class Services:
    """`services.go`: a type for each service, two methods for each operation."""

    def __init__(self, contract: Contract) -> None:
        self.types = Types(contract)
        self.contract = contract

    def file(self) -> str:
        """The whole file."""
        fields = "".join(f"\t{pascal(s.words)} *{pascal(s.words)}Service\n" for s in self.contract.services)
        made = "".join(f"\t\t{pascal(s.words)}: &{pascal(s.words)}Service{{connection}},\n" for s in self.contract.services)
        text = "// Services are all services of the contract.\ntype Services struct {\n" + fields + "}\n\n"
        text += f"func newServices(connection *connection) Services {{\n\treturn Services{{\n{made}\t}}\n}}\n"
        for service in self.contract.services:
            text += self.service(service)
        wanted = [name for name in ("context", "iter", "time") if f"{name}." in text]
        return HEADER + "import (\n" + "".join(f'\t"{name}"\n' for name in wanted) + ")\n\n" + text

    def service(self, service: Service) -> str:
        """A service with its operations."""
        name = pascal(service.words)
        text = f"\n// {name}Service has the operations of client.{name}.\ntype {name}Service struct {{\n\tconnection *connection\n}}\n"
        for operation in service.operations:
            if operation.query or operation.headers:
                text += self.parameters(service, operation)
            text += self.operation(service, operation)
            if operation.page:
                text += self.iteration(service, operation)
        return text

    def parameters_name(self, service: Service, operation: Operation) -> str:
        """The name of an operation's parameters."""
        return pascal(service.words) + pascal(operation.words) + "Params"

    def parameters(self, service: Service, operation: Operation) -> str:
        """What an operation may be told beside its path."""
        name = self.parameters_name(service, operation)
        text = f"\n// {name} are what [{pascal(service.words)}Service.{pascal(operation.words)}] may be told. What is zero is not said.\n"
        text += f"type {name} struct {{\n"
        for place, properties in (
            ("query", operation.query),
            ("header", operation.headers),
        ):
            for property in properties:
                text += comment("\t", property.text + (" It is required." if property.is_required else ""))
                text += f'\t{pascal(property.words)} {self.types.type(property.type)} `{place}:"{property.key}"`\n'
        return text + "}\n"

    @staticmethod
    def requires_parameters(operation: Operation) -> bool:
        """Whether an operation must be told something beside its path."""
        return any(property.is_required for property in operation.query)

    def arguments(self, service: Service, operation: Operation) -> tuple[list[str], list[str]]:
        """What an operation takes, and how that is passed on."""
        declared = [f"{camel(property.words)} {self.types.type(property.type)}" for property in operation.path_parameters]
        passed = [camel(property.words) for property in operation.path_parameters]
        if operation.body:
            declared.append(f"body {pascal(self.contract.schemas[operation.body].words)}")
            passed.append("body")
        if operation.query or operation.headers:
            dots = "" if self.requires_parameters(operation) else "..."
            declared.append(f"params {dots}{self.parameters_name(service, operation)}")
            passed.append(f"params{dots}")
        return declared, passed

    def pair(
        self,
        service: Service,
        name: str,
        operation: Operation,
        returns: str,
        text: str,
        body: str,
    ) -> str:
        """A method without and with a context."""
        declared, passed = self.arguments(service, operation)
        receiver = f"func (service *{pascal(service.words)}Service)"
        returning = f"\treturn service.{name}Context({', '.join(['context.Background()', *passed])})\n"
        plain = f"\n{text}{receiver} {name}({', '.join(declared)}) {returns} {{\n{returning}}}\n"
        context = f"\n// {name}Context is [{pascal(service.words)}Service.{name}] with a context.\n"
        return (
            plain
            + f"{context}{receiver} {name}Context({', '.join(['ctx context.Context', *declared])}) {returns} {{\n{body}}}\n"
        )

    def operation(self, service: Service, operation: Operation) -> str:
        """The two methods of an operation."""
        name = pascal(operation.words)
        text = comment(
            "",
            f"{name}: {operation.summary[:1].lower()}{operation.summary[1:]}.",
            operation.description,
        )
        fields = [f'method: "{operation.method}"', f'path: "{operation.path}"']
        if operation.path_parameters:
            fields.append(f"arguments: []any{{{', '.join(camel(p.words) for p in operation.path_parameters)}}}")
        if operation.query or operation.headers:
            fields.append("params: params" if self.requires_parameters(operation) else "params: first(params)")
        fields += ["body: body"] if operation.body else []
        fields += ["envelope: true"] if operation.is_envelope else []
        fields += ["resumable: true"] if operation.is_resumable else []
        before = ""
        if self.has_key(operation):
            before = "\tbody.RequestID = orNewKey(body.RequestID)\n"
            fields.append("keyed: true")
        request = f"request{{{', '.join(fields)}}}"
        if operation.result is None:
            body = f"{before}\treturn service.connection.do(ctx, {request}, nil)\n"
            return self.pair(service, name, operation, "error", text, body)
        kind = self.types.type(operation.result)
        if operation.is_stream:
            body = f"\treturn stream[{kind}](ctx, service.connection, {request})\n"
            return self.pair(service, name, operation, f"iter.Seq2[{kind}, error]", text, body)
        result = f"*{kind}" if self.types.is_object(operation.result) else kind
        if result.startswith("*"):
            body = f"{before}\tvar result {kind}\n\tif err := service.connection.do(ctx, {request}, &result); err != nil {{\n"
            body += "\t\treturn nil, err\n\t}\n\treturn &result, nil\n"
        else:
            body = f"{before}\treturn call[{result}](ctx, service.connection, {request})\n"
        return self.pair(service, name, operation, f"({result}, error)", text, body)

    def has_key(self, operation: Operation) -> bool:
        """Whether a key in the body makes the server do it once only."""
        schema = self.contract.schemas.get(operation.body or "")
        return (
            any(p.key == "request_id" and p.type.kind == "text" and not p.type.nullable for p in schema.properties)
            if schema
            else False
        )

    def iteration(self, service: Service, operation: Operation) -> str:
        """The two methods for all pages."""
        page = self.contract.schemas[operation.page or ""]
        item = self.types.type(page.items.type.of) if page.items and page.items.type.of else "any"
        rest = operation.words[1:] if operation.words[0] == "list" else operation.words
        name, one = pascal(["all", *rest]), pascal(operation.words)
        text = comment(
            "",
            f"{name} gives all of what [{pascal(service.words)}Service.{one}] gives in pages, fetched as it is consumed.",
        )
        size = next(p for p in operation.query if p.key in ("limit", "page_size"))
        path = [camel(property.words) for property in operation.path_parameters]
        given = "params" if self.requires_parameters(operation) else "first(params)"
        body = f"\tparameters := {given}\n\tparameters.{pascal(size.words)} = pageSize\n"
        body += f"\treturn pages[{item}](func(number int) (*{pascal(page.words)}, error) {{\n\t\tparameters := parameters\n"
        body += (
            f"\t\tparameters.Page = number\n\t\treturn service.{one}Context({', '.join(['ctx', *path, 'parameters'])})\n\t}})\n"
        )
        return self.pair(service, name, operation, f"iter.Seq2[{item}, error]", text, body)
