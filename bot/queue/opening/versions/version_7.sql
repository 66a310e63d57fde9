-- Version 7. How long each phase of a kind's last renders took, in milliseconds: see bot/queue/life/phases.py.
alter table kind add column phases text not null default '[]' check (json_valid(phases));

-- The job under whose clip a button was pressed; null: none. That job may be deleted since.
alter table job add column of_job integer;
