-- +goose Up

-- Documents tell who leads and who supports, and a score.
ALTER TABLE docs_workspace ADD COLUMN score boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE docs_workspace DROP COLUMN score;
