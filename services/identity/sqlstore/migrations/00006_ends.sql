-- +goose Up

-- Whether whoever had the tokens has been signed out, or may come back with new ones.
ALTER TABLE identity_revocation ADD COLUMN ends INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE identity_revocation DROP COLUMN ends;
