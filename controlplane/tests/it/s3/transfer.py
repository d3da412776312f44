"""How content comes: in chunks, signed or not, slowly, and not to its end."""

import base64
import hashlib
import os
import socket
import time
import zlib

from common import (
    ADDRESS, ENDPOINT, SETTINGS, SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED, UNSIGNED_CHUNKS_TRAILER, Signed, body, client, connect,
    refused, tls,
)


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def chunks(bucket):
    """Every way in which content can be signed, by hand."""
    s3, data = client(), os.urandom(200_000)
    s3.create_bucket(Bucket=bucket)
    place, pieces = f"/{bucket}/k", [data[:65_536], data[65_536:131_072], data[131_072:]]
    length = {"x-amz-decoded-content-length": str(len(data)), "content-encoding": "aws-chunked"}
    trailer = {**length, "x-amz-trailer": "x-amz-checksum-crc32"}

    def stored(status, answer):
        assert status == 200, answer
        assert body(s3.get_object(Bucket=bucket, Key="k")) == data
        s3.delete_object(Bucket=bucket, Key="k")

    def left_nothing(status, answer, expected, code):
        assert status == expected and code in answer, (status, answer)
        refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="k")

    stored(*Signed("PUT", place, UNSIGNED).send(data))
    signed = Signed("PUT", place, SIGNED_CHUNKS, length)
    stored(*signed.send(signed.chunks(pieces)))
    signed = Signed("PUT", place, SIGNED_CHUNKS_TRAILER, trailer)
    stored(*signed.send(signed.chunks(pieces, f"x-amz-checksum-crc32:{crc32(data)}")))
    signed = Signed("PUT", place, SIGNED_CHUNKS, length)
    encoded = bytearray(signed.chunks(pieces))
    encoded[100_000] ^= 1
    left_nothing(*signed.send(bytes(encoded)), 403, b"SignatureDoesNotMatch")
    signed = Signed("PUT", place, SIGNED_CHUNKS, length)
    left_nothing(*signed.send(signed.chunks(pieces[:2])), 400, b"IncompleteBody")
    signed = Signed("PUT", place, SIGNED_CHUNKS_TRAILER, trailer)
    left_nothing(*signed.send(signed.chunks(pieces, "x-amz-checksum-crc32:AAAAAA==")), 400, b"BadDigest")
    signed = Signed("PUT", place, UNSIGNED_CHUNKS_TRAILER, trailer)
    whole = f"{len(data):x}\r\n".encode() + data + b"\r\n0\r\nx-amz-checksum-crc32:"
    stored(*signed.send(whole + crc32(data).encode() + b"\r\n\r\n"))
    left_nothing(*signed.send(whole + b"AAAAAA==\r\n\r\n"), 400, b"BadDigest")
    left_nothing(*signed.send(whole.partition(b"\r\n0\r\n")[0] + b"\r\n0\r\n\r\n"), 400, b"InvalidRequest")


def frames(bucket):
    """A chunk as large as its object, as some SDKs send it; a signed one that nobody should hold is refused."""
    s3, data = client(), os.urandom(1 << 20) * 20
    s3.create_bucket(Bucket=bucket)
    length = {"x-amz-decoded-content-length": str(len(data)), "x-amz-trailer": "x-amz-checksum-crc32"}
    signed = Signed("PUT", f"/{bucket}/k", UNSIGNED_CHUNKS_TRAILER, length)
    encoded = f"{len(data):x}\r\n".encode() + data + b"\r\n0\r\nx-amz-checksum-crc32:" + crc32(data).encode() + b"\r\n\r\n"
    status, text = signed.send(encoded)
    assert status == 200, text
    assert hashlib.sha256(body(s3.get_object(Bucket=bucket, Key="k"))).digest() == hashlib.sha256(data).digest()
    signed = Signed("PUT", f"/{bucket}/k", SIGNED_CHUNKS, {"x-amz-decoded-content-length": str(len(data))})
    connection = connect()
    connection.putrequest("PUT", signed.target, skip_host=True)
    for name, value in [*signed.headers.items(), ("content-length", str(len(data) + 1_000))]:
        connection.putheader(name, value)
    connection.endheaders(f"{len(data):x};chunk-signature={'0' * 64}\r\n".encode())
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 400 and b"16 MiB" in text, text


def interrupted(bucket):
    """A client that stops midway leaves nothing to be seen."""
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    data = os.urandom(4 << 20)
    signed = Signed("PUT", f"/{bucket}/half", hashlib.sha256(data).hexdigest())
    host, port = ADDRESS.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as plain:
        stream = tls().wrap_socket(plain, server_hostname=host) if ENDPOINT.startswith("https") else plain
        head = [f"PUT {signed.target} HTTP/1.1", f"content-length: {len(data)}"]
        head += [f"{name}: {value}" for name, value in signed.headers.items()]
        stream.sendall("\r\n".join(head + ["", ""]).encode() + data[: 2 << 20])
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="half")


def expects(bucket):
    """Nobody sends content for what is refused anyway, and who asks first is told to go on."""
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    connection = connect()
    connection.putrequest("PUT", f"/minio/{bucket}/never")
    connection.putheader("Content-Length", str(1 << 40))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 403, answer.status
    signed = Signed("PUT", f"/{bucket}/asked", hashlib.sha256(b"content").hexdigest())
    host, port = ADDRESS.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=120) as plain:
        stream = tls().wrap_socket(plain, server_hostname=host) if ENDPOINT.startswith("https") else plain
        head = [f"PUT {signed.target} HTTP/1.1", "content-length: 7", "expect: 100-continue", "connection: close"]
        head += [f"{name}: {value}" for name, value in signed.headers.items()]
        stream.sendall("\r\n".join(head + ["", ""]).encode())
        asked = stream.recv(1_000)
        assert asked.startswith(b"HTTP/1.1 100 "), asked
        stream.sendall(b"content")
        said = stream.recv(1_000)
        assert said.startswith(b"HTTP/1.1 200 "), said
    assert body(s3.get_object(Bucket=bucket, Key="asked")) == b"content"


def overflows(bucket):
    """On a disk of 8 MiB: what does not fit is refused, and what fits is taken afterwards."""
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    for attempt in range(3):
        refused("InsufficientStorage", 507, s3.put_object, Bucket=bucket, Key="large", Body=bytes(20 << 20))
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="large")
    s3.put_object(Bucket=bucket, Key="small", Body=bytes(5 << 20))
    assert body(s3.get_object(Bucket=bucket, Key="small")) == bytes(5 << 20)


WHOLE = b"half of it " * (1 << 19)


def half(bucket):
    """Sends half of an object."""
    client().create_bucket(Bucket=bucket)
    signed = Signed("PUT", f"/{bucket}/half", hashlib.sha256(WHOLE).hexdigest())
    connection = connect()
    connection.putrequest("PUT", signed.target, skip_host=True)
    for name, value in [*signed.headers.items(), ("content-length", str(len(WHOLE)))]:
        connection.putheader(name, value)
    connection.endheaders(WHOLE[: len(WHOLE) // 2])
    connection.sock.settimeout(None)
    return connection


def stalls(bucket):
    """Sends half of an object until somebody ends it."""
    half("b-stalled").getresponse()


def stalled(bucket):
    """What was sent in half is not there, and the next one is."""
    s3 = client()
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="half")
    s3.put_object(Bucket=bucket, Key="half", Body=b"all of it")
    assert body(s3.get_object(Bucket=bucket, Key="half")) == b"all of it"


def hesitates(bucket):
    """Sends half of an object, and the other half when it is told to."""
    connection = half("b-completed")
    while not os.path.exists(SETTINGS["gate"]):
        time.sleep(0.02)
    connection.send(WHOLE[len(WHOLE) // 2 :])
    assert connection.getresponse().status == 200


def completed(bucket):
    """What was sent in two halves is there."""
    assert body(client().get_object(Bucket=bucket, Key="half")) == WHOLE


def away(bucket):
    """The server behind the control plane is not there."""
    s3 = client("admin")
    for call, arguments in [(s3.list_buckets, {}), (s3.create_bucket, {"Bucket": bucket})]:
        said = refused("ServiceUnavailable", 503, call, **arguments)
        assert "UTOPIA_S3_URL" in said, said
