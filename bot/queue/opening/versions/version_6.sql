-- Version 6. What the picture filter held back: its person may ask the moderators, who then decide.
create table review (
  id integer primary key autoincrement,
  key text not null unique,             -- the request's, as in job; with "-clip" behind it for its clip
  user_id integer not null,
  guild_id integer not null,
  job_id integer references job (id) on delete cascade, -- whose clip it is; null: a picture
  request text check (request is null or json_valid(request)), -- what becomes the job when a picture is allowed
  picture text not null,                -- its name in the spool; empty once nobody needs it here
  score real not null,
  threshold real not null,
  state text not null check (state in ('offered', 'asked', 'allowed', 'refused')),
  message_id integer,                   -- the card in the log channel
  created_ms integer not null
) strict;

create index review_user on review (user_id);
create index review_picture on review (picture) where picture <> '';
