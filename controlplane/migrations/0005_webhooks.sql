-- Webhooks, and what is on its way to them. `webhook_cursor` is the last event of the log of which deliveries were made; it moves in the
-- transaction that makes them. Events after it are not forgotten.
create table webhooks (
    id text not null primary key,
    url text not null,
    -- A JSON list of types and patterns.
    events text not null,
    description text not null,
    active bigint not null,
    sealed_secret bytea not null,
    -- Only events after this one are sent.
    since bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);

create table webhook_deliveries (
    id text not null primary key,
    webhook_id text not null references webhooks (id) on delete cascade,
    event_id text not null,
    event_type text not null,
    -- What is sent, the same at every attempt.
    body text not null,
    status text not null check (status in ('pending', 'delivered', 'failed')),
    attempts bigint not null,
    response_status bigint not null,
    error text not null,
    duration_ms bigint not null,
    created_at bigint not null,
    attempted_at bigint,
    -- Also as long as an attempt may take after it was begun; null when it is over.
    next_attempt_at bigint,
    give_up_at bigint not null,
    ended_at bigint
);

-- No event goes twice to a webhook.
create unique index webhook_deliveries_by_event on webhook_deliveries (webhook_id, event_id);
create index webhook_deliveries_newest on webhook_deliveries (webhook_id, created_at, id);
create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_attempt_at) where next_attempt_at is not null;
create index webhook_deliveries_tried on webhook_deliveries (give_up_at) where next_attempt_at is not null;
create index webhook_deliveries_ended on webhook_deliveries (ended_at) where ended_at is not null;

create table webhook_cursor (
    id bigint not null primary key,
    sequence bigint not null
);

insert into webhook_cursor (id, sequence) select 1, sequence from outbox_head;
