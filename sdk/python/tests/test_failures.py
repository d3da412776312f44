"""What happens when the server refuses, fails, is slow, is down or is something else; and what is tried again."""

from __future__ import annotations

import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from conftest import Face
from fake import Fake, drips, echoes, greets, hangs_up, is_silent, says, stops_half_way, streams

import aiinfra
from aiinfra import ApiError, Client, ConnectionFailed, InvalidResponse, Retry, Timeout

CLAIM = {"id": "1f"}
BUSY = says({"error": "busy", "code": "ResourceExhausted"}, 429, {"retry-after": "7"})


def get(client: Any) -> Any:
    return client.claims.get("1")


def test_errors_of_bare_style(face: Face, fake: Fake) -> None:
    fake.tell(says({"error": "claim 1 does not exist", "code": "NotFound"}, 404, {"x-request-id": "r-1"}))
    with pytest.raises(aiinfra.NotFound) as caught:
        face.run(fake.url, get)
    error = caught.value
    assert (error.status, error.code, error.message, error.request_id) == (404, "NotFound", "claim 1 does not exist", "r-1")
    assert str(error) == "claim 1 does not exist (404, NotFound, request r-1)"
    assert error.retry_after is None


def test_errors_of_envelope_style(face: Face, fake: Fake) -> None:
    fake.tell(says({"code": 409, "message": "the host has claims", "data": None}, 409))
    with pytest.raises(aiinfra.Conflict, match="the host has claims") as caught:
        face.run(fake.url, lambda client: client.hosts.delete("1"))
    assert (caught.value.status, caught.value.code) == (409, "")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, aiinfra.BadRequest),
        (401, aiinfra.Unauthenticated),
        (403, aiinfra.PermissionDenied),
        (410, aiinfra.Gone),
        (413, aiinfra.BadRequest),
        (418, ApiError),
        (422, aiinfra.BadRequest),
        (429, aiinfra.RateLimited),
        (500, aiinfra.ServerError),
        (501, aiinfra.Unimplemented),
        (502, aiinfra.Unavailable),
        (503, aiinfra.Unavailable),
        (504, aiinfra.DeadlineExceeded),
        (599, aiinfra.ServerError),
    ],
)
def test_each_status_has_its_kind(face: Face, fake: Fake, once: Retry, status: int, kind: type[ApiError]) -> None:
    fake.tell(says({"error": "no", "code": "No"}, status))
    with pytest.raises(ApiError) as caught:
        face.run(fake.url, get, retry=once)
    assert type(caught.value) is kind


@pytest.mark.parametrize("body", ["<html>Bad Gateway</html>", "[1]", '{"error": 3}', "\ufffd", "x" * 100_000])
def test_errors_of_something_else(face: Face, fake: Fake, once: Retry, body: str) -> None:
    fake.tell(says(body, 502))
    with pytest.raises(aiinfra.Unavailable) as caught:
        face.run(fake.url, get, retry=once)
    assert caught.value.message == body[:200]


def test_errors_without_a_word(face: Face, fake: Fake, once: Retry) -> None:
    fake.tell(says("", 500))
    with pytest.raises(aiinfra.ServerError, match="the server answered 500 without a word"):
        face.run(fake.url, get, retry=once)


def test_reasons_of_a_newer_server_are_kept(face: Face, fake: Fake) -> None:
    fake.tell(says({"error": "the moon is full", "code": "MoonIsFull", "phase": 4}, 409))
    with pytest.raises(aiinfra.Conflict, match="the moon is full") as caught:
        face.run(fake.url, get)
    assert caught.value.code == "MoonIsFull"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (says({"error": "there is nothing at this path", "code": "NotFound"}, 404), "there is nothing at this path"),
        (says({"code": 404, "message": "there is nothing at this path", "data": None}, 404), "there is nothing at this path"),
        (says({"error": "only GET is allowed here", "code": "MethodNotAllowed"}, 405), "only GET is allowed here"),
        (says({"error": "it is not made yet", "code": "Unimplemented"}, 501), "it is not made yet"),
        (says("<html>Not Found</html>", 404), "<html>"),
        (says("", 404), "without a word"),
    ],
)
def test_an_older_server_lacks_operations(face: Face, fake: Fake, answer: Any, said: str) -> None:
    fake.tell(answer)
    with pytest.raises(aiinfra.Unimplemented, match=f"^GET /api/gpu-claims/1 is not supported by this server: .*{said}"):
        face.run(fake.url, get)
    with pytest.raises(aiinfra.Unimplemented, match=r"^GET /api/gpu-claims/1/watch is not supported by this server"):
        face.run(fake.url, lambda client: client.claims.watch("1"))
    assert len(fake.asked) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_tokens_do_not_follow_redirects(face: Face, fake: Fake, other: Fake, status: int) -> None:
    fake.tell(says("", status, {"location": other.url + "/api/gpu-claims/1"}))
    with pytest.raises(ApiError, match=f"{status}"):
        face.run(fake.url, get)
    with pytest.raises(ApiError, match=f"{status}"):
        face.run(fake.url, lambda client: client.claims.create(image="busybox"))
    assert (len(fake.asked), len(other.asked)) == (2, 0)


TOKEN = "a-token-that-nobody-shall-see"


@pytest.mark.parametrize(
    "answer", [hangs_up, greets, stops_half_way, says("<html>"), says({}, 401), says({"error": "no"}, 500), says("", 302)]
)
def test_tokens_are_not_shown(face: Face, fake: Fake, once: Retry, caplog: pytest.LogCaptureFixture, answer: Any) -> None:
    caplog.set_level(logging.DEBUG)
    fake.tell(answer)
    with pytest.raises(aiinfra.Error) as caught:
        face.run(fake.url, get, token=TOKEN, retry=once)
    error: BaseException | None = caught.value
    while error:
        assert TOKEN not in f"{error} {error!r} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert fake.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("token", [TOKEN + "\n", TOKEN + "\r\nx: y", TOKEN + " ", TOKEN + "ü", "\0" + TOKEN])
def test_tokens_that_cannot_be_sent_are_not_shown(token: str) -> None:
    with pytest.raises(ValueError, match="the token has characters") as caught:
        Client("http://localhost", token=token)
    assert TOKEN not in str(caught.value)


def test_secrets_are_not_represented(fake: Fake) -> None:
    fake.tell(says({"id": "1", "token": TOKEN, "name": "ci"}, 201))
    with Client(fake.url.replace("//", "//me:hush@"), token=TOKEN) as client:
        made = client.join_tokens.create()
        assert made.token == TOKEN
        assert TOKEN not in f"{client} {client!r} {client._connection.options} {made} {vars(client)}"
        assert "hush" not in repr(client)


def test_a_busy_server_is_given_the_time_it_asks_for(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(BUSY, BUSY, says(CLAIM))
    assert face.run(fake.url, get).id == "1f"
    assert all(7 <= wait <= 7.5 for wait in waits)
    assert len(waits) == 2


def test_a_busy_server_has_done_nothing(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(BUSY, says({"code": 0, "message": "", "data": {}}, 201))
    face.run(fake.url, lambda client: client.hosts.create(name="gpu-01"))
    assert len(waits) == 1


def test_an_unavailable_server_may_have_done_it(face: Face, fake: Fake, waits: list[float]) -> None:
    away = says({"error": "stopping", "code": "Unavailable"}, 503, {"retry-after": "7"})
    fake.tell(away)
    with pytest.raises(aiinfra.Unavailable):
        face.run(fake.url, lambda client: client.hosts.create(name="gpu-01"))
    assert len(fake.asked) == 1
    # With a key it is done once only.
    fake.tell(away, says(CLAIM, 202))
    face.run(fake.url, lambda client: client.claims.create(image="busybox"))
    assert 7 <= waits[0] <= 7.5


def test_times_to_come_back_may_be_dates(face: Face, fake: Fake, waits: list[float]) -> None:
    then = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=30), usegmt=True)
    fake.tell(says({}, 503, {"retry-after": then}), says(CLAIM))
    face.run(fake.url, get)
    assert 25 < waits[0] < 31


def test_who_asks_for_too_much_time_is_not_waited_for(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(says({"error": "no", "code": "No"}, 429, {"retry-after": "3600"}))
    with pytest.raises(aiinfra.RateLimited) as caught:
        face.run(fake.url, get)
    assert caught.value.retry_after == 3600
    assert not waits


def test_waits_are_bounded_and_grow(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(says({}, 503))
    with pytest.raises(aiinfra.Unavailable):
        face.run(fake.url, get, retry=Retry(attempts=20, first_delay=1, longest_delay=4))
    assert len(fake.asked) == 20
    assert all(wait <= min(4, 2**index) for index, wait in enumerate(waits))
    assert max(waits) > 1


@pytest.mark.parametrize("answer", [says({}, 503), says({}, 504), hangs_up, stops_half_way])
def test_what_may_have_been_done_is_not_done_twice(face: Face, fake: Fake, waits: list[float], answer: Any) -> None:
    fake.tell(answer)
    with pytest.raises((ApiError, ConnectionFailed)):
        face.run(fake.url, lambda client: client.hosts.create(name="gpu-01"))
    assert len(fake.asked) == 1


@pytest.mark.parametrize("answer", [says({}, 502), says({}, 503), says({}, 504), hangs_up, stops_half_way])
def test_what_can_be_done_twice_is_tried_again(face: Face, fake: Fake, waits: list[float], answer: Any) -> None:
    fake.tell(answer, says(CLAIM))
    assert face.run(fake.url, get).id == "1f"
    fake.tell(answer, says(CLAIM, 202))
    face.run(fake.url, lambda client: client.claims.create(image="busybox"))
    keys = {asked.body["request_id"] for asked in fake.asked if asked.method == "POST"}
    assert len(fake.asked) == 4
    assert len(keys) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 500, 501])
def test_what_stays_as_it_is_is_not_tried_again(face: Face, fake: Fake, status: int) -> None:
    fake.tell(says({}, status))
    with pytest.raises(ApiError):
        face.run(fake.url, get)
    assert len(fake.asked) == 1


def test_a_server_that_is_down(face: Face, waits: list[float]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match=f"cannot reach {url}"):
            face.run(url, lambda client: client.hosts.create(name="gpu-01"))
        with pytest.raises(ConnectionFailed, match=f"cannot reach {url}"):
            face.run(url, lambda client: client.events.watch())
    assert len(waits) == 8


def test_a_server_that_is_silent(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(is_silent, says(CLAIM))
    assert face.run(fake.url, get, timeout=0.2).id == "1f"
    fake.tell(is_silent)
    with pytest.raises(Timeout):
        face.run(fake.url, get, timeout=0.2, retry=Retry(attempts=1))
    with pytest.raises(TimeoutError):
        face.run(fake.url, lambda client: client.hosts.create(name="gpu-01"), timeout=0.2)
    assert len(fake.asked) == 4


def test_a_server_that_is_slow(face: Face, fake: Fake, once: Retry) -> None:
    fake.tell(drips)
    with pytest.raises(Timeout, match="too slow"):
        face.run(fake.url, get, timeout=0.2, retry=once)


def test_an_answer_without_an_end(face: Face, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiinfra._core._LARGEST_ANSWER", 1000)
    fake.tell(says({"id": "1" * 2000}))
    with pytest.raises(InvalidResponse, match="no end"):
        face.run(fake.url, get)


def test_something_that_does_not_speak_http(face: Face, fake: Fake, once: Retry) -> None:
    fake.tell(greets)
    with pytest.raises(ConnectionFailed):
        face.run(fake.url, get, retry=once)


def test_an_answer_that_cannot_be_unpacked(face: Face, fake: Fake, once: Retry) -> None:
    fake.tell(says("no gzip", 200, {"content-encoding": "gzip"}))
    with pytest.raises(InvalidResponse):
        face.run(fake.url, get, retry=once)


def test_threads_share_a_client(fake: Fake) -> None:
    fake.tell(echoes)
    names = [str(number) for number in range(200)]
    with Client(fake.url) as client, ThreadPoolExecutor(16) as threads:
        assert [claim.id for claim in threads.map(client.claims.get, names)] == names


def test_answers_are_shown_to_who_wants_to_see_them(face: Face, fake: Fake, waits: list[float]) -> None:
    seen: list[aiinfra.Response] = []
    fake.tell(BUSY, says({"message": "deleted"}, 200, {"x-ratelimit-remaining": "3"}), streams('data: {"id": "1"}\n\n'))
    face.run(fake.url, lambda client: client.claims.delete("1", prefer="return=representation"), on_response=seen.append)
    face.run(fake.url, lambda client: client.claims.watch("1"), on_response=seen.append)
    assert fake.asked[1].headers["prefer"] == "return=representation"
    assert [(answer.method, answer.path, answer.status) for answer in seen] == [
        ("DELETE", "/api/gpu-claims/1", 429),
        ("DELETE", "/api/gpu-claims/1", 200),
        ("GET", "/api/gpu-claims/1/watch", 200),
    ]
    assert (seen[1].headers["X-RateLimit-Remaining"], seen[1].body, seen[2].body) == ("3", b'{"message": "deleted"}', b"")


def test_errors_are_those_of_python_too(fake: Fake) -> None:
    fake.tell(hangs_up)
    with pytest.raises(ConnectionError), Client(fake.url, retry=Retry(attempts=1)) as client:
        client.claims.list()
