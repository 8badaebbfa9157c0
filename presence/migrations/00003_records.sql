-- +goose Up

-- What is kept of a workspace, as identity tells it.
CREATE TABLE presence_workspace (
    id        text    PRIMARY KEY,
    records   boolean NOT NULL, -- the times of its sessions are kept
    since_ms  bigint  NOT NULL, -- ever since
    clear     boolean NOT NULL, -- those that were kept are to be deleted
    time_zone text    NOT NULL, -- in which days and hours are counted: an IANA name; empty: UTC
    version   bigint  NOT NULL  -- identity's; -1: of a history that has begun anew since
);

-- Stretches of sessions in which somebody was there and to be seen. Invariant: those of one session don't overlap, and none is longer than 24 h.
CREATE TABLE presence_record (
    workspace         text    NOT NULL,
    user_id           text    NOT NULL,
    session           text    NOT NULL,
    start_ms          bigint  NOT NULL,
    end_ms            bigint  NOT NULL,
    device            integer NOT NULL, -- Device
    country           text    NOT NULL, -- of who has it told; empty: not told, or not known
    online_ms         bigint  NOT NULL, -- how much of it was spent so; what is not known is in none of the four
    away_ms           bigint  NOT NULL,
    busy_ms           bigint  NOT NULL,
    do_not_disturb_ms bigint  NOT NULL,
    chat_min          bigint  NOT NULL, -- minutes of it in which messages were written, and so on, as edge.v1.Doing has it
    write_min         bigint  NOT NULL,
    review_min        bigint  NOT NULL,
    meet_min          bigint  NOT NULL,
    PRIMARY KEY (workspace, user_id, session, start_ms)
);
CREATE INDEX presence_record_start ON presence_record (workspace, start_ms);

-- Since when somebody is to be seen again who was invisible; 0: ever since.
ALTER TABLE presence_choice ADD COLUMN shown_ms bigint NOT NULL DEFAULT 0;

-- How far presence's followers have come, as topic.FollowerSQL prescribes.
CREATE TABLE presence_cursor (
    follower  text    NOT NULL,
    partition integer NOT NULL,
    epoch     bigint  NOT NULL,
    position  bigint  NOT NULL,
    PRIMARY KEY (follower, partition)
);

-- +goose Down
DROP TABLE presence_cursor;
ALTER TABLE presence_choice DROP COLUMN shown_ms;
DROP TABLE presence_record;
DROP TABLE presence_workspace;
