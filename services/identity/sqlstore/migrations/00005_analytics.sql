-- +goose Up

-- Whether documents of the workspace tell who leads and who supports, and whether the times of sessions are kept for analytics.
ALTER TABLE identity_workspace ADD COLUMN collaboration_score BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE identity_workspace ADD COLUMN presence_records BOOLEAN NOT NULL DEFAULT false;
-- In which analytics count days and hours: a name of the IANA database; empty: UTC.
ALTER TABLE identity_workspace ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE identity_workspace DROP COLUMN time_zone;
ALTER TABLE identity_workspace DROP COLUMN presence_records;
ALTER TABLE identity_workspace DROP COLUMN collaboration_score;
