-- +goose Up

-- The newest of each kind of change that a client of somebody's has made, so that an older one, or the same one again, changes nothing.
CREATE TABLE presence_call (
    workspace  text   NOT NULL,
    user_id    text   NOT NULL,
    client_id  text   NOT NULL,
    method     text   NOT NULL,
    client_seq bigint NOT NULL,
    digest     bytea  NOT NULL, -- SHA-256 of the request
    time_ms    bigint NOT NULL,
    PRIMARY KEY (workspace, user_id, client_id, method)
);

-- +goose Down
DROP TABLE presence_call;
