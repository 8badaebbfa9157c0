-- +goose Up

-- A version that was written down: of each there is a docs_snapshot, apart from it so that lists need not read contents.
-- docs_snapshot.created_ms is time_ms, too.
CREATE TABLE docs_version (
    workspace text   NOT NULL,
    document  text   NOT NULL,
    version   bigint NOT NULL,
    time_ms   bigint NOT NULL, -- of the event that made it
    bytes     bigint NOT NULL, -- of the events since the one before
    authors   text   NOT NULL, -- who edited since the one before: ids with blanks between them, and + at the end if there were more
    name      text   NOT NULL, -- empty: none
    PRIMARY KEY (workspace, document, version)
);
INSERT INTO docs_version SELECT workspace, document, version, created_ms, 0, '', '' FROM docs_snapshot;

-- Who wrote what as of a version: where going over the edits for Blame begins. It can be made again from the log.
CREATE TABLE docs_blame (
    workspace text   NOT NULL,
    document  text   NOT NULL,
    version   bigint NOT NULL,
    ranges    bytea  NOT NULL, -- a BlameResponse, deflated
    PRIMARY KEY (workspace, document, version)
);

-- +goose Down
DROP TABLE docs_blame;
DROP TABLE docs_version;
