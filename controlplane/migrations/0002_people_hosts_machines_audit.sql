-- People with e-mail addresses, sessions that can be revoked, and API tokens; hosts; machines; the audit log.

alter table users add column email text not null default '';
alter table users add column updated_at bigint not null default 0;
alter table users add column last_login_at bigint;
-- Tokens carry the epoch they were made in; a new epoch revokes them all.
alter table users add column token_epoch bigint not null default 0;
-- A deleted user's row stays: claims and the audit log refer to it, and ids are never given again.
alter table users add column deleted_at bigint;

update users set updated_at = created_at;

drop index users_by_name;
create unique index users_by_name on users (lower(username)) where deleted_at is null;
create unique index users_by_email on users (lower(email)) where email <> '' and deleted_at is null;

-- Single tokens that were revoked before they expired.
create table revoked_tokens (
    jti text not null primary key,
    user_id bigint not null references users (id),
    expires_at bigint not null
);

create index revoked_tokens_by_user on revoked_tokens (user_id);

-- Failed log-ins in a row, by user name in lower case, whether there is such a user or not.
create table login_failures (
    username text not null primary key,
    failures bigint not null,
    locked_until bigint not null,
    updated_at bigint not null
);

create table api_tokens (
    id text not null primary key,
    user_id bigint not null references users (id),
    name text not null,
    secret_hash bytea not null,
    role text not null references roles (name),
    expires_at bigint not null,
    last_used_at bigint,
    created_at bigint not null
);

create unique index api_tokens_by_name on api_tokens (user_id, name);
create index api_tokens_by_age on api_tokens (created_at, id);

-- A host and a node are one row.
alter table nodes add column name text not null default '';
alter table nodes add column ip_address text not null default '';
alter table nodes add column os_type text not null default 'linux';
alter table nodes add column os_version text not null default '';
alter table nodes add column deployment_mode text not null default 'traditional';
alter table nodes add column total_cpu bigint not null default 0;
alter table nodes add column total_memory bigint not null default 0;
alter table nodes add column total_disk bigint not null default 0;
-- The administrator's labels, a JSON object of strings.
alter table nodes add column labels text not null default '{}';
-- Whether an administrator registered it: then it does not expire while it is pending.
alter table nodes add column registered bigint not null default 0;
alter table nodes add column agent_token_id text;
alter table nodes add column agent_token_hash bytea;
-- When the agent token was exchanged for a certificate, which is possible once.
alter table nodes add column agent_token_used_at bigint;
alter table nodes add column maintenance_since bigint;
alter table nodes add column maintenance_reason text not null default '';
alter table nodes add column maintenance_claims text not null default 'keep';

create unique index nodes_by_name on nodes (lower(name)) where name <> '';
create unique index nodes_by_agent_token on nodes (agent_token_id);
create index nodes_by_age on nodes (created_at, id);
create index nodes_in_maintenance on nodes (id) where maintenance_since is not null;

-- Keys of an older version lie in plain until the first start.
alter table signing_keys add column sealed bigint not null default 0;

create table machines (
    id text not null primary key,
    name text not null,
    ip_address text not null,
    ssh_port bigint not null,
    internal_address text not null,
    username text not null,
    role text not null,
    artifact_path text not null,
    image_repo text not null,
    registry_address text not null,
    labels text not null,
    status text not null,
    message text not null,
    sealed_password bytea,
    sealed_private_key bytea,
    host_key text not null,
    last_checked_at bigint,
    generation bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);

create unique index machines_by_name on machines (lower(name));
create unique index machines_by_address on machines (ip_address, ssh_port);
create index machines_by_check on machines (last_checked_at);
create index machines_by_age on machines (created_at, id);

-- The payload is the event as it was hashed; the other columns repeat what is asked for.
create table audit_events (
    sequence bigint not null primary key,
    id text not null unique,
    at bigint not null,
    resource text not null,
    resource_id text not null,
    action text not null,
    user_name text not null,
    result text not null,
    payload text not null,
    previous_hash text not null,
    hash text not null
);

create index audit_events_by_resource on audit_events (resource, resource_id, sequence);
create index audit_events_by_user on audit_events (user_name, sequence);
create index audit_events_by_time on audit_events (at);

-- One row: the newest link. Its lock orders those who append.
create table audit_head (
    id bigint not null primary key check (id = 1),
    sequence bigint not null,
    hash text not null
);

insert into audit_head (id, sequence, hash) values (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
