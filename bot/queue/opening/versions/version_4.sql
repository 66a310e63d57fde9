-- Version 4. What a server has chosen, as one JSON object: see bot/policy/server.py.
create table server (
  guild_id integer primary key,
  settings text not null check (json_valid(settings))
) strict;

-- Who changed what, newest last. Without a server: something that the people who run the bot did.
create table audit (
  id integer primary key autoincrement,
  guild_id integer,
  user_id integer,                      -- null: that person was forgotten
  made_ms integer not null,
  action text not null,
  what text not null check (json_valid(what))
) strict;

create index audit_guild on audit (guild_id, id);
create index audit_user on audit (user_id) where user_id is not null;

-- What was used of a day's quota by jobs whose rows were deleted before the day was over, so that forgetting is no way
-- around a quota. A row names nobody, and is deleted after a day.
create table spent (
  who text not null,                    -- a keyed hash of the person's id
  at text,                              -- a keyed hash of the server's id
  created_ms integer not null,
  cost_ms integer not null
) strict;

create index spent_who on spent (who, created_ms);
create index spent_at on spent (at, created_ms) where at is not null;

-- What counts for a day's quota, from an index alone: `state` is in it too, else SQLite reads each row for it.
create index job_user_day on job (user_id, created_ms, guild_id, cost_ms, state)
  where state in ('queued', 'running', 'rendered');
create index job_guild_day on job (guild_id, created_ms, cost_ms, state)
  where guild_id is not null and state in ('queued', 'running', 'rendered');

-- For deleting a kind of render: without it each deletion looks through all jobs.
create index job_kind on job (kind_id);
