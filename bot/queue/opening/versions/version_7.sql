-- Version 7. What a person chose last in the form, so that the next one begins with it: see bot/queue/servers/choices.py.
create table choice (
  user_id integer primary key,
  chosen text not null check (json_valid(chosen)),
  made_ms integer not null              -- when it was chosen
) strict;
