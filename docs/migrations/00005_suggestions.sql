-- +goose Up

-- An edit that somebody suggests.
CREATE TABLE docs_suggestion (
    workspace   text    NOT NULL,
    document    text    NOT NULL,
    suggestion  bigint  NOT NULL, -- the version that made it
    author      text    NOT NULL,
    description text    NOT NULL,
    state       integer NOT NULL, -- SuggestionState
    revision    bigint  NOT NULL, -- the version that made it or, if it was revised, that did so last
    revisions   integer NOT NULL, -- how often it was
    delta       text    NOT NULL, -- as of that version, as JSON; what has become of an open one since stands in docs_suggested
    quote       bytea   NOT NULL, -- UTF-8; it may have zero bytes
    created_ms  bigint  NOT NULL,
    revised_ms  bigint  NOT NULL, -- 0: never
    closed      bigint  NOT NULL, -- the version that closed it; 0: it is open
    closed_by   text    NOT NULL,
    closed_ms   bigint  NOT NULL,
    PRIMARY KEY (workspace, document, suggestion)
);

-- What a document's open suggestions were at a version: from here on they are moved with the edits. Those made or revised up to the version that
-- aren't named are gone.
CREATE TABLE docs_suggested (
    workspace   text   NOT NULL,
    document    text   NOT NULL,
    version     bigint NOT NULL,
    suggestions text   NOT NULL, -- JSON: [[suggestion, delta], …]
    PRIMARY KEY (workspace, document)
);

-- +goose Down
DROP TABLE docs_suggested;
DROP TABLE docs_suggestion;
