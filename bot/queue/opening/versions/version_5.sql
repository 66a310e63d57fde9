-- Version 5. Who and what is kept out, and what waits for somebody's word: see bot/queue/servers/trust/.

create table blocked (
  subject text not null check (subject in ('person', 'server')),
  number integer not null,              -- the id of that person or server; it stays when they are forgotten
  reason text not null,
  until_ms integer,                     -- null: for good
  primary key (subject, number)
) strict, without rowid;

create table opted_out (
  who text primary key                  -- a keyed hash of the person's id
) strict, without rowid;

create table blocked_picture (
  hash text not null,                   -- see generator/picture/fingerprint.py
  guild_id integer not null,            -- 0: everywhere
  primary key (hash, guild_id)
) strict, without rowid;

create table source (
  job_id integer primary key references job (id) on delete cascade,
  hash text,                            -- of the picture; null: a job from before there were hashes
  who text                              -- a keyed hash of the id of who posted the picture, where somebody else did
) strict;

create index source_hash on source (hash) where hash is not null;

-- A request that waits for the word of the picture's author. The picture itself is not kept.
create table consent (
  key text primary key,                 -- of the request
  user_id integer not null,             -- who asks
  author_id integer not null,           -- who is asked
  guild_id integer not null,
  channel_id integer not null,
  message_id integer not null,          -- the question
  until_ms integer not null,
  request text not null check (json_valid(request))
) strict, without rowid;

-- A clip that somebody reported. Who reported it is not kept.
create table report (
  id integer primary key autoincrement,
  message_id integer not null unique,   -- the message with the clip
  channel_id integer not null,
  guild_id integer,
  job_id integer,
  made_ms integer not null,
  untold text not null check (json_valid(untold))  -- who is still to be told of it
) strict;
