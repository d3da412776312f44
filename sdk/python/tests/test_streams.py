"""Messages that come one after the other, and pages that follow one another."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from conftest import Face
from fake import Fake, says, streams

import aiinfra
from aiinfra import AsyncClient, Client, ConnectionFailed, InvalidResponse, Retry, Timeout


def event(cursor: int, kind: str = "claim.running") -> str:
    return f"id: {cursor}\ndata: {json.dumps({'cursor': str(cursor), 'type': kind})}\n\n"


def watch(client: Any) -> Any:
    return client.events.watch(cursor="0", once=True)


def watch_on(client: Any) -> Any:
    return client.events.watch(cursor="0")


def cursors(events: list[Any]) -> list[str]:
    return [event.cursor for event in events]


def test_events_come_in_whatever_pieces(face: Face, fake: Fake) -> None:
    whole = ": keep-alive\n\n" + event(1) + ": keep-alive\n\n" + event(2).replace("\n", "\r\n") + event(3, "claim.gelöscht")
    for size in (1, 3, 1000):
        fake.tell(streams(*(whole[at : at + size] for at in range(0, len(whole), size))))
        events = face.run(fake.url, watch)
        assert cursors(events) == ["1", "2", "3"]
        assert events[2].type == "claim.gelöscht"
    assert fake.asked[0].headers["accept"].startswith("text/event-stream")


def test_data_may_have_several_lines(face: Face, fake: Fake) -> None:
    fake.tell(streams('data: {"cursor":\ndata: "1"}\nid: 1\nretry: 5\n\n'))
    assert cursors(face.run(fake.url, watch)) == ["1"]


def test_events_go_on_where_the_connection_broke(face: Face, fake: Fake, waits: list[float]) -> None:
    failure = 'event: error\ndata: {"error": "the server is stopping", "code": "Unavailable"}\n\n'
    fake.tell(
        streams(event(1), event(2), "id: 3\ndata: {", end="breaks"),
        streams(event(3) + event(4) + failure),
        says({}, 503),
        streams(event(5)),
    )
    assert cursors(face.run(fake.url, watch)) == ["1", "2", "3", "4", "5"]
    assert [asked.headers.get("last-event-id") for asked in fake.asked] == [None, "2", "4", "4"]
    assert len(waits) == 3


def test_events_go_on_where_the_stream_ended(face: Face, fake: Fake, waits: list[float]) -> None:
    # A proxy that ends an idle connection does it like a server that has said everything.
    expired = 'event: error\ndata: {"error": "begin anew", "code": "CursorExpired"}\n\n'
    fake.tell(streams(event(1)), streams(event(2)), streams(expired))
    seen = []

    def consume(client: Any) -> Any:
        return client.with_options(on_response=lambda answer: seen.append(answer.status)).events.watch(last_event_id="0")

    with pytest.raises(aiinfra.CursorExpired, match="begin anew"):
        face.run(fake.url, consume)
    assert [asked.headers["last-event-id"] for asked in fake.asked] == ["0", "1", "2"]
    assert seen == [200, 200, 200]


def test_a_stream_that_always_ends_is_an_error(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(streams(event(1)), streams())
    with pytest.raises(ConnectionFailed, match="the stream ended"):
        face.run(fake.url, watch_on)
    assert len(fake.asked) == 5


def test_events_that_are_gone(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(streams(event(1), end="breaks"), says({"error": "too old", "code": "CursorExpired"}, 410))
    with pytest.raises(aiinfra.CursorExpired, match="too old") as caught:
        face.run(fake.url, watch)
    assert isinstance(caught.value, aiinfra.Gone)


def test_a_server_that_stays_away(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(streams(event(1), end="breaks"), says({}, 503))
    with pytest.raises(aiinfra.Unavailable):
        face.run(fake.url, watch, retry=Retry(attempts=3))
    assert len(fake.asked) == 3


def test_what_cannot_go_on_is_an_error(face: Face, fake: Fake) -> None:
    fake.tell(streams('data: {"id": "1"}\n\n', end="breaks"))
    with pytest.raises(ConnectionFailed):
        face.run(fake.url, lambda client: client.claims.watch("1"))
    assert len(fake.asked) == 1


def test_a_stream_that_never_began_is_tried_again(face: Face, fake: Fake, waits: list[float]) -> None:
    fake.tell(says({}, 503), streams(end="breaks"), streams('data: {"id": "1"}\n\n'))
    assert [claim.id for claim in face.run(fake.url, lambda client: client.claims.watch("1"))] == ["1"]


def test_the_start_of_a_server_can_be_followed(face: Face, fake: Fake) -> None:
    steps = [{"progress": 50, "message": "spawning"}, {"progress": 100, "message": "ready", "ready": True, "url": "/user/ada/"}]
    fake.tell(streams(*(f"data: {json.dumps(step)}\n\n" for step in steps)))
    seen = face.run(fake.url, lambda client: client.jupyterhub.watch_progress("ada"))
    assert [(step.progress, step.ready, step.url) for step in seen] == [(50, False, ""), (100, True, "/user/ada/")]
    assert fake.asked[0].path == "/api/jupyterhub/users/ada/server/progress"


def test_a_stream_that_ends_with_an_error(face: Face, fake: Fake) -> None:
    fake.tell(streams('data: {"id": "1"}\n\nevent: error\ndata: {"error": "log in again", "code": "Unauthenticated"}\n\n'))
    with pytest.raises(aiinfra.Unauthenticated, match="log in again"):
        face.run(fake.url, lambda client: client.claims.watch("1"))


def test_a_stream_that_is_refused(face: Face, fake: Fake) -> None:
    fake.tell(says({"error": "claim 1 does not exist", "code": "NotFound"}, 404))
    with pytest.raises(aiinfra.NotFound):
        face.run(fake.url, lambda client: client.claims.watch("1"))


def test_a_stream_that_is_silent(face: Face, fake: Fake) -> None:
    fake.tell(streams('data: {"id": "1"}\n\n', end="waits"))
    with pytest.raises(Timeout):
        face.run(fake.url, lambda client: client.claims.watch("1"), idle_timeout=0.2)


@pytest.mark.parametrize("content", ["data: <html>\n\n", "data: [1]\n\n", 'data: {"id": 3}\n\n'])
def test_messages_that_are_none(face: Face, fake: Fake, content: str) -> None:
    fake.tell(streams(content))
    with pytest.raises(InvalidResponse):
        face.run(fake.url, lambda client: client.claims.watch("1"))


def test_lines_of_a_server_without_events(face: Face, fake: Fake) -> None:
    fake.tell(streams('{"id": "1"}\n{"id"', ': "2"}\n\n', content_type="application/x-ndjson"))
    assert [claim.id for claim in face.run(fake.url, lambda client: client.claims.watch("1"))] == ["1", "2"]
    fake.tell(streams('{"error": "gone", "code": "NotFound"}\n', content_type="application/x-ndjson"))
    with pytest.raises(aiinfra.NotFound, match="gone"):
        face.run(fake.url, lambda client: client.claims.watch("1"))
    fake.tell(streams('{"id": "1"}\n{"id"', content_type="application/x-ndjson"))
    with pytest.raises(ConnectionFailed, match="within a message"):
        face.run(fake.url, lambda client: client.claims.watch("1"))


def test_streams_can_be_left(fake: Fake) -> None:
    fake.tell(streams(event(1), end="waits"))
    with Client(fake.url) as client, client.events.watch() as events:
        assert next(events).cursor == "1"

    async def leave() -> None:
        async with AsyncClient(fake.url) as client, client.events.watch() as events:
            assert (await anext(events)).cursor == "1"

    asyncio.run(leave())


LEAVES_STREAMS = """
import asyncio, sys
from aiinfra import AsyncClient, Client

async def leave(url):
    async with AsyncClient(url) as client:
        async for event in client.events.watch():
            break
        async with client.events.watch() as events:
            await anext(events)
        task = asyncio.create_task(client.claims.get("1"))
        await asyncio.sleep(0)
        task.cancel()

asyncio.run(leave(sys.argv[1]))
with Client(sys.argv[1]) as client:
    next(client.events.watch())
"""


def test_nothing_is_left_open(fake: Fake) -> None:
    fake.tell(streams(event(1), end="waits"))
    command = [sys.executable, "-W", "error", "-c", LEAVES_STREAMS, fake.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": "src"})
    assert (done.returncode, done.stderr) == (0, "")


def pages(total: Any, *sizes: int) -> list[Any]:
    claims, answers = 0, []
    for number, size in enumerate(sizes, 1):
        items = [{"id": str(claims + item)} for item in range(size)]
        claims += size
        answers.append(says({"claims": items, **({"total": total, "page": number, "limit": 100} if total is not None else {})}))
    return answers


def test_pages_follow_one_another(face: Face, fake: Fake) -> None:
    fake.tell(*pages(5, 2, 2, 1))
    claims = face.run(fake.url, lambda client: client.claims.iterate(phase="Running"))
    assert [claim.id for claim in claims] == ["0", "1", "2", "3", "4"]
    assert [asked.query for asked in fake.asked] == [
        {"page": [str(page)], "limit": ["100"], "phase": ["Running"]} for page in (1, 2, 3)
    ]


def test_pages_may_tell_their_place_in_an_object(face: Face, fake: Fake) -> None:
    def page(number: int) -> Any:
        data = {"items": [{"host_id": str(number)}], "pagination": {"page": number, "total": 2}}
        return says({"code": 0, "message": "", "data": data})

    fake.tell(page(1), page(2))
    assert [host.host_id for host in face.run(fake.url, lambda client: client.hosts.iterate())] == ["1", "2"]


@pytest.mark.parametrize("answers", [pages(None, 3), pages(0, 3), pages(9, 3, 0), pages(3, 3)])
def test_pages_end(face: Face, fake: Fake, answers: list[Any]) -> None:
    fake.tell(*answers)
    assert len(face.run(fake.url, lambda client: client.claims.iterate())) == 3
    assert len(fake.asked) == len(answers)


def test_a_server_that_always_gives_the_same_page(face: Face, fake: Fake) -> None:
    fake.tell(*pages(9, 3))
    assert len(face.run(fake.url, lambda client: client.claims.iterate())) == 6
    assert len(fake.asked) == 2


def test_pages_are_sequences(fake: Fake) -> None:
    fake.tell(*pages(5, 2))
    with Client(fake.url) as client:
        claims = client.claims.list()
    assert len(claims) == 2
    assert [claim.id for claim in claims] == ["0", "1"]
    assert claims[1].id == "1"
    assert claims[:1] == claims.claims[:1]
    assert (claims.total, claims.page) == (5, 1)
