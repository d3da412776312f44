"""What happens when the server refuses, fails, is slow, is down or is something else; and what is tried again."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from conftest import Face
from fake import Fake, drips, greets, hangs_up, is_silent, says

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


def test_tokens_do_not_follow_redirects(face: Face, fake: Fake) -> None:
    fake.tell(says("", 302, {"location": fake.url + "/elsewhere"}))
    with pytest.raises(ApiError, match="302"):
        face.run(fake.url, get)
    assert len(fake.asked) == 1


def test_a_busy_server_is_given_the_time_it_asks_for(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(BUSY, BUSY, says(CLAIM))
    assert face.run(fake.url, get).id == "1f"
    assert all(7 <= wait <= 7.5 for wait in waits)
    assert len(waits) == 2


def test_a_busy_server_has_done_nothing(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(BUSY, says({"code": 0, "message": "", "data": {}}, 201))
    face.run(fake.url, lambda client: client.hosts.create(name="gpu-01"))
    assert len(waits) == 1


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


@pytest.mark.parametrize("answer", [says({}, 503), says({}, 504), hangs_up])
def test_what_may_have_been_done_is_not_done_twice(face: Face, fake: Fake, waits: list[float], answer: Any) -> None:
    fake.tell(answer)
    with pytest.raises((ApiError, ConnectionFailed)):
        face.run(fake.url, lambda client: client.hosts.create(name="gpu-01"))
    assert len(fake.asked) == 1


@pytest.mark.parametrize("answer", [says({}, 502), says({}, 503), says({}, 504), hangs_up])
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
        with pytest.raises(ConnectionFailed):
            face.run(url, lambda client: client.hosts.create(name="gpu-01"))
    assert len(waits) == 4


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


def test_something_that_does_not_speak_http(face: Face, fake: Fake, once: Retry) -> None:
    fake.tell(greets)
    with pytest.raises(ConnectionFailed):
        face.run(fake.url, get, retry=once)


def test_an_answer_that_cannot_be_unpacked(face: Face, fake: Fake, once: Retry) -> None:
    fake.tell(says("no gzip", 200, {"content-encoding": "gzip"}))
    with pytest.raises(InvalidResponse):
        face.run(fake.url, get, retry=once)


def test_errors_are_those_of_python_too(fake: Fake) -> None:
    fake.tell(hangs_up)
    with pytest.raises(ConnectionError), Client(fake.url, retry=Retry(attempts=1)) as client:
        client.claims.list()
