package topic

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"plenum.internal/mesh/sqldb"
)

// Schema names the tables of one log.
type Schema struct {
	Prefix string   // of every table: "chat"
	Extra  []Column // the service's own columns of the log's table
}

// Column is a column of the service's own in the log's table.
type Column struct {
	Name    string
	Type    string // text, bigint, integer, boolean or bytea: PostgreSQL's words, which SQLite takes too
	Default string // SQL; empty: the column may be null
	// Value returns what a row holds: string, int64, bool, []byte or nil.
	Value func(r *Row) any
}

var identifier = regexp.MustCompile(`^[a-z][a-z_]{0,30}$`)

func (s Schema) validate() error {
	if !identifier.MatchString(s.Prefix) {
		return fmt.Errorf("topic: prefix %q is no identifier", s.Prefix)
	}
	for _, c := range s.Extra {
		if !identifier.MatchString(c.Name) || c.Value == nil || arrayType[c.Type] == "" {
			return fmt.Errorf("topic: column %q of %s is not well described", c.Name, s.Prefix)
		}
	}
	return nil
}

var arrayType = map[string]string{"text": "text[]", "bigint": "bigint[]", "integer": "integer[]", "boolean": "boolean[]", "bytea": "bytea[]"}

// SQL returns the statements that create the tables; one text serves both engines. It is what a service's first migration holds, so
// it never changes once released: what comes later gets a function, and a version, of its own.
func (s Schema) SQL() string {
	var extra strings.Builder
	for _, c := range s.Extra {
		fmt.Fprintf(&extra, "    %s %s", c.Name, c.Type)
		if c.Default != "" {
			fmt.Fprintf(&extra, " NOT NULL DEFAULT %s", c.Default)
		}
		extra.WriteString(",\n")
	}
	return strings.NewReplacer("{P}", s.Prefix, "{EXTRA}", extra.String()).Replace(ddl)
}

const ddl = `-- Heads of the partitions. Invariant: whoever writes anything below holds the partition's row here, taken in ascending order.
CREATE TABLE {P}_partition (
    partition integer PRIMARY KEY, -- 0 to 63
    epoch     bigint  NOT NULL,    -- life of the history, Unix seconds; topics begin with it
    position  bigint  NOT NULL,    -- of the newest row
    pruned    bigint  NOT NULL,    -- keys up to this position are gone
    writer    bigint  NOT NULL     -- the process that ran the last mutation, by a number of its own; 0: none yet
);

CREATE TABLE {P}_topic (
    workspace text    NOT NULL,
    topic     text    NOT NULL,
    partition integer NOT NULL,
    epoch     bigint  NOT NULL,
    head      bigint  NOT NULL, -- offset of the newest row
    count     bigint  NOT NULL, -- countable rows
    calls     bigint  NOT NULL, -- of these, those that call everybody
    floor     bigint  NOT NULL, -- rows up to this offset were compacted away
    redacted  bigint  NOT NULL, -- offset of the newest redaction
    position  bigint  NOT NULL, -- of the newest row, in the partition
    PRIMARY KEY (workspace, topic)
);
CREATE INDEX {P}_topic_moved ON {P}_topic (partition, position);

CREATE TABLE {P}_log (
    partition  integer NOT NULL,
    position   bigint  NOT NULL,
    workspace  text    NOT NULL,
    topic      text    NOT NULL,
    epoch      bigint  NOT NULL, -- when it was written
    "offset"   bigint  NOT NULL,
    time_ms    bigint  NOT NULL,
    mutation   bigint  NOT NULL,
    body       bytea,            -- null: redacted, or empty
    envelope   bytea,
    count      bigint  NOT NULL,
    calls      bigint  NOT NULL,
    user_id    text    NOT NULL,
    client_id  text,             -- the key, until it is pruned
    client_seq bigint,
    digest     bytea,
    salt       bytea,
    answer     bytea,
{EXTRA}    PRIMARY KEY (partition, position)
);
CREATE UNIQUE INDEX {P}_log_topic ON {P}_log (workspace, topic, "offset");
CREATE UNIQUE INDEX {P}_log_key ON {P}_log (partition, workspace, user_id, client_id, client_seq) WHERE client_id IS NOT NULL;

-- Keys of mutations that wrote no row.
CREATE TABLE {P}_key (
    partition  integer NOT NULL,
    workspace  text    NOT NULL,
    user_id    text    NOT NULL,
    client_id  text    NOT NULL,
    client_seq bigint  NOT NULL,
    time_ms    bigint  NOT NULL,
    digest     bytea   NOT NULL,
    salt       bytea   NOT NULL,
    answer     bytea,
    PRIMARY KEY (partition, workspace, user_id, client_id, client_seq)
);
CREATE INDEX {P}_key_age ON {P}_key (partition, time_ms);

-- The greatest pruned client_seq of each client: at or below it, what isn't known is refused.
CREATE TABLE {P}_client (
    partition integer NOT NULL,
    workspace text    NOT NULL,
    user_id   text    NOT NULL,
    client_id text    NOT NULL,
    floor     bigint  NOT NULL,
    PRIMARY KEY (partition, workspace, user_id, client_id)
);
`

// FollowerSQL returns the table of cursors that followers of a service need, which their migrations create: <prefix>_cursor.
func FollowerSQL(prefix string) string {
	return strings.ReplaceAll(`-- How far followers have come: in the transaction of what they derive.
CREATE TABLE {P}_cursor (
    follower  text    NOT NULL,
    partition integer NOT NULL,
    epoch     bigint  NOT NULL, -- of the log that is followed
    position  bigint  NOT NULL, -- applied up to here
    PRIMARY KEY (follower, partition)
);
`, "{P}", prefix)
}

// DerivedSQL returns the table that a follower with FollowerConfig.Announce needs beside that of its cursors: <prefix>_derived.
func DerivedSQL(prefix string) string {
	return strings.ReplaceAll(`-- Where topics stood when the last of their events was derived from: written in the follower's transaction.
CREATE TABLE {P}_derived (
    workspace text    NOT NULL,
    topic     text    NOT NULL,
    partition integer NOT NULL,
    epoch     bigint  NOT NULL,
    head      bigint  NOT NULL, -- as in {P}_topic, of the newest row that was derived from
    count     bigint  NOT NULL,
    calls     bigint  NOT NULL,
    redacted  bigint  NOT NULL,
    position  bigint  NOT NULL,
    PRIMARY KEY (workspace, topic)
);
CREATE INDEX {P}_derived_moved ON {P}_derived (partition, position);
`, "{P}", prefix)
}

// Migrations adds the log's tables to a service's own migrations, as a file of the given name ("00001_log.sql") at the root.
func (s Schema) Migrations(own fs.FS, name string) (fs.FS, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	if err := w.AddFS(own); err != nil {
		return nil, fmt.Errorf("topic: read migrations: %w", err)
	}
	f, err := w.Create(name)
	if err != nil {
		return nil, fmt.Errorf("topic: add migration: %w", err)
	}
	if _, err := f.Write([]byte("-- +goose Up\n" + s.SQL())); err != nil {
		return nil, fmt.Errorf("topic: add migration: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("topic: add migration: %w", err)
	}
	all, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		return nil, fmt.Errorf("topic: add migration: %w", err)
	}
	return all, nil
}

// table returns the name of one of the log's tables.
func (s Schema) table(name string) string { return s.Prefix + "_" + name }

var prescribed = []Column{
	{Name: "partition", Type: "integer", Value: func(r *Row) any { return int64(r.Partition) }},
	{Name: "position", Type: "bigint", Value: func(r *Row) any { return signed(r.Position) }},
	{Name: "workspace", Type: "text", Value: func(r *Row) any { return r.Workspace }},
	{Name: "topic", Type: "text", Value: func(r *Row) any { return r.Topic }},
	{Name: "epoch", Type: "bigint", Value: func(r *Row) any { return signed(r.Epoch) }},
	{Name: `"offset"`, Type: "bigint", Value: func(r *Row) any { return signed(r.Offset) }},
	{Name: "time_ms", Type: "bigint", Value: func(r *Row) any { return r.TimeMs }},
	{Name: "mutation", Type: "bigint", Value: func(r *Row) any { return signed(r.Mutation) }},
	{Name: "body", Type: "bytea", Value: func(r *Row) any { return blob(r.Body) }},
	{Name: "envelope", Type: "bytea", Value: func(r *Row) any { return blob(r.Envelope) }},
	{Name: "count", Type: "bigint", Value: func(r *Row) any { return signed(r.Count) }},
	{Name: "calls", Type: "bigint", Value: func(r *Row) any { return signed(r.Calls) }},
	{Name: "user_id", Type: "text", Value: func(r *Row) any { return r.User }},
	{Name: "client_id", Type: "text", Value: func(r *Row) any {
		if r.ClientID == "" {
			return nil
		}
		return r.ClientID
	}},
	{Name: "client_seq", Type: "bigint", Value: func(r *Row) any {
		if r.ClientID == "" {
			return nil
		}
		return signed(r.ClientSeq)
	}},
	{Name: "digest", Type: "bytea", Value: func(r *Row) any { return blob(r.Digest) }},
	{Name: "salt", Type: "bytea", Value: func(r *Row) any { return blob(r.Salt) }},
	{Name: "answer", Type: "bytea", Value: func(r *Row) any { return blob(r.Answer) }},
}

// signed maps the unsigned numbers of the wire to what a column holds, to the bit.
func signed(u uint64) int64 { return int64(u) }

// unsigned is its inverse.
func unsigned(i int64) uint64 { return uint64(i) }

// blob makes an empty one null.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// InsertRows writes rows to the log's table: the usual body of Planner.Insert.
func (s Schema) InsertRows(ctx context.Context, tx *sql.Tx, d sqldb.Dialect, rows []Row) error {
	columns := append(prescribed[:len(prescribed):len(prescribed)], s.Extra...)
	values := make([][]any, len(columns))
	for i, c := range columns {
		v := make([]any, len(rows))
		for j := range rows {
			v[j] = c.Value(&rows[j])
		}
		values[i] = v
	}
	return insert(ctx, tx, d, s.table("log"), columns, values, "")
}
