package chat

import (
	"context"
	"database/sql"
	"fmt"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// MaxMet bounds how many people one call asks about.
const MaxMet = 500

// acquaintances tells identity whom guests may see.
type acquaintances struct {
	chatv1.UnimplementedAcquaintanceServiceServer
	s *Server
}

func (a acquaintances) ListMet(ctx context.Context, req *chatv1.ListMetRequest) (*chatv1.ListMetResponse, error) {
	if len(req.GetOthers()) > MaxMet {
		return nil, badField("others", "Ask for at most %d at once.", MaxMet)
	}
	var rows [][]any
	for _, other := range req.GetOthers() {
		rows = append(rows, []any{req.GetWorkspace(), req.GetUser(), other})
	}
	res := &chatv1.ListMetResponse{}
	if len(rows) == 0 {
		return res, nil
	}
	return res, each(ctx, a.s.db.Query, a.s.sql.met, a.s.sql.keys.Args(rows), func(r *sql.Rows) error {
		var id string
		if err := r.Scan(&id); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		res.Met = append(res.Met, id)
		return nil
	})
}
