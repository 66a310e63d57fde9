-- Version 1. Times are UTC milliseconds. Tags are virtual GPU milliseconds: see bot/queue/fair_queue.py.

create table meta (
  key text primary key,
  value any not null                    -- 'instance': text, part of every nonce; 'vtime': the queue's virtual time
) strict, without rowid;

insert into meta values ('instance', lower(hex(randomblob(4)))), ('vtime', 0);

create table setting (
  key text primary key,
  value text not null
) strict, without rowid;

-- One row per kind of render, with how long it really took.
create table kind (
  id integer primary key,
  name text not null unique,
  variant text not null,
  model_ms integer not null,            -- what the cost model says before anything was measured
  recent text not null default '[]' check (json_valid(recent)),
  cost_ms integer not null,             -- the median of `recent`, or the model's guess
  low_ms integer not null,
  high_ms integer not null
) strict;

-- One row per person who had a job queued. head_* is their first queued job, so that a claim reads one row
-- per person and never walks over the many jobs of somebody who is at a limit.
create table lane (
  user_id integer primary key,
  served integer not null default 0,    -- the largest tag ever claimed: a cancelled job that ran still counts
  running integer not null default 0 check (running >= 0),
  head_tag integer,
  head_id integer,
  check ((head_tag is null) = (head_id is null))
) strict;

create index lane_head on lane (head_tag, head_id) where head_id is not null;

create table job (
  id integer primary key autoincrement, -- never reused: cards, files and nonces carry it
  key text not null unique,
  user_id integer not null,
  guild_id integer,
  state text not null check (state in ('queued', 'running', 'rendered', 'failed', 'cancelled')),
  start_tag integer not null,
  tag integer not null,                 -- the finish tag: the queue's order
  kind_id integer not null references kind (id),
  cost_ms integer not null,
  attempt integer not null default 0,   -- counts claims; with id it names one attempt
  strikes integer not null default 0,   -- counts the attempts that ended by the job's own possible fault
  cancel_requested integer not null default 0,
  card_message_id integer,
  created_ms integer not null,
  started_ms integer,
  finished_ms integer,
  picture text not null,
  clip text,
  master text,
  route text not null check (json_valid(route)),
  settings text not null check (json_valid(settings)),
  notes text not null check (json_valid(notes)),
  failure text check (failure is null or json_valid(failure)),
  facts text check (facts is null or json_valid(facts)),
  check ((finished_ms is null) = (state in ('queued', 'running')))
) strict;

-- Written with "or" because SQLite then sees that state = 'queued' lies within it.
create index job_live on job (state, tag, id, kind_id) where state = 'queued' or state = 'running';
create index job_user on job (user_id, state, tag);
create index job_guild on job (guild_id) where state = 'queued';
create index job_picture on job (picture) where picture <> '';

create table outbox (
  job_id integer primary key references job (id) on delete cascade,
  state text not null check (state in ('pending', 'sending', 'sent', 'dead')),
  attempts integer not null default 0,
  next_ms integer not null,
  first_try_ms integer,                 -- set once: a later attempt looks whether the first one arrived
  message_id integer,
  error text
) strict;

create index outbox_due on outbox (next_ms) where state = 'pending';
