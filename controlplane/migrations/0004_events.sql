-- What happened, in one order: each event is written in the transaction of its change. The row of outbox_head is the lock that orders all
-- who append; `forgotten` is the last event that is not kept any more.
create table outbox (
    sequence bigint not null primary key,
    id text not null,
    type text not null,
    resource_id text not null,
    -- Whose thing it is; null for what everybody may see.
    owner_id bigint,
    at bigint not null,
    -- A JSON object.
    data text not null
);

create table outbox_head (
    id bigint not null primary key,
    sequence bigint not null,
    forgotten bigint not null
);

insert into outbox_head (id, sequence, forgotten) values (1, 0, 0);

-- Whether the last event of the node was `node.up`.
alter table nodes add column up bigint not null default 0;
