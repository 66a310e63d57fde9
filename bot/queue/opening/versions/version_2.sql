-- Version 2. A nonce follows from the request, because a database that was restored from a copy repeats its ids.
-- Null in rows of version 1: their nonces are made of the instance and the job's id.
alter table outbox add column nonce text;

-- What could not be read in a job's row, for the operator. The job has failed.
create table set_aside (
  job_id integer primary key references job (id) on delete cascade,
  row text not null check (json_valid(row)),
  noted_ms integer not null
) strict;
