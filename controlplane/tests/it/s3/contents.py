"""Objects: what is put, found, listed, copied and removed."""

import base64
import hashlib
import io
import os
import tempfile
import threading
import datetime
import zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from common import CA, ENDPOINT, LACKS, SETTINGS, Signed, body, client, refused

# Text of all kinds, steps that would lead elsewhere if keys were paths, and bytes that mean something in addresses.
KEYS = [
    "a", "a/", "a/b", "a//b", "/lead", "ü ö", "日本語/ключ", "a+b c", "a%2Fb", "a%2fb", "100%", "q?x=1&y=2#z", "'\"<>&;=@$,:!*()[]{}|\\^`~",
    "\u007f\u0080\u2028", "..", ".", "../../etc/passwd", "a/../b", "a/./b", "...", "x" * 900, "😀" * 200,
]


def documented_example(bucket):
    """The example of the documents, but for its address and its key."""
    os.chdir(tempfile.mkdtemp())
    with open("local.txt", "w") as file:
        file.write("as documented")
    s3 = boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        aws_access_key_id=SETTINGS["owner"]["id"],
        aws_secret_access_key=SETTINGS["owner"]["secret"],
        verify=CA,
    )
    s3.create_bucket(Bucket=bucket)
    s3.upload_file("local.txt", bucket, "remote.txt")
    os.remove("local.txt")
    s3.download_file(bucket, "remote.txt", "local.txt")
    assert open("local.txt").read() == "as documented"


def keys(bucket):
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    for key in KEYS:
        data = b"content of " + key.encode()
        put = s3.put_object(Bucket=bucket, Key=key, Body=data)
        assert put["ETag"].strip('"') == hashlib.md5(data).hexdigest(), key
    for key in KEYS:
        assert body(s3.get_object(Bucket=bucket, Key=key)) == b"content of " + key.encode(), key
    listed = [found["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 5})
              for found in page["Contents"]]
    assert listed == sorted(KEYS, key=lambda key: key.encode()), listed
    older = [found["Key"] for page in s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 5})
             for found in page["Contents"]]
    assert older == listed, older
    for key in KEYS:
        s3.copy_object(Bucket=bucket, Key="copy of " + key[:200], CopySource={"Bucket": bucket, "Key": key})
    refused("KeyTooLongError", 400, s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"")
    # Characters that XML cannot say.
    for key in ["\u0000", "a\tb", "a\nb", "a\rb", "\u001f", "\uffff"]:
        refused("InvalidArgument", 400, s3.put_object, Bucket=bucket, Key=key, Body=b"x")
    # Bytes that are no text have no way to be listed.
    status, text = Signed("PUT", f"/{bucket}/%FF%FE", hashlib.sha256(b"x").hexdigest()).send(b"x")
    assert status == 400 and b"<Code>InvalidURI</Code>" in text, text
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in KEYS]})
    assert sorted(found["Key"] for found in gone["Deleted"]) == sorted(KEYS) and not gone.get("Errors")


def objects(bucket):
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    data = os.urandom(300_000)
    for key in ["a", "a/b/c", "ü ö"]:
        put = s3.put_object(Bucket=bucket, Key=key + "x", Body=data + key.encode())
        assert put["ETag"].strip('"') == hashlib.md5(data + key.encode()).hexdigest()
        assert body(s3.get_object(Bucket=bucket, Key=key + "x")) == data + key.encode(), key
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert body(s3.get_object(Bucket=bucket, Key="empty")) == b""
    put = s3.put_object(
        Bucket=bucket, Key="m", Body=b"hello world", ContentType="text/plain", CacheControl="no-cache", Metadata={"run-id": "r1"},
        ContentDisposition="inline", ContentLanguage="de", ContentEncoding="x", ChecksumAlgorithm="SHA256",
    )
    head = s3.head_object(Bucket=bucket, Key="m", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["ContentType"], head["CacheControl"]) == (11, "text/plain", "no-cache")
    assert (head["Metadata"], head["ContentEncoding"]) == ({"run-id": "r1"}, "x")
    if "trailing sums" not in LACKS:
        assert head["ChecksumSHA256"] == put["ChecksumSHA256"] == "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="
    for spec, expected in [("bytes=0-4", b"hello"), ("bytes=6-", b"world"), ("bytes=-3", b"rld"), ("bytes=4-99", b"o world")]:
        found = s3.get_object(Bucket=bucket, Key="m", Range=spec)
        assert (body(found), found["ResponseMetadata"]["HTTPStatusCode"]) == (expected, 206), spec
    refused("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="m", Range="bytes=11-")
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="not")
    refused("404", 404, s3.head_object, Bucket=bucket, Key="not")
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "m"})
    assert s3.head_object(Bucket=bucket, Key="c")["Metadata"] == {"run-id": "r1"}
    if "replace" not in LACKS:
        s3.copy_object(
            Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "c"}, MetadataDirective="REPLACE", Metadata={"n": "2"}
        )
        assert s3.head_object(Bucket=bucket, Key="c")["Metadata"] == {"n": "2"}
    s3.delete_object(Bucket=bucket, Key="m")
    assert body(s3.get_object(Bucket=bucket, Key="c")) == b"hello world"
    keys = [{"Key": found["Key"]} for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] + [{"Key": "not there"}]
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
    assert not gone.get("Errors"), gone
    left = s3.list_objects_v2(Bucket=bucket)
    assert left["KeyCount"] == 0, left


def lists(bucket):
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    for number in range(25):
        s3.put_object(Bucket=bucket, Key=f"d{number % 5}/{number:02}", Body=b"x")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 4}))
    assert len(pages) == 7 and sum(len(page["Contents"]) for page in pages) == 25
    for operation in ["list_objects", "list_objects_v2"]:
        pages = s3.get_paginator(operation).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2})
        found = [prefix["Prefix"] for page in pages for prefix in page.get("CommonPrefixes", [])]
        assert found == [f"d{number}/" for number in range(5)], found
    assert s3.list_objects_v2(Bucket=bucket, Prefix="d3/", StartAfter="d3/13")["KeyCount"] == 2
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0


def conditions(bucket):
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    refused("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"other"')
    refused("304", 304, s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag)
    refused("PreconditionFailed", 412, s3.get_object, Bucket=bucket, Key="k", IfMatch='"other"')
    assert body(s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)) == b"1"
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before = modified - datetime.timedelta(seconds=1)
    refused("304", 304, s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=modified)
    refused("PreconditionFailed", 412, s3.get_object, Bucket=bucket, Key="k", IfUnmodifiedSince=before)
    assert body(s3.get_object(Bucket=bucket, Key="k", IfModifiedSince=before, IfUnmodifiedSince=modified)) == b"1"
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    won, lock = [], threading.Lock()

    def race(number):
        try:
            client().put_object(Bucket=bucket, Key="race", Body=str(number).encode(), IfNoneMatch="*")
            with lock:
                won.append(str(number).encode())
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"

    threads = [threading.Thread(target=race, args=[number]) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(won) == 1 and body(s3.get_object(Bucket=bucket, Key="race")) == won[0], won


def checksums(bucket):
    """Each sum that boto3 can send, at the end of the content, is verified, kept and shown again."""
    s3, data = client(), os.urandom(2_000_000)
    s3.create_bucket(Bucket=bucket)
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        put = s3.put_object(Bucket=bucket, Key=algorithm, Body=data, ChecksumAlgorithm=algorithm)
        # boto3 verifies what it reads by itself.
        found = s3.get_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
        assert body(found) == data
        field = "Checksum" + algorithm
        assert put[field] == found[field] and found["ChecksumType"] == "FULL_OBJECT", algorithm
    expected = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    assert s3.head_object(Bucket=bucket, Key="CRC32", ChecksumMode="ENABLED")["ChecksumCRC32"] == expected
    refused("BadDigest", 400, s3.put_object, Bucket=bucket, Key="wrong", Body=data, ChecksumCRC32="AAAAAA==")
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    refused("BadDigest", 400, s3.put_object, Bucket=bucket, Key="wrong", Body=data, ContentMD5=wrong)
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="wrong")


def multipart(bucket):
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    size, part = SETTINGS["megabytes"] << 20, 8 << 20
    data = os.urandom(size)
    config = TransferConfig(multipart_threshold=part, multipart_chunksize=part)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big", Config=config, ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=bucket, Key="big")
    sums = [hashlib.md5(data[start : start + part]).digest() for start in range(0, size, part)]
    assert head["ContentLength"] == size and head["Metadata"] == {"a": "b"}, head
    assert head["ETag"] == f'"{hashlib.md5(b"".join(sums)).hexdigest()}-{len(sums)}"', head
    found = io.BytesIO()
    s3.download_fileobj(bucket, "big", found, Config=config)
    assert hashlib.sha256(found.getvalue()).digest() == hashlib.sha256(data).digest()
    across = s3.get_object(Bucket=bucket, Key="big", Range=f"bytes={part - 2}-{part + 1}")
    assert body(across) == data[part - 2 : part + 2]
    if "parts" not in LACKS:
        last = s3.head_object(Bucket=bucket, Key="big", PartNumber=len(sums))
        assert last["ContentLength"] == size - (len(sums) - 1) * part and last["PartsCount"] == len(sums)


def parts(bucket):
    s3, data = client(), os.urandom(6 << 20)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="big", Body=data)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="pieces", ChecksumAlgorithm="CRC32")["UploadId"]
    place = {"Bucket": bucket, "Key": "pieces", "UploadId": upload}
    first = s3.upload_part(**place, PartNumber=1, Body=data[: 5 << 20], ChecksumAlgorithm="CRC32")
    source = {"Bucket": bucket, "Key": "big"}
    second = s3.upload_part_copy(**place, PartNumber=7, CopySource=source, CopySourceRange="bytes=0-9")["CopyPartResult"]
    assert [part["PartNumber"] for part in s3.list_parts(**place)["Parts"]] == [1, 7]
    assert [found["Key"] for found in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["pieces"]
    parts = [
        {"PartNumber": 1, "ETag": first["ETag"], "ChecksumCRC32": first["ChecksumCRC32"]},
        {"PartNumber": 7, "ETag": second["ETag"], "ChecksumCRC32": second["ChecksumCRC32"]},
    ]
    refused("InvalidPartOrder", 400, s3.complete_multipart_upload, **place, MultipartUpload={"Parts": parts[::-1]})
    wrong = [{"PartNumber": 1, "ETag": '"0"'}]
    refused("InvalidPart", 400, s3.complete_multipart_upload, **place, MultipartUpload={"Parts": wrong})
    wrong = [{**parts[0], "ChecksumCRC32": "AAAAAA=="}, parts[1]]
    refused("InvalidPart", 400, s3.complete_multipart_upload, **place, MultipartUpload={"Parts": wrong})
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="pieces")
    done = [s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts}) for _ in range(2)]
    assert done[0]["ETag"] == done[1]["ETag"] and done[0]["ChecksumType"] == "COMPOSITE"
    sums = [zlib.crc32(data[: 5 << 20]), zlib.crc32(data[:10])]
    composite = zlib.crc32(b"".join(sum.to_bytes(4, "big") for sum in sums)).to_bytes(4, "big")
    assert done[0]["ChecksumCRC32"] == base64.b64encode(composite).decode() + "-2", done
    assert body(s3.get_object(Bucket=bucket, Key="pieces")) == data[: 5 << 20] + data[:10]
    place = {"Bucket": bucket, "Key": "small"}
    place["UploadId"] = s3.create_multipart_upload(**place)["UploadId"]
    small = [{"PartNumber": number, "ETag": s3.upload_part(**place, PartNumber=number, Body=b"x")["ETag"]} for number in [1, 2]]
    refused("EntityTooSmall", 400, s3.complete_multipart_upload, **place, MultipartUpload={"Parts": small})
    refused("InvalidArgument", 400, s3.upload_part, **place, PartNumber=10_001, Body=b"x")
    s3.abort_multipart_upload(**place)
    refused("NoSuchUpload", 404, s3.list_parts, **place)
