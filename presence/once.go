package presence

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
)

// maxClients is of how many clients of one person it is known which change they made last: of those that made one most recently.
const maxClients = 32

// once finds out whether a change was made already, by its client's number, and notes that it is made now. A client's changes of one kind count in the
// order of their numbers, wherever they are held up: one that comes behind a later one of its kind is as good as made, and undone by that. Without a
// number a change is made each time.
func once(ctx context.Context, tx *sql.Tx, k personKey, method string, q proto.Message) (made bool, err error) {
	client, seq, numbered := rpc.MutationFrom(ctx)
	if !numbered {
		return false, nil
	}
	request, err := proto.MarshalOptions{Deterministic: true}.Marshal(q)
	if err != nil {
		return false, err //nolint:wrapcheck // the caller says what failed
	}
	digest := sha256.Sum256(request)
	var last uint64
	var known []byte
	err = tx.QueryRowContext(ctx, `SELECT client_seq, digest FROM presence_call WHERE workspace = $1 AND user_id = $2 AND client_id = $3 AND method = $4`,
		k.workspace, k.user, client, method).Scan(&last, &known)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return false, err //nolint:wrapcheck // likewise
	case seq == last && subtle.ConstantTimeCompare(digest[:], known) == 0:
		return false, errNumber
	case seq <= last:
		return true, nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO presence_call (workspace, user_id, client_id, method, client_seq, digest, time_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (workspace, user_id, client_id, method) DO UPDATE SET client_seq = excluded.client_seq, digest = excluded.digest, time_ms = excluded.time_ms`,
		k.workspace, k.user, client, method, int64(seq), digest[:], time.Now().UnixMilli())
	if err != nil {
		return false, err //nolint:wrapcheck // likewise
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM presence_call WHERE workspace = $1 AND user_id = $2 AND method = $3 AND client_id NOT IN (
		SELECT client_id FROM presence_call WHERE workspace = $1 AND user_id = $2 AND method = $3 ORDER BY time_ms DESC, client_id LIMIT $4)`,
		k.workspace, k.user, method, maxClients)
	return false, err //nolint:wrapcheck // likewise
}
