-- +goose Up

-- The oldest version that can be read: what led there was erased, or is being erased (docs_erasure). 0: all can.
ALTER TABLE docs_document ADD COLUMN floor bigint NOT NULL DEFAULT 0;
DROP INDEX docs_document_changed;
CREATE INDEX docs_document_changed ON docs_document (workspace, changed_ms, id);

-- It is, or was, the document's floor: it stays, though it has no name.
ALTER TABLE docs_version ADD COLUMN floor boolean NOT NULL DEFAULT false;

-- The floor that the document had: what was made from an older one says more than may be known.
ALTER TABLE docs_blame ADD COLUMN floor bigint NOT NULL DEFAULT 0;

-- What lists look for in a document, apart from its row, which each edit writes, and with it all of its indexes.
CREATE TABLE docs_entry (
    workspace  text   NOT NULL,
    document   text   NOT NULL,
    creator    text   NOT NULL,
    folder     text   NOT NULL, -- empty: none. One that was deleted stands for the one that it stood in
    title      bytea,           -- in lower case; null: not written yet (listing.go)
    trashed_ms bigint NOT NULL, -- when it was put into the trash; 0: it isn't there; 1: before that was written down
    PRIMARY KEY (workspace, document)
);
INSERT INTO docs_entry SELECT workspace, id, creator, '', NULL, CASE WHEN trashed THEN 1 ELSE 0 END FROM docs_document;
CREATE INDEX docs_entry_creator ON docs_entry (workspace, creator);
CREATE INDEX docs_entry_folder ON docs_entry (workspace, folder);
CREATE INDEX docs_entry_title ON docs_entry (workspace, title, document);
CREATE INDEX docs_entry_trash ON docs_entry (workspace) WHERE trashed_ms > 0;

-- The workspace's folders. One that was deleted stays as long as documents stand in it.
CREATE TABLE docs_folder (
    workspace  text    NOT NULL,
    id         text    NOT NULL,
    name       text    NOT NULL,
    parent     text    NOT NULL, -- empty: none
    creator    text    NOT NULL,
    created_ms bigint  NOT NULL,
    deleted    boolean NOT NULL,
    PRIMARY KEY (workspace, id)
);

-- The documents that somebody has starred.
CREATE TABLE docs_star (
    workspace  text   NOT NULL,
    user_id    text   NOT NULL,
    document   text   NOT NULL,
    starred_ms bigint NOT NULL,
    PRIMARY KEY (workspace, user_id, document)
);
CREATE INDEX docs_star_document ON docs_star (workspace, document);

-- The documents that somebody opened last.
CREATE TABLE docs_recent (
    workspace text   NOT NULL,
    user_id   text   NOT NULL,
    document  text   NOT NULL,
    opened_ms bigint NOT NULL,
    PRIMARY KEY (workspace, user_id, document)
);
CREATE INDEX docs_recent_document ON docs_recent (workspace, document);

-- What is being erased: of a document that was purged all, of another one what lies below its floor.
CREATE TABLE docs_erasure (
    workspace text    NOT NULL,
    document  text    NOT NULL,
    purged    boolean NOT NULL,
    done      bigint  NOT NULL, -- events up to here have no body any more
    PRIMARY KEY (workspace, document)
);

-- Keys of the service's own, made when they are needed first.
CREATE TABLE docs_secret (
    name   text  NOT NULL PRIMARY KEY,
    secret bytea NOT NULL
);

-- Documents of before: versions are thinned out, and the trash is looked through.
INSERT INTO docs_job SELECT workspace, id, 'thin', 0, 1 FROM docs_document WHERE true ON CONFLICT DO NOTHING;
INSERT INTO docs_job SELECT workspace, id, 'trash', 0, 1 FROM docs_document WHERE trashed ON CONFLICT DO NOTHING;

-- +goose Down
DELETE FROM docs_job WHERE kind IN ('thin', 'trash', 'erase', 'history', 'folder');
DROP TABLE docs_secret;
DROP TABLE docs_erasure;
DROP TABLE docs_recent;
DROP TABLE docs_star;
DROP TABLE docs_folder;
DROP TABLE docs_entry;
ALTER TABLE docs_blame DROP COLUMN floor;
ALTER TABLE docs_version DROP COLUMN floor;
DROP INDEX docs_document_changed;
CREATE INDEX docs_document_changed ON docs_document (workspace, changed_ms);
ALTER TABLE docs_document DROP COLUMN floor;
