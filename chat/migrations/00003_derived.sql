-- +goose Up

-- Where channels stood when the last of their events was derived for people, as topic.DerivedSQL prescribes.
CREATE TABLE chat_derived (
    workspace text    NOT NULL,
    topic     text    NOT NULL,
    partition integer NOT NULL,
    epoch     bigint  NOT NULL,
    head      bigint  NOT NULL,
    count     bigint  NOT NULL,
    calls     bigint  NOT NULL,
    redacted  bigint  NOT NULL,
    position  bigint  NOT NULL,
    PRIMARY KEY (workspace, topic)
);
CREATE INDEX chat_derived_moved ON chat_derived (partition, position);

INSERT INTO chat_derived SELECT workspace, topic, partition, epoch, head, count, calls, redacted, position
    FROM chat_topic WHERE topic LIKE 'chat.channel/%';

-- +goose Down
DROP TABLE chat_derived;
