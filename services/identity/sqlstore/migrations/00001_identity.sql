-- +goose Up
-- Times are Unix milliseconds; 0 stands for never. Every row of a workspace carries it.
CREATE TABLE identity_workspace (
    id         TEXT PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    version    BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);
-- People, guests and service accounts.
CREATE TABLE identity_person (
    id              TEXT PRIMARY KEY,
    workspace       TEXT NOT NULL,
    handle          TEXT NOT NULL,
    display_name    TEXT NOT NULL,
    title           TEXT NOT NULL,
    role            INTEGER NOT NULL,
    deactivated_ms  BIGINT NOT NULL,
    version         BIGINT NOT NULL,
    created_ms      BIGINT NOT NULL,
    pseudonym       TEXT NOT NULL UNIQUE, -- who this is in the audit log; replaced when the person is erased
    password        TEXT NOT NULL,        -- PHC string; empty: can't sign in by password
    secret_hash     TEXT NOT NULL,        -- service accounts: SHA-256 of the long-lived secret, hex
    tokens_after_ms BIGINT NOT NULL       -- access tokens are issued at this time or later
);
CREATE UNIQUE INDEX identity_person_handle ON identity_person (workspace, handle);
-- The one name space of people and groups: what @name means.
CREATE TABLE identity_handle (
    workspace TEXT NOT NULL,
    handle    TEXT NOT NULL,
    owner     TEXT NOT NULL, -- id of the person or group
    PRIMARY KEY (workspace, handle)
);
CREATE TABLE identity_group (
    id         TEXT PRIMARY KEY,
    workspace  TEXT NOT NULL,
    handle     TEXT NOT NULL,
    name       TEXT NOT NULL,
    version    BIGINT NOT NULL
);
CREATE UNIQUE INDEX identity_group_handle ON identity_group (workspace, handle);
CREATE TABLE identity_member (
    workspace TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    person    TEXT NOT NULL,
    PRIMARY KEY (workspace, group_id, person)
);
CREATE INDEX identity_member_person ON identity_member (workspace, person);
-- One row for each installation of a client on which an account is signed in. Revoked rows stay until the device signs in anew
-- or they are pruned, so that a late refresh is told why.
CREATE TABLE identity_device (
    id          TEXT PRIMARY KEY,
    workspace   TEXT NOT NULL,
    person      TEXT NOT NULL,
    client_hash TEXT NOT NULL, -- SHA-256 of the client id, hex
    name        TEXT NOT NULL,
    agent       TEXT NOT NULL,
    created_ms  BIGINT NOT NULL,
    seen_ms     BIGINT NOT NULL,
    family      TEXT NOT NULL, -- of refresh tokens: new with every sign-in
    generation  BIGINT NOT NULL, -- of the one refresh token that may be used
    rotated_ms  BIGINT NOT NULL,
    revoked_ms  BIGINT NOT NULL,
    wipe        INTEGER NOT NULL
);
CREATE UNIQUE INDEX identity_device_client ON identity_device (workspace, person, client_hash);
CREATE INDEX identity_device_seen ON identity_device (seen_ms);
-- One-time secrets: set-up links and invitations.
CREATE TABLE identity_link (
    id          TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL UNIQUE, -- SHA-256, hex
    workspace   TEXT NOT NULL,        -- empty: sets up a workspace
    role        INTEGER NOT NULL,
    note        TEXT NOT NULL,
    created_by  TEXT NOT NULL,
    created_ms  BIGINT NOT NULL,
    expires_ms  BIGINT NOT NULL, -- 0: never
    used_by     TEXT NOT NULL,
    used_ms     BIGINT NOT NULL,
    revoked_ms  BIGINT NOT NULL
);
CREATE INDEX identity_link_listed ON identity_link (workspace, created_ms, id);
-- Failures of sign-in for each account, existing or not: theoretical arrival time of the next (package guess).
CREATE TABLE identity_guess (
    account TEXT PRIMARY KEY,
    tat_ms  BIGINT NOT NULL
);
CREATE INDEX identity_guess_tat ON identity_guess (tat_ms);
-- Numbers that grow by one with a commit. Locking the row makes the order of numbers the order of commits.
CREATE TABLE identity_counter (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO identity_counter (name, value) VALUES ('revocation', 0), ('keys', 0);
CREATE TABLE identity_revocation (
    seq              BIGINT PRIMARY KEY,
    time_ms          BIGINT NOT NULL,
    workspace        TEXT NOT NULL,
    person           TEXT NOT NULL,
    device           TEXT NOT NULL, -- empty: all of the person's
    issued_before_ms BIGINT NOT NULL,
    wipe             INTEGER NOT NULL
);
CREATE INDEX identity_revocation_time ON identity_revocation (time_ms);
CREATE TABLE identity_signing_key (
    id           TEXT PRIMARY KEY,
    public       BYTEA NOT NULL,
    sealed       BYTEA NOT NULL, -- the private half, sealed by the installation's key
    starts_ms    BIGINT NOT NULL, -- signs from here
    ends_ms      BIGINT NOT NULL, -- to here
    not_after_ms BIGINT NOT NULL  -- and is served as a verification key up to here
);
CREATE TABLE identity_audit (
    workspace TEXT NOT NULL, -- empty: the installation's own chain
    seq       BIGINT NOT NULL,
    time_ms   BIGINT NOT NULL,
    action    TEXT NOT NULL,
    actor     TEXT NOT NULL, -- pseudonym
    target    TEXT NOT NULL, -- pseudonym, or the id of a group, device or invitation
    digest    BYTEA NOT NULL,
    salt      BYTEA NOT NULL,
    detail    TEXT NOT NULL,
    hash      BYTEA NOT NULL,
    PRIMARY KEY (workspace, seq)
);
CREATE TABLE identity_audit_head (
    workspace TEXT PRIMARY KEY,
    seq       BIGINT NOT NULL,
    hash      BYTEA NOT NULL
);
INSERT INTO identity_audit_head (workspace, seq, hash) VALUES ('', 0, '');

-- +goose Down
DROP TABLE identity_audit_head;
DROP TABLE identity_audit;
DROP TABLE identity_signing_key;
DROP TABLE identity_revocation;
DROP TABLE identity_counter;
DROP TABLE identity_guess;
DROP TABLE identity_link;
DROP TABLE identity_device;
DROP TABLE identity_member;
DROP TABLE identity_group;
DROP TABLE identity_handle;
DROP TABLE identity_person;
DROP TABLE identity_workspace;
