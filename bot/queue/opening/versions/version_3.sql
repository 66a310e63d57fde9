-- What a person who had themselves forgotten has used of the GPU beyond the others, so that forgetting is no way to
-- get ahead in the queue. A row names nobody, and is deleted as soon as the queue has caught up with it.

create table debt (
  who text primary key,                 -- a keyed hash of the person's id
  served integer not null,              -- as in their lane
  until_ms integer not null             -- deleted then at the latest
) strict, without rowid;

insert into meta values ('debt_key', lower(hex(randomblob(32))));
