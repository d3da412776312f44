-- The history of what machines and GPUs did, in chunks of time. A part is what one process saw of it; 0 is what was made of all parts.
create table series_chunks (
    -- A node's id; empty for all nodes together.
    owner text not null,
    -- Milliseconds of a step; 0 for samples as they were taken.
    resolution bigint not null,
    -- When it begins.
    bucket bigint not null,
    part bigint not null,
    data bytea not null,
    primary key (owner, resolution, bucket, part)
);

create index series_chunks_by_age on series_chunks (resolution, bucket);
