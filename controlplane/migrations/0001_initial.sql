-- The first schema, the same for SQLite and PostgreSQL. Times are epoch milliseconds; ids are UUIDs in text, users' are integers;
-- messages of the contract are kept as their protobuf bytes.

-- Numbers handed out one by one. A row's lock also orders those who take from it.
create table counters (
    name text not null primary key,
    value bigint not null
);

insert into counters (name, value) values ('users', 0), ('signing_keys', 0);

create table roles (
    name text not null primary key,
    policy text not null
);

insert into roles (name, policy) values
    ('admin', '{"allow_all":true}'),
    ('operator', '{"allow_all":true}'),
    ('user', '{"max_gpu_count":2}'),
    ('readonly', '{"max_gpu_count":0}');

create table users (
    id bigint not null primary key,
    uuid text not null unique,
    username text not null,
    password_hash text not null,
    role text not null references roles (name),
    created_at bigint not null
);

create unique index users_by_name on users (lower(username));

create table signing_keys (
    kid text not null primary key,
    secret bytea not null,
    created_at bigint not null,
    retired_at bigint
);

create table nodes (
    id text not null primary key,
    machine_id text unique,
    hostname text not null,
    stage text not null check (stage in ('pending', 'enrolled')),
    facts bytea not null,
    last_seen_at bigint,
    created_at bigint not null
);

create index nodes_by_hostname on nodes (hostname, id);

create table gpus (
    uuid text not null primary key,
    node_id text not null references nodes (id) on delete cascade,
    position bigint not null,
    name text not null,
    memory_bytes bigint not null
);

create index gpus_by_node on gpus (node_id);

create table join_tokens (
    id text not null primary key,
    secret_hash bytea not null,
    node_id text references nodes (id) on delete cascade,
    max_uses bigint not null,
    uses bigint not null,
    description text not null,
    expires_at bigint not null,
    revoked_at bigint,
    created_by bigint references users (id) on delete set null,
    created_at bigint not null
);

create index join_tokens_by_age on join_tokens (created_at, id);
create index join_tokens_by_node on join_tokens (node_id);

create table claims (
    id text not null primary key,
    user_id bigint not null references users (id),
    request_id text,
    spec bytea not null,
    gpu_count bigint not null,
    phase text not null check (phase in ('pending', 'scheduled', 'running', 'failed', 'completed')),
    reason text not null,
    message text not null,
    node_id text references nodes (id),
    epoch bigint not null,
    container_id text not null,
    generation bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint
);

create unique index claims_by_request on claims (user_id, request_id);
create index claims_by_user on claims (user_id, created_at, id) where deleted_at is null;
create index claims_by_age on claims (created_at, id) where deleted_at is null;
create index claims_by_node on claims (node_id);
-- The claims that the reconciler still has to do with; queries repeat the condition word by word so that SQLite uses the index.
create index claims_unsettled on claims (created_at, id) where deleted_at is not null or phase in ('pending', 'scheduled', 'running');

-- One row for each GPU in use: the primary key is what makes double booking impossible to commit.
create table gpu_ledger (
    gpu_uuid text not null primary key,
    node_id text not null references nodes (id),
    claim_id text not null references claims (id),
    epoch bigint not null
);

create index gpu_ledger_by_claim on gpu_ledger (claim_id);
create index gpu_ledger_by_node on gpu_ledger (node_id);
