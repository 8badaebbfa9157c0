-- +goose Up

ALTER TABLE docs_comment ADD COLUMN named_groups text NOT NULL DEFAULT ''; -- ids with blanks between them, as mentions are

-- What people are to be told of, written with the event that it is about. Whoever has told it to the last of them deletes it (notices.go).
CREATE TABLE docs_news (
    workspace    text    NOT NULL,
    document     text    NOT NULL,
    version      bigint  NOT NULL, -- of the event
    kind         integer NOT NULL, -- NoticeKind
    thread       bigint  NOT NULL, -- 0: none
    comment      bigint  NOT NULL, -- likewise
    suggestions  text    NOT NULL, -- JSON: their ids
    actor        text    NOT NULL,
    time_ms      bigint  NOT NULL,
    users        text    NOT NULL, -- whom it concerns, whatever they have written: ids with blanks between them
    named_groups text    NOT NULL, -- likewise
    told         text    NOT NULL, -- the last person who was told of it, or isn't to be, in the order of ids; empty: nobody yet
    PRIMARY KEY (workspace, document, version)
);

-- What a person was told.
CREATE TABLE docs_notice (
    workspace   text    NOT NULL,
    user_id     text    NOT NULL,
    at          bigint  NOT NULL, -- offset of its event in docs.user/<user>
    document    text    NOT NULL,
    kind        integer NOT NULL, -- these as in docs_news
    thread      bigint  NOT NULL,
    comment     bigint  NOT NULL,
    suggestions text    NOT NULL,
    actor       text    NOT NULL,
    time_ms     bigint  NOT NULL,
    PRIMARY KEY (workspace, user_id, at)
);
CREATE INDEX docs_notice_document ON docs_notice (workspace, document, time_ms);
CREATE INDEX docs_notice_comment ON docs_notice (workspace, user_id, document, comment);

-- Up to where people have read them.
CREATE TABLE docs_notice_read (
    workspace text   NOT NULL,
    user_id   text   NOT NULL,
    at        bigint NOT NULL,
    PRIMARY KEY (workspace, user_id)
);

-- +goose Down
DELETE FROM docs_job WHERE kind = 'news';
DROP TABLE docs_notice_read;
DROP TABLE docs_notice;
DROP TABLE docs_news;
ALTER TABLE docs_comment DROP COLUMN named_groups;
