-- +goose Up
-- The link by which a person chooses a new password: at most one each, a newer one takes its place.
CREATE TABLE identity_reset (
    person      TEXT PRIMARY KEY,
    workspace   TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE, -- SHA-256, hex
    created_by  TEXT NOT NULL,
    expires_ms  BIGINT NOT NULL,
    used_by     TEXT NOT NULL         -- hash of the client that used it, whose retry is answered again; empty: nobody yet
);
CREATE INDEX identity_reset_expires ON identity_reset (expires_ms);

-- +goose Down
DROP TABLE identity_reset;
