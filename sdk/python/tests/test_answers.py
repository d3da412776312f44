"""How answers are read: of this server, an older one, a newer one, and of something else."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from conftest import Face
from fake import Fake, says, streams

import aiinfra
from aiinfra import Client, InvalidResponse, Retry
from aiinfra.models import ClaimPhase, ClaimSpecInput, HostGpuStatus, ResourcesInput

CLAIM = {
    "id": "1f",
    "user_id": 7,
    "spec": {"image": "busybox", "resources": {"gpuCount": 2}, "volumes": {"/a": "/b"}},
    "status": {"phase": "Running", "gpuUUIDs": ["GPU-1"]},
    "created_at": "2026-01-02T03:04:05.123456789Z",
}


def test_members_are_typed(face: Face, fake: Fake) -> None:
    fake.tell(says(CLAIM))
    claim = face.run(fake.url, lambda client: client.claims.get("1f"))
    assert claim.spec.resources.gpu_count == 2
    assert claim.spec.volumes == {"/a": "/b"}
    assert claim.status.phase is ClaimPhase.RUNNING
    assert claim.status.gpu_uuids == ["GPU-1"]
    assert claim.created_at == datetime(2026, 1, 2, 3, 4, 5, 123456, timezone.utc)


def test_an_older_server_leaves_members_out(face: Face, fake: Fake) -> None:
    fake.tell(says({"id": "1f", "spec": None}))
    claim = face.run(fake.url, lambda client: client.claims.get("1f"))
    assert (claim.user_id, claim.spec, claim.created_at) == (0, None, None)
    fake.tell(says({"code": 0, "message": "success", "data": {"items": [{"uuid": "GPU-1"}]}}))
    (gpu,) = face.run(fake.url, lambda client: client.hosts.list_gpus("1")).items
    assert gpu.status is HostGpuStatus.UNKNOWN


def test_a_newer_server_has_more(face: Face, fake: Fake) -> None:
    fake.tell(says({**CLAIM, "colour": "red", "status": {"phase": "Paused"}}))
    claim = face.run(fake.url, lambda client: client.claims.get("1f"))
    assert claim.unknown == {"colour": "red"}
    assert claim.status.phase == "Paused"
    assert f"{claim.status.phase}" == "Paused"
    assert not claim.status.phase.is_known
    assert ClaimPhase.RUNNING.is_known


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<html>", "without JSON"),
        ([], "not an object but list"),
        ({"user_id": "seven"}, "user_id is not int but str"),
        ({"user_id": True}, "user_id is not int but bool"),
        ({"status": {"gpuUUIDs": [1]}}, r"status.gpuUUIDs\[0\] is not str but int"),
        ({"created_at": "yesterday"}, "created_at is not a time"),
        ({"created_at": "2026-13-01T00:00:00Z"}, "created_at is not a time"),
        ({"spec": {"volumes": {"/a": 1}}}, "spec.volumes./a is not str but int"),
        ({"status": {"phase": 1}}, "status.phase is not a word but int"),
    ],
)
def test_what_the_contract_does_not_say_is_an_error(face: Face, fake: Fake, content: Any, said: str) -> None:
    fake.tell(says(content))
    with pytest.raises(InvalidResponse, match=said):
        face.run(fake.url, lambda client: client.claims.get("1f"))
    assert len(fake.asked) == 1


@pytest.mark.parametrize("content", ["", "[]", "3", '{"code": 0}', "null", '{"data": 1}', '{"data": [1]}'])
def test_envelopes_are_opened(face: Face, fake: Fake, content: str) -> None:
    fake.tell(says({"code": 0, "message": "success", "data": {"host_id": "1", "name": "gpu-01"}}))
    assert face.run(fake.url, lambda client: client.hosts.get("1")).name == "gpu-01"
    fake.tell(says(content))
    with pytest.raises(InvalidResponse):
        face.run(fake.url, lambda client: client.hosts.get("1"))


def test_lists_and_nothing(face: Face, fake: Fake) -> None:
    fake.tell(says([{"id": "1"}, {"id": "2"}]))
    assert [container.id for container in face.run(fake.url, lambda client: client.node_agent.list_containers())] == ["1", "2"]
    fake.tell(says("", 204))
    assert face.run(fake.url, lambda client: client.claims.delete("1")) is None


def test_times_have_offsets(fake: Fake) -> None:
    fake.tell(says({"created_at": "2026-01-02T03:04:05-01:30"}))
    with Client(fake.url) as client:
        assert client.claims.get("1").created_at == datetime(2026, 1, 2, 4, 34, 5, tzinfo=timezone.utc)


def test_requests_hold_what_is_given_and_nothing_else(face: Face, fake: Fake) -> None:
    fake.tell(says(CLAIM, 202))
    spec = ClaimSpecInput(image="busybox", resources=ResourcesInput(gpu_count=0))
    face.run(fake.url, lambda client: client.claims.create(spec=spec, request_id="mine"))
    face.run(fake.url, lambda client: client.claims.create(spec={"image": "busybox"}, request_id="mine"))
    face.run(fake.url, lambda client: client.claims.create(image="busybox", on_node_loss="keep"))
    first, second, third = (asked.body for asked in fake.asked)
    assert first == {"spec": {"image": "busybox", "resources": {"gpuCount": 0}}, "request_id": "mine"}
    assert second == {"spec": {"image": "busybox"}, "request_id": "mine"}
    assert (third["image"], third["onNodeLoss"]) == ("busybox", "keep")
    assert len(third["request_id"]) == 36
    assert fake.asked[0].headers["authorization"] == "Bearer a-token"
    assert fake.asked[0].headers["user-agent"].startswith("aiinfra-python/")


def test_parameters_are_written_as_the_server_reads_them(face: Face, fake: Fake) -> None:
    success = says({"code": 0, "message": "", "data": {}})
    fake.tell(success, success, streams())
    start = datetime(2026, 1, 2, 4, 0, tzinfo=timezone(timedelta(hours=1)))
    face.run(fake.url, lambda client: client.audit.list_events(start_time=start, user="ä&b", page=2))
    face.run(fake.url, lambda client: client.hosts.delete("a/b ?ü", force=True))
    face.run(fake.url, lambda client: client.events.watch(types=["claim.*", "node.down"], once=True))
    listed, deleted, watched = fake.asked
    assert listed.query == {"start_time": ["2026-01-02T03:00:00Z"], "user": ["ä&b"], "page": ["2"]}
    assert (deleted.path, deleted.query) == ("/api/v1/hosts/a%2Fb%20%3F%C3%BC", {"force": ["true"]})
    assert watched.query == {"types": ["claim.*", "node.down"], "once": ["true"]}


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_ids_that_would_be_another_path_are_refused(face: Face, fake: Fake, id: str) -> None:
    with pytest.raises(ValueError, match="id cannot be"):
        face.run(fake.url, lambda client: client.claims.get(id))
    assert not fake.asked


@pytest.mark.parametrize("url", ["localhost:8080", "", "ftp://example", "http://"])
def test_addresses_are_checked(url: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        Client(url)


def test_the_api_may_be_below_a_path(face: Face, fake: Fake) -> None:
    fake.tell(says(CLAIM))
    face.run(fake.url + "/utopia/", lambda client: client.claims.get("1"))
    assert fake.asked[0].path == "/utopia/api/gpu-claims/1"


def test_models_become_json_again(fake: Fake) -> None:
    fake.tell(says(CLAIM))
    with Client(fake.url) as client:
        claim = client.claims.get("1")
    assert aiinfra.models.Claim.from_json(claim.to_json()) == claim
    assert claim.to_json()["created_at"] == "2026-01-02T03:04:05.123456Z"


def test_clients_with_other_options_share_connections(fake: Fake) -> None:
    fake.tell(says(CLAIM))
    with Client(fake.url, token="one") as client:
        other = client.with_options(token="two", timeout=5, retry=Retry(attempts=1))
        other.claims.get("1")
        client.claims.get("1")
    assert [asked.headers["authorization"] for asked in fake.asked] == ["Bearer two", "Bearer one"]


def test_tokens_are_not_shown(fake: Fake) -> None:
    with Client(fake.url, token="secret") as client:
        assert "secret" not in repr(client) + repr(vars(client)) + repr(client._connection.options)


def test_operations_that_are_not_known_here(face: Face, fake: Fake) -> None:
    fake.tell(says({"colour": "red"}))
    assert face.run(fake.url, lambda client: client.request("put", "/api/colours/1", body={"a": 1})) == {"colour": "red"}
    assert (fake.asked[0].method, fake.asked[0].body) == ("PUT", {"a": 1})
