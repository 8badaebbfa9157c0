-- +goose Up

-- Whether documents of the workspace may be shared by links.
ALTER TABLE identity_workspace ADD COLUMN document_links BOOLEAN NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE identity_workspace DROP COLUMN document_links;
