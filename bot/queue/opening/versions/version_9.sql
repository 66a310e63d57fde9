-- Version 9. How long each phase of a kind's last renders took, in milliseconds: see bot/queue/life/phases.py.
create table render_phases (
  kind_id integer primary key references kind (id) on delete cascade,
  renders text not null check (json_valid(renders)) -- one object for each render, the newest last
) strict;

-- The job under whose clip a button was pressed; null: none. That job may be deleted since.
alter table job add column of_job integer;
