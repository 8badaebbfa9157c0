-- +goose Up

-- What a follower derives: every event once.
CREATE TABLE book_seen (
    follower  text    NOT NULL,
    partition integer NOT NULL,
    position  bigint  NOT NULL,
    topic     text    NOT NULL,
    at        bigint  NOT NULL,
    body      bytea
);

-- A row whose parent is missing makes COMMIT itself fail.
CREATE TABLE book_fuse (
    id     integer PRIMARY KEY,
    parent integer NOT NULL REFERENCES book_fuse (id) DEFERRABLE INITIALLY DEFERRED
);
