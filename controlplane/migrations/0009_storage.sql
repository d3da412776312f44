-- Keys of the S3 interface. Secrets lie sealed, not hashed: a signature can only be checked with the secret itself.
create table access_keys (
    id text not null primary key,
    user_id bigint not null references users (id),
    name text not null,
    sealed_secret bytea not null,
    created_at bigint not null,
    rotated_at bigint,
    last_used_at bigint
);

create unique index access_keys_by_name on access_keys (user_id, name);

-- A bucket's row is the lock that orders the changes of what is in it. Its sums are of its objects.
create table s3_buckets (
    name text not null primary key,
    owner_id bigint not null references users (id),
    objects bigint not null,
    bytes bigint not null,
    created_at bigint not null
);

create index s3_buckets_by_owner on s3_buckets (owner_id, name);

-- Keys are bytes, so that both databases order them as S3 does. An object's content is its segments, in their order.
create table s3_objects (
    bucket text not null,
    key bytea not null,
    id text not null unique,
    size bigint not null,
    etag text not null,
    -- A JSON object.
    attributes text not null,
    modified_at bigint not null,
    primary key (bucket, key)
);

-- A blob is a file that never changes; copies share it.
create table s3_segments (
    object_id text not null,
    number bigint not null,
    blob text not null,
    size bigint not null,
    primary key (object_id, number)
);

create index s3_segments_by_blob on s3_segments (blob);

create table s3_uploads (
    id text not null primary key,
    bucket text not null,
    key bytea not null,
    attributes text not null,
    created_at bigint not null
);

create index s3_uploads_by_key on s3_uploads (bucket, key, id);
create index s3_uploads_by_age on s3_uploads (created_at);

create table s3_parts (
    upload_id text not null,
    number bigint not null,
    blob text not null,
    size bigint not null,
    etag text not null,
    -- A JSON object, or null without one.
    checksum text not null,
    modified_at bigint not null,
    primary key (upload_id, number)
);

create index s3_parts_by_blob on s3_parts (blob);

-- Blobs that lost a reference. Those that have none left are removed after a while, so that who reads one can finish.
create table s3_garbage (
    blob text not null primary key,
    at bigint not null
);

create index s3_garbage_by_age on s3_garbage (at);
