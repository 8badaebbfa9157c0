-- +goose Up

-- A thread of comments at a range of a document's content.
CREATE TABLE docs_thread (
    workspace   text    NOT NULL,
    document    text    NOT NULL,
    thread      bigint  NOT NULL, -- the version that made it
    starts      bigint  NOT NULL, -- its range as of that version, in code units; where it is since then stands in docs_anchors
    ends        bigint  NOT NULL,
    quote       bytea   NOT NULL, -- UTF-8; it may have zero bytes
    comments    integer NOT NULL, -- how many, the deleted ones counted
    resolved    boolean NOT NULL,
    resolved_by text    NOT NULL, -- who resolved it, or opened it again; empty: nobody
    resolved_ms bigint  NOT NULL,
    PRIMARY KEY (workspace, document, thread)
);

CREATE TABLE docs_comment (
    workspace  text    NOT NULL,
    document   text    NOT NULL,
    thread     bigint  NOT NULL,
    comment    bigint  NOT NULL, -- the version that made it
    place      integer NOT NULL, -- in the thread, from 0
    author     text    NOT NULL,
    text       text    NOT NULL,
    mentions   text    NOT NULL, -- ids with blanks between them
    created_ms bigint  NOT NULL,
    edited_ms  bigint  NOT NULL, -- 0: never
    deleted    boolean NOT NULL,
    PRIMARY KEY (workspace, document, thread, comment)
);

-- The events that have a comment's text: what is to be emptied with it, and which of a document's events may be without a body.
CREATE TABLE docs_comment_text (
    workspace text    NOT NULL,
    document  text    NOT NULL,
    version   bigint  NOT NULL,
    comment   bigint  NOT NULL,
    erased    boolean NOT NULL,
    PRIMARY KEY (workspace, document, version)
);
CREATE INDEX docs_comment_text_of ON docs_comment_text (workspace, document, comment);

-- Where a document's threads stood at a version: from here on they are moved with the edits. Those up to the version that aren't named are
-- orphaned.
CREATE TABLE docs_anchors (
    workspace text   NOT NULL,
    document  text   NOT NULL,
    version   bigint NOT NULL,
    anchors   text   NOT NULL, -- JSON: [[thread, from, to], …]
    PRIMARY KEY (workspace, document)
);

-- +goose Down
DROP TABLE docs_anchors;
DROP TABLE docs_comment_text;
DROP TABLE docs_comment;
DROP TABLE docs_thread;
