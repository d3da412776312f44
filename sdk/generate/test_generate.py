"""What the generators make of a contract in which everything is awkward."""

from __future__ import annotations

import importlib.util
import inspect
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import go
import pytest
import python
from contract import Contract, plural, split

HOME = Path(__file__).resolve().parent.parent


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def operation(id: str, result: Any = None, body: str = "", *parameters: tuple[str, str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": id,
        "tags": [id.split("_")[0]],
        "summary": 'Says "it"',
        "description": 'Ends with \\ and "',
    }
    made["parameters"] = [{"name": name, "in": where, "schema": schema} for name, where, schema in parameters]
    for parameter in made["parameters"]:
        parameter["required"] = parameter["name"] in ("metric", "id")
    made["responses"] = {
        "200": {"content": {"application/json": {"schema": result}}} if result else {},
        "404": {},
    }
    if body:
        made["requestBody"] = {"content": {"application/json": {"schema": ref(body)}}}
    return made


TEXT, NUMBER = {"type": "string"}, {"type": "integer", "format": "uint64"}
SECRET = {"type": "string", "format": "password"}
ID, PAGE = (
    ("id", "path", TEXT),
    ("page", "query", {"type": "integer", "format": "int32"}),
)
LIMIT = ("page_size", "query", {"type": "integer", "format": "int32"})
LINES = {"application/x-ndjson": {"schema": {"type": "string", "contentSchema": ref("Tree")}}}

PATHS = {
    "/clusters": {
        "get": operation(
            "ClusterService_ListClusters",
            ref("Page"),
            "",
            PAGE,
            LIMIT,
            ("list", "query", {"type": "array", "items": TEXT}),
        ),
        "post": operation("ClusterService_ImportCluster", ref("Tree"), "Make"),
    },
    "/clusters/{id}": {
        "put": operation(
            "ClusterService_UpdateCluster",
            ref("Tree"),
            "ClusterService_UpdateCluster_Body",
            ID,
        ),
        "delete": operation(
            "ClusterService_DeleteCluster",
            None,
            "",
            ID,
            ("type", "query", TEXT),
            ("Prefer", "header", TEXT),
        ),
    },
    "/racks/{rack_id}/clusters/{id}": {
        "delete": operation("ClusterService_DeleteCluster_2", None, "", ID, ("rack_id", "path", TEXT)),
    },
    "/clusters/{id}/nodes": {
        "get": operation(
            "ClusterService_ListClusterNodes",
            {"type": "array", "items": ref("Tree")},
            "",
            ID,
        )
    },
    "/clusters/{id}/watch": {
        "get": operation(
            "ClusterService_WatchCluster",
            None,
            "",
            ID,
            ("Last-Event-ID", "header", TEXT),
        )
        | {"responses": {"200": {"content": LINES}}},
    },
    "/hub": {
        "post": operation("FooBarService_Run", ref("utopia.foobar.v1.Tree"), "")
        | {"x-grpc-method": "/utopia.foobar.v1.FooBarService/Run"}
    },
    "/history": {
        "get": operation(
            "FooBarService_GetHistory",
            ref("Tree"),
            "",
            ("step", "query", NUMBER),
            ("metric", "query", TEXT),
        )
    },
    "/map": {"get": operation("FooBarService_GetMap", {"type": "object", "additionalProperties": NUMBER})},
}
SCHEMAS = {
    "Tree": {
        "type": "object",
        "properties": {
            "childTrees": {"type": "array", "items": ref("Tree")},
            "parent": {"anyOf": [ref("Tree"), {"type": "null"}]},
            "class": ref("Mood"),
            "content": {"type": "string", "contentEncoding": "base64"},
            "anything": {},
            "when": {"type": ["string", "null"], "format": "date-time"},
            "ratio": {"type": ["number", "null"], "format": "double"},
            "gpuUUIDs": {"type": "array", "items": TEXT},
            "size": NUMBER,
        },
        "required": ["size"],
    },
    "utopia.foobar.v1.Tree": {"type": "object", "properties": {"id": TEXT}},
    "Page": {
        "type": "object",
        "properties": {
            "trees": {"type": "array", "items": ref("Tree")},
            "place": {"anyOf": [ref("Place"), {"type": "null"}]},
        },
    },
    "Place": {"type": "object", "properties": {"page": NUMBER, "total": NUMBER}},
    "Mood": {"type": "string", "enum": ["", "in-use", "2nd"]},
    "Make": {
        "type": "object",
        "properties": {"id": TEXT, "request_id": TEXT, "tree": ref("TreeInput")},
    },
    "TreeInput": {
        "type": "object",
        "properties": {
            "ratio": {"type": ["number", "null"], "format": "double"},
            "leaves": NUMBER,
            "in": TEXT,
            "secret": SECRET,
        },
        "required": ["leaves", "in"],
    },
    "ClusterService_UpdateCluster_Body": {
        "type": "object",
        "properties": {
            "id": TEXT,
            "from": {"type": ["string", "null"]},
            "password": SECRET,
        },
        "required": ["id"],
    },
}
DOCUMENT = {
    "info": {"version": "1"},
    "paths": PATHS,
    "components": {"schemas": SCHEMAS},
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The Python package that is made from the contract."""
    folder = tmp_path_factory.mktemp("made") / "awkward"
    shutil.copytree(
        HOME / "python/src/aiinfra",
        folder,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for module in ("__init__.py", "_client.py"):
        (folder / module).write_text("")
    python.write(Contract(DOCUMENT), folder)
    spec = importlib.util.spec_from_file_location("awkward", folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec
    package = importlib.util.module_from_spec(spec)
    sys.modules["awkward"] = package
    importlib.import_module("awkward._services")
    importlib.import_module("awkward._async_services")
    yield package
    subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", folder],
        check=True,
    )


def test_names_are_split_into_words() -> None:
    for name, words in {
        "ListHostGpus": "list host gpus",
        "gpuUUIDs": "gpu uuids",
        "containerID": "container id",
        "node_id": "node id",
        "JupyterHub": "jupyter hub",
        "HTTPServer": "http server",
        "load1": "load1",
    }.items():
        assert split(name) == words.split()
    assert [plural([word])[0] for word in ("claim", "policy", "key", "status")] == [
        "claims",
        "policies",
        "keys",
        "statuses",
    ]


def test_operations_are_grouped_and_named(package: ModuleType) -> None:
    services = package._services.Services(None)
    assert set(vars(services)) == {"clusters", "foobar"}
    names = {name for name, _ in inspect.getmembers(services.clusters, inspect.ismethod) if not name.startswith("_")}
    # `import` is a word of Python.
    assert names == {
        "list",
        "iterate",
        "import_cluster",
        "update",
        "delete",
        "delete_by_rack_id",
        "list_nodes",
        "watch",
    }


def test_calls_hold_what_the_contract_says(package: ModuleType) -> None:
    calls: list[Any] = []

    class Connection:
        def call(self, *arguments: Any, **named: Any) -> None:
            calls.append((*arguments[1:], named))

        stream = call

    services = package._services.Services(Connection())
    clusters = services.clusters
    clusters.update("a", body_id="b", from_="c")
    clusters.delete("a", type="t")
    clusters.delete_by_rack_id("a", "r")
    clusters.import_cluster(id="a")
    clusters.delete("a", prefer="return=representation")
    clusters.watch("a", last_event_id="7")
    services.foobar.get_history(metric="m")
    with pytest.raises(TypeError, match="metric"):
        services.foobar.get_history()
    with pytest.raises(TypeError, match="body_id"):
        clusters.update("a")
    made = {"id": "a", "request_id": None, "tree": None}
    assert calls == [
        ("PUT", "/clusters/a", {"body": {"id": "b", "from": "c", "password": None}}),
        (
            "DELETE",
            "/clusters/a",
            {"query": {"type": "t"}, "headers": {"Prefer": None}},
        ),
        ("DELETE", "/racks/r/clusters/a", {}),
        ("POST", "/clusters", {"body": made, "key": "request_id"}),
        (
            "DELETE",
            "/clusters/a",
            {"query": {"type": None}, "headers": {"Prefer": "return=representation"}},
        ),
        ("GET", "/clusters/a/watch", {"resumable": True, "last_event_id": "7"}),
        ("GET", "/history", {"query": {"metric": "m", "step": None}}),
    ]


def test_types_are_read(package: ModuleType) -> None:
    models = package.models
    tree = models.Tree.from_json(
        {
            "childTrees": [{"size": 1}],
            "class": "in-use",
            "content": "aGk=",
            "anything": [1],
            "ratio": 1,
            "gpuUUIDs": ["x"],
        }
    )
    assert (tree.child_trees[0].size, tree.class_, tree.content, tree.ratio) == (
        1,
        models.Mood.IN_USE,
        b"hi",
        1.0,
    )
    assert (tree.parent, tree.when, tree.gpu_uuids) == (None, None, ["x"])
    assert models.Mood.N2ND == "2nd"
    assert models.FooBarTree.from_json({"id": "1"}).id == "1"
    page = models.Page.from_json({"trees": [{}], "place": {"page": 1, "total": 9}})
    assert (len(page), page._place) == (1, (1, 9))
    assert models.Page()._place == (0, 0)
    tree = models.TreeInput(leaves=0, in_="b")
    assert tree.to_json() == {"leaves": 0, "in": "b"}
    with pytest.raises(TypeError, match="leaves"):
        models.TreeInput(in_="b")
    assert "hush" not in repr(models.TreeInput(leaves=1, in_="b", secret="hush"))


def test_go_can_be_built(tmp_path: Path) -> None:
    for file in (HOME / "go").glob("*.go"):
        if not file.name.endswith("_test.go") and file.name != "client.go":
            shutil.copy(file, tmp_path)
    shutil.copy(HOME / "go/go.mod", tmp_path)
    go.write(Contract(DOCUMENT), tmp_path)
    # Without the client there is no log-in, which this contract has not.
    (tmp_path / "client.go").write_text(
        'package aiinfra\n\nimport (\n\t"net/http"\n\t"time"\n)\n\ntype Response struct {\n\tMethod, Path string\n\tStatus int\n'
        "\tHeader http.Header\n\tBody []byte\n}\n\ntype Retry struct {\n\tAttempts int\n"
        "\tFirstDelay, LongestDelay, LongestRetryAfter time.Duration\n}\n"
    )
    subprocess.run(["go", "vet", "."], cwd=tmp_path, check=True)
    services = (tmp_path / "services.go").read_text()
    assert "func (service *ClustersService) Import(body Make) (*Tree, error)" not in services
    assert "func (service *ClustersService) ImportClusterContext(ctx context.Context, body Make) (*Tree, error)" in services
    assert "func (service *ClustersService) All(params ...ClustersListParams) iter.Seq2[Tree, error]" in services
    types = (tmp_path / "types.go").read_text()
    assert "func (service *FooBarService) GetHistory(params FooBarGetHistoryParams) (*Tree, error)" in services
    assert "func (service *ClustersService) Delete(id string, params ...ClustersDeleteParams) error" in services
    assert '\tPrefer string `header:"Prefer"`' in services
    assert '\tFrom *string `json:"from,omitzero"`' in types
    assert '\tID string `json:"id"`' in types
    assert '\tPassword string `json:"password,omitzero" secret:"true"`' in types
    assert '\tLeaves uint64 `json:"leaves"`' in types
    # What may be null can be absent.
    assert '\tRatio *float64 `json:"ratio,omitzero"`' in types
