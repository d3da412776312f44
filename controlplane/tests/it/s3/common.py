"""What the scenarios share: the settings that came on standard input, clients, and requests that are signed by hand."""

import datetime
import hashlib
import hmac
import http.client
import json
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

SETTINGS = json.load(sys.stdin)
ENDPOINT = SETTINGS["endpoint"]
ADDRESS = urllib.parse.urlsplit(ENDPOINT).netloc
CA = SETTINGS.get("ca")
# What the server behind the control plane is known not to do.
LACKS = set(SETTINGS.get("lacks", []))

UNSIGNED = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def client(who="owner", **config):
    key = SETTINGS[who]
    config.setdefault("retries", {"max_attempts": 1})
    config.setdefault("read_timeout", 120)
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
        region_name=config.pop("region", None),
        verify=CA,
        config=Config(**config),
    )


def refused(code, status, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ClientError as error:
        found = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert found == (code, status), (found, error)
        return error.response["Error"].get("Message", "")
    raise AssertionError(f"it is not refused with {code}")


def body(answer):
    return answer["Body"].read()


def tls():
    return ssl.create_default_context(cafile=CA) if ENDPOINT.startswith("https") else None


def fetch(url, method="GET", data=None, headers=None):
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=tls()) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def connect():
    if ENDPOINT.startswith("https"):
        return http.client.HTTPSConnection(ADDRESS, timeout=120, context=tls())
    return http.client.HTTPConnection(ADDRESS, timeout=120)


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def scoped(date, region="us-east-1"):
    return f"{date[:8]}/{region}/s3/aws4_request"


def signing_key(who, scope):
    key = ("AWS4" + SETTINGS[who]["secret"]).encode()
    for part in scope.split("/"):
        key = digest(key, part)
    return key


def presign(path, seconds, at, who="owner"):
    """An address that was signed by hand at some time."""
    date = at.strftime("%Y%m%dT%H%M%SZ")
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{SETTINGS[who]['id']}/{scoped(date)}",
        "X-Amz-Date": date,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    query = urllib.parse.urlencode(parameters)
    canonical = "\n".join(["GET", "/minio" + path, query, f"host:{ADDRESS}", "", "host", UNSIGNED])
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    signature = digest(signing_key(who, scoped(date)), "\n".join(["AWS4-HMAC-SHA256", date, scoped(date), hashed])).hex()
    return f"{ENDPOINT}{path}?{query}&X-Amz-Signature={signature}"


class Signed:
    """A request signed by hand, with what its chunks are signed with."""

    def __init__(self, method, path, payload, headers=None, who="owner", region="us-east-1", at=None, query=""):
        self.method, self.path = method, "/minio" + path
        now = at or datetime.datetime.now(datetime.timezone.utc)
        self.date = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = scoped(self.date, region)
        self.headers = {"host": ADDRESS, "x-amz-date": self.date, "x-amz-content-sha256": payload, **(headers or {})}
        names = sorted(self.headers)
        canonical = [method, self.path, query, *(f"{name}:{self.headers[name]}" for name in names), "", ";".join(names), payload]
        self.key = signing_key(who, self.scope)
        hashed = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        self.signature = self.sign("AWS4-HMAC-SHA256", hashed)
        self.headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={SETTINGS[who]['id']}/{self.scope},SignedHeaders={';'.join(names)},"
            f"Signature={self.signature}"
        )
        self.target = self.path + ("?" + query if query else "")

    def sign(self, algorithm, *lines):
        return digest(self.key, "\n".join([algorithm, self.date, self.scope, *lines])).hex()

    def chunks(self, pieces, trailer=None):
        """The body in signed chunks."""
        previous, encoded = self.signature, b""
        for piece in [*pieces, b""]:
            empty, own = hashlib.sha256(b"").hexdigest(), hashlib.sha256(piece).hexdigest()
            previous = self.sign("AWS4-HMAC-SHA256-PAYLOAD", previous, empty, own)
            encoded += f"{len(piece):x};chunk-signature={previous}\r\n".encode()
            encoded += piece + b"\r\n" if piece else b""
        if trailer:
            canonical = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
            signature = self.sign("AWS4-HMAC-SHA256-TRAILER", previous, canonical)
            encoded += f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
        return encoded + b"\r\n"

    def send(self, data=None):
        connection = connect()
        headers = {name: value for name, value in self.headers.items() if name != "host"}
        connection.request(self.method, self.target, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
