-- +goose Up

ALTER TABLE docs_role ADD COLUMN expires_ms bigint NOT NULL DEFAULT 0; -- from when on it counts nothing; 0: never

-- What groups, channels and links may do: apart from docs_role, since most documents are shared with people alone.
CREATE TABLE docs_share (
    workspace  text    NOT NULL,
    document   text    NOT NULL,
    container  text    NOT NULL, -- 'group/<id>', 'channel/<id>' or 'link/<id>'
    role       integer NOT NULL, -- Role
    expires_ms bigint  NOT NULL, -- as in docs_role
    PRIMARY KEY (workspace, document, container)
);
CREATE INDEX docs_share_container ON docs_share (workspace, container, document);

-- The links of documents; what they give stands in docs_share.
CREATE TABLE docs_link (
    workspace text  NOT NULL,
    document  text  NOT NULL,
    link      text  NOT NULL,
    digest    bytea NOT NULL, -- SHA-256 of the secret
    PRIMARY KEY (workspace, document, link)
);

-- Who is in a group or a channel, as the logs of identity and chat tell it, and who has opened a link.
CREATE TABLE docs_member (
    workspace text NOT NULL,
    container text NOT NULL,
    user_id   text NOT NULL,
    PRIMARY KEY (workspace, container, user_id)
);
CREATE INDEX docs_member_user ON docs_member (workspace, user_id, container);

-- What identity's log tells besides. A row of version -1 is of a history that has begun anew, and is not told yet.
CREATE TABLE docs_person (
    workspace text    NOT NULL,
    id        text    NOT NULL,
    handle    text    NOT NULL,
    guest     boolean NOT NULL,
    active    boolean NOT NULL,
    version   bigint  NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX docs_person_handle ON docs_person (workspace, handle);

CREATE TABLE docs_group (
    workspace text   NOT NULL,
    id        text   NOT NULL,
    handle    text   NOT NULL,
    name      text   NOT NULL,
    version   bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX docs_group_handle ON docs_group (workspace, handle);

CREATE TABLE docs_workspace (
    id      text    NOT NULL,
    links   boolean NOT NULL, -- documents may be shared by links
    version bigint  NOT NULL,
    PRIMARY KEY (id)
);

-- How far docs' followers have come, as topic.FollowerSQL prescribes.
CREATE TABLE docs_cursor (
    follower  text    NOT NULL,
    partition integer NOT NULL,
    epoch     bigint  NOT NULL,
    position  bigint  NOT NULL,
    PRIMARY KEY (follower, partition)
);

-- +goose Down
DROP TABLE docs_cursor;
DROP TABLE docs_workspace;
DROP TABLE docs_group;
DROP TABLE docs_person;
DROP TABLE docs_member;
DROP TABLE docs_link;
DROP TABLE docs_share;
ALTER TABLE docs_role DROP COLUMN expires_ms;
