-- One set for both engines: types are PostgreSQL's, which SQLite takes by their affinity.

-- +goose Up

-- What people have chosen to be seen as.
CREATE TABLE presence_choice (
    workspace text    NOT NULL,
    user_id   text    NOT NULL,
    state     integer NOT NULL, -- State; 0: as their sessions say
    emoji     text    NOT NULL,
    text      text    NOT NULL,
    until_ms  bigint  NOT NULL, -- when it ends; 0: never
    PRIMARY KEY (workspace, user_id)
);

-- +goose Down
DROP TABLE presence_choice;
