-- +goose Up

-- Who was mentioned by a message that is edited.
CREATE INDEX chat_mention_message ON chat_mention (workspace, channel, at);

-- +goose Down
DROP INDEX chat_mention_message;
