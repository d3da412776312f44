"""Who may do what: owners, signatures, addresses that are signed."""

import datetime
import hashlib

from common import ENDPOINT, LACKS, SETTINGS, UNSIGNED, Signed, body, client, fetch, presign, refused


def reaches(bucket):
    client().list_buckets()


def writes(bucket):
    """What a key of somebody without rights to write cannot do."""
    client().create_bucket(Bucket=bucket)


def buckets(bucket):
    s3, other, admin = client(), client("other"), client("admin")
    names = lambda of: [found["Name"] for found in of.list_buckets()["Buckets"]]
    s3.create_bucket(Bucket=bucket)
    assert bucket in names(s3) and bucket not in names(other) and bucket in names(admin)
    s3.head_bucket(Bucket=bucket)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    refused("BucketAlreadyOwnedByYou", 409, s3.create_bucket, Bucket=bucket)
    refused("BucketAlreadyExists", 409, other.create_bucket, Bucket=bucket)
    refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket=bucket + "-not")
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    if "full buckets" not in LACKS:
        refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    refused("404", 404, s3.head_bucket, Bucket=bucket)


def strangers(bucket):
    s3, other, admin, reader = client(), client("other"), client("admin"), client("reader")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"mine")
    other.create_bucket(Bucket=bucket + "-other")
    place, source = {"Bucket": bucket, "Key": "k"}, {"Bucket": bucket, "Key": "k"}
    for call, arguments in [
        (other.get_object, place),
        (other.put_object, {**place, "Body": b"theirs"}),
        (other.delete_object, place),
        (other.list_objects_v2, {"Bucket": bucket}),
        (other.list_multipart_uploads, {"Bucket": bucket}),
        (other.delete_objects, {"Bucket": bucket, "Delete": {"Objects": [{"Key": "k"}]}}),
        (other.delete_bucket, {"Bucket": bucket}),
        (other.copy_object, {"Bucket": bucket + "-other", "Key": "k", "CopySource": source}),
        (other.create_multipart_upload, place),
        (reader.get_object, place),
    ]:
        refused("AccessDenied", 403, call, **arguments)
    assert admin.copy_object(Bucket=bucket + "-other", Key="copied", CopySource=source)
    assert body(admin.get_object(**place)) == b"mine"
    admin.put_object(**place, Body=b"the administrator's")
    assert body(s3.get_object(**place)) == b"the administrator's"
    assert reader.list_buckets()["Buckets"] == []
    refused("AccessDenied", 403, reader.create_bucket, Bucket=bucket + "-reader")
    status, text = fetch(f"{ENDPOINT}/{bucket}/k")
    assert status == 403 and b"<Code>AccessDenied</Code>" in text, text


def presigned(bucket):
    s3, place = client(signature_version="s3v4"), {"Bucket": bucket, "Key": "dir/k ü"}
    s3.create_bucket(Bucket=bucket)
    put = s3.generate_presigned_url("put_object", Params=place, ExpiresIn=60)
    assert fetch(put, "PUT", b"presigned")[0] == 200
    url = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    assert fetch(url) == (200, b"presigned")
    assert fetch(url, headers={"Range": "bytes=0-2"}) == (206, b"pre")
    for other, method, headers, code in [
        (url.replace("dir", "dis"), "GET", {}, b"SignatureDoesNotMatch"),
        (url, "DELETE", {}, b"SignatureDoesNotMatch"),
        (url + "&uploads", "GET", {}, b"SignatureDoesNotMatch"),
        # Whoever has an address cannot make another request of it.
        (put, "PUT", {"x-amz-copy-source": f"/{bucket}/dir/k%20%C3%BC"}, b"AccessDenied"),
        (put, "PUT", {"x-amz-meta-a": "b"}, b"AccessDenied"),
    ]:
        status, text = fetch(other, method, b"" if method == "PUT" else None, headers)
        assert status == 403 and b"<Code>%s</Code>" % code in text, (method, headers, text)
    path = f"/{bucket}/dir/k%20%C3%BC"
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5)
    status, text = fetch(presign(path, 60, then))
    assert status == 403 and b"Request has expired" in text, text
    assert fetch(presign(path, 3_600, then))[0] == 200
    status, text = fetch(presign(path, 60, then + datetime.timedelta(hours=1)))
    assert status == 403 and b"RequestTimeTooSkewed" in text, text
    status, text = fetch(s3.generate_presigned_url("get_object", Params=place, ExpiresIn=604_801))
    assert status == 400 and b"X-Amz-Expires" in text, text
    # The older signature, which boto3 makes of addresses unless it is told otherwise.
    status, text = fetch(client(signature_version="s3").generate_presigned_url("get_object", Params=place))
    assert status == 400 and b"AWS4-HMAC-SHA256" in text and b"<Code>InvalidRequest</Code>" in text, text


def signatures(bucket):
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    SETTINGS["wrong"] = dict(SETTINGS["owner"], secret="not it")
    refused("SignatureDoesNotMatch", 403, client("wrong").list_buckets)
    SETTINGS["unknown"] = {"id": "UTAKUNKNOWN", "secret": "x"}
    refused("InvalidAccessKeyId", 403, client("unknown").list_buckets)
    said = refused("AuthorizationHeaderMalformed", 400, client(region="eu-west-1").list_objects_v2, Bucket=bucket)
    assert "us-east-1" in said, said
    # The older signature.
    refused("InvalidRequest", 400, client(signature_version="s3").list_objects_v2, Bucket=bucket)
    # What was signed for one request opens no other, and not for long.
    one, two = hashlib.sha256(b"1").hexdigest(), hashlib.sha256(b"2").hexdigest()
    signed = Signed("PUT", f"/{bucket}/one", one)
    assert signed.send(b"1")[0] == 200
    status, text = signed.send(b"2")
    assert status == 400 and b"SHA256Mismatch" in text, text
    signed.target = f"/minio/{bucket}/two"
    status, text = signed.send(b"1")
    assert status == 403 and b"SignatureDoesNotMatch" in text, text
    signed = Signed("PUT", f"/{bucket}/one", one)
    signed.headers["x-amz-content-sha256"] = two
    status, text = signed.send(b"2")
    assert status == 403 and b"SignatureDoesNotMatch" in text, text
    signed = Signed("PUT", f"/{bucket}/one", UNSIGNED)
    signed.headers["x-amz-meta-added"] = "later"
    status, text = signed.send(b"2")
    assert status == 403 and b"not signed" in text, text
    now = datetime.datetime.now(datetime.timezone.utc)
    for minutes in [-20, 20]:
        status, text = Signed("PUT", f"/{bucket}/one", two, at=now + datetime.timedelta(minutes=minutes)).send(b"2")
        assert status == 403 and b"RequestTimeTooSkewed" in text, text
    assert body(s3.get_object(Bucket=bucket, Key="one")) == b"1"
    status, text = fetch(f"{ENDPOINT}/{bucket}", "POST", b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"})
    assert status == 501, text
