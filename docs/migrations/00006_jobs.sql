-- +goose Up

-- What is to be done with a document at a time, without anybody asking for it (jobs.go).
CREATE TABLE docs_job (
    workspace text   NOT NULL,
    document  text   NOT NULL,
    kind      text   NOT NULL,
    due_ms    bigint NOT NULL,
    asked     bigint NOT NULL, -- how often: what was asked for again while it was done is done again
    PRIMARY KEY (workspace, document, kind)
);
CREATE INDEX docs_job_due ON docs_job (due_ms, workspace, document, kind);

-- +goose Down
DROP TABLE docs_job;
