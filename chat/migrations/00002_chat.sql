-- One set for both engines: types are PostgreSQL's, which SQLite takes by their affinity. The log's own tables are made from
-- topic.Schema before these (migrations.go).

-- +goose Up

-- A channel. Written in the partition of its id.
CREATE TABLE chat_channel (
    workspace  text    NOT NULL,
    id         text    NOT NULL,
    kind       integer NOT NULL, -- ChannelKind
    name       text    NOT NULL, -- empty for direct channels
    topic      text    NOT NULL,
    purpose    text    NOT NULL,
    history    integer NOT NULL, -- ChannelHistory, for who joins from now on
    posting    integer NOT NULL, -- ChannelPosting
    archived   boolean NOT NULL,
    creator    text    NOT NULL,
    created_ms bigint  NOT NULL,
    members    integer NOT NULL,
    people     text    NOT NULL, -- of direct channels: user ids, ascending, divided by spaces
    sealed     bigint  NOT NULL, -- greatest visible_from of a member, ever: what lies below is not for all readers
    PRIMARY KEY (workspace, id)
);
CREATE INDEX chat_channel_public ON chat_channel (workspace, name) WHERE kind = 1;

-- Names are taken by insertion, so that two partitions can't take the same.
CREATE TABLE chat_name (
    workspace text NOT NULL,
    name      text NOT NULL,
    channel   text NOT NULL,
    PRIMARY KEY (workspace, name)
);

-- Who is in a channel. Written in the channel's partition: this decides what may be read.
CREATE TABLE chat_member (
    workspace     text    NOT NULL,
    channel       text    NOT NULL,
    user_id       text    NOT NULL,
    role          integer NOT NULL, -- ChannelRole
    guest         boolean NOT NULL, -- when they joined
    joined_ms     bigint  NOT NULL,
    joined_offset bigint  NOT NULL, -- of the event; where the marker starts
    visible_from  bigint  NOT NULL, -- first offset that they may read; 0: all
    PRIMARY KEY (workspace, channel, user_id)
);
CREATE INDEX chat_member_user ON chat_member (workspace, user_id, channel);

-- What became of a message after it was posted; most messages have no row. Written in the channel's partition.
CREATE TABLE chat_message (
    workspace text    NOT NULL,
    channel   text    NOT NULL,
    at        bigint  NOT NULL, -- offset of the message
    content   bytea,            -- after an edit: Message with text and mentions; empty again when deleted
    edits     integer NOT NULL,
    edited_ms bigint  NOT NULL,
    deleted   boolean NOT NULL,
    pinned    bigint  NOT NULL, -- offset of the pin's event; 0: not pinned
    reactions integer NOT NULL, -- how many
    PRIMARY KEY (workspace, channel, at)
);
CREATE INDEX chat_message_pinned ON chat_message (workspace, channel, pinned) WHERE pinned > 0;

CREATE TABLE chat_reaction (
    workspace text   NOT NULL,
    channel   text   NOT NULL,
    at        bigint NOT NULL,
    emoji     text   NOT NULL,
    user_id   text   NOT NULL,
    seq       bigint NOT NULL, -- offset of the event
    PRIMARY KEY (workspace, channel, at, emoji, user_id)
);

-- Reply counts. Written in the channel's partition.
CREATE TABLE chat_thread (
    workspace  text    NOT NULL,
    channel    text    NOT NULL,
    root       bigint  NOT NULL,
    replies    integer NOT NULL, -- without deleted ones
    last_reply bigint  NOT NULL,
    last_ms    bigint  NOT NULL,
    PRIMARY KEY (workspace, channel, root)
);

-- A person's own state in a channel. Written in the person's partition, as all below.
CREATE TABLE chat_mine (
    workspace text    NOT NULL,
    user_id   text    NOT NULL,
    channel   text    NOT NULL,
    source    bigint  NOT NULL, -- offset of the newest membership event applied
    listed    boolean NOT NULL, -- is in the person's list
    marker    bigint  NOT NULL,
    version   bigint  NOT NULL,
    count     bigint  NOT NULL, -- countable events up to the marker
    calls     bigint  NOT NULL, -- mentions of everybody up to the marker
    muted     boolean NOT NULL,
    level     integer NOT NULL, -- NotifyLevel
    PRIMARY KEY (workspace, user_id, channel)
);

CREATE TABLE chat_mention (
    workspace text    NOT NULL,
    user_id   text    NOT NULL, -- who is mentioned
    channel   text    NOT NULL,
    at        bigint  NOT NULL,
    root      bigint  NOT NULL,
    counted   boolean NOT NULL, -- shown in the channel, and not a mention of everybody too
    author    text    NOT NULL,
    group_id  text    NOT NULL,
    time_ms   bigint  NOT NULL,
    PRIMARY KEY (workspace, user_id, channel, at)
);
CREATE INDEX chat_mention_feed ON chat_mention (workspace, user_id, time_ms);

CREATE TABLE chat_follow (
    workspace text    NOT NULL,
    user_id   text    NOT NULL,
    channel   text    NOT NULL,
    root      bigint  NOT NULL,
    following boolean NOT NULL, -- false: unfollowed by hand, and stays so
    seen      bigint  NOT NULL, -- marker: last reply that was read
    told      bigint  NOT NULL, -- newest reply that was announced
    PRIMARY KEY (workspace, user_id, channel, root)
);
CREATE INDEX chat_follow_thread ON chat_follow (workspace, channel, root);

CREATE TABLE chat_draft (
    workspace text   NOT NULL,
    user_id   text   NOT NULL,
    channel   text   NOT NULL,
    root      bigint NOT NULL,
    text      text   NOT NULL,
    version   bigint NOT NULL,
    time_ms   bigint NOT NULL,
    PRIMARY KEY (workspace, user_id, channel, root)
);

-- Derived from identity's log.
CREATE TABLE chat_person (
    workspace text    NOT NULL,
    id        text    NOT NULL,
    handle    text    NOT NULL,
    guest     boolean NOT NULL,
    active    boolean NOT NULL,
    version   bigint  NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX chat_person_handle ON chat_person (workspace, handle);

CREATE TABLE chat_group (
    workspace text   NOT NULL,
    id        text   NOT NULL,
    handle    text   NOT NULL, -- empty: deleted
    version   bigint NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX chat_group_handle ON chat_group (workspace, handle);

CREATE TABLE chat_group_member (
    workspace text NOT NULL,
    group_id  text NOT NULL,
    user_id   text NOT NULL,
    PRIMARY KEY (workspace, group_id, user_id)
);

-- How far chat's followers have come, as topic.FollowerSQL prescribes.
CREATE TABLE chat_cursor (
    follower  text    NOT NULL,
    partition integer NOT NULL,
    epoch     bigint  NOT NULL,
    position  bigint  NOT NULL,
    PRIMARY KEY (follower, partition)
);

-- Replies of a thread, and edits of a message.
CREATE INDEX chat_log_parent ON chat_log (workspace, topic, parent, "offset") WHERE parent > 0;

-- +goose Down
DROP INDEX chat_log_parent;
DROP TABLE chat_cursor;
DROP TABLE chat_group_member;
DROP TABLE chat_group;
DROP TABLE chat_person;
DROP TABLE chat_draft;
DROP TABLE chat_follow;
DROP TABLE chat_mention;
DROP TABLE chat_mine;
DROP TABLE chat_thread;
DROP TABLE chat_reaction;
DROP TABLE chat_message;
DROP TABLE chat_member;
DROP TABLE chat_name;
DROP TABLE chat_channel;
