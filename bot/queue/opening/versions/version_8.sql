-- Version 8. What a person said with a request beside its settings, as JSON: the options that they chose themselves, and
-- what the picture shows. It goes with the picture.
alter table job add column told text check (told is null or json_valid(told));
