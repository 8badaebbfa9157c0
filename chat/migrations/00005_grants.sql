-- +goose Up

-- A person's memberships, with all that grants are made of: read side by side, without the table.
CREATE INDEX chat_member_grant ON chat_member (workspace, user_id, channel, role, visible_from);
DROP INDEX chat_member_user;

-- +goose Down
CREATE INDEX chat_member_user ON chat_member (workspace, user_id, channel);
DROP INDEX chat_member_grant;
