-- What each control plane admitted lately, for the others to count as well. A process writes its own rows only, one for each of
-- its ticks: usage is a JSON object, from a key of the limits to a number of calls.
create table limit_usage (
    process text not null,
    tick bigint not null,
    usage text not null,
    primary key (process, tick)
);
