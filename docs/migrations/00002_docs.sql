-- One set for both engines: types are PostgreSQL's, which SQLite takes by their affinity. The log's own tables are made from
-- topic.Schema before these (server.go). All are written in the partition of the document's id.

-- +goose Up

-- A document. term and node are its owner's, of whom it has at most one: every append is conditional on (term, head).
CREATE TABLE docs_document (
    workspace  text    NOT NULL,
    id         text    NOT NULL,
    title      text    NOT NULL,
    creator    text    NOT NULL,
    created_ms bigint  NOT NULL,
    changed_ms bigint  NOT NULL, -- when its content was changed last
    trashed    boolean NOT NULL,
    term       bigint  NOT NULL, -- raised by each new owner
    node       text    NOT NULL, -- incarnation of the owner; empty: nobody has it open
    head       bigint  NOT NULL, -- version of the newest event
    PRIMARY KEY (workspace, id)
);
CREATE INDEX docs_document_changed ON docs_document (workspace, changed_ms);

-- Who may do what. user_id '*': everybody in the workspace but guests.
CREATE TABLE docs_role (
    workspace text    NOT NULL,
    document  text    NOT NULL,
    user_id   text    NOT NULL,
    role      integer NOT NULL, -- Role
    PRIMARY KEY (workspace, document, user_id)
);
CREATE INDEX docs_role_user ON docs_role (workspace, user_id, document);

-- The content as of a version: where reading begins.
CREATE TABLE docs_snapshot (
    workspace  text   NOT NULL,
    document   text   NOT NULL,
    version    bigint NOT NULL,
    created_ms bigint NOT NULL,
    content    bytea  NOT NULL, -- a delta that inserts alone, as JSON
    PRIMARY KEY (workspace, document, version)
);

-- +goose Down
DROP TABLE docs_snapshot;
DROP TABLE docs_role;
DROP TABLE docs_document;
