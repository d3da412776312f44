-- Whether the last event of the GPU was `gpu.faulty`.
alter table gpus add column faulty bigint not null default 0;

create index gpus_faulty on gpus (uuid) where faulty = 1;
