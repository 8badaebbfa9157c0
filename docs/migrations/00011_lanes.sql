-- +goose Up

-- What is due of some kinds is found among however many of others (jobs.go).
CREATE INDEX docs_job_kind ON docs_job (kind, due_ms, workspace, document);
DROP INDEX docs_job_due;

-- +goose Down
CREATE INDEX docs_job_due ON docs_job (due_ms, workspace, document, kind);
DROP INDEX docs_job_kind;
INSERT INTO docs_job SELECT workspace, document, 'access', due_ms, 1 FROM docs_job WHERE kind = 'sweep' ON CONFLICT DO NOTHING;
DELETE FROM docs_job WHERE kind = 'sweep';
