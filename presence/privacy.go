package presence

import (
	"context"
	"database/sql"
	"fmt"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// privacy is what somebody has decided about what is told of them, and kept. It doesn't end.
type privacy struct {
	inferActivity, country, hideLastSeen bool
}

// SetPrivacy writes down what somebody has decided, and goes by it.
func (s *Server) SetPrivacy(ctx context.Context, q *presencev1.SetPrivacyRequest) (*presencev1.SetPrivacyResponse, error) {
	res := &presencev1.SetPrivacyResponse{}
	const method = presencev1.PresenceService_SetPrivacy_FullMethodName
	return res, s.atHome(ctx, method, q, res, func(k personKey) error {
		p := q.GetPrivacy()
		if p == nil {
			return badField("privacy", "Say all of it.")
		}
		return s.write(ctx, k, method, q, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO presence_choice (workspace, user_id, state, emoji, text, until_ms, infer_activity, country, hide_last_seen)
				VALUES ($1, $2, 0, '', '', 0, $3, $4, $5)
				ON CONFLICT (workspace, user_id) DO UPDATE SET infer_activity = excluded.infer_activity, country = excluded.country, hide_last_seen = excluded.hide_last_seen`,
				k.workspace, k.user, p.GetInferActivity(), p.GetCountry(), p.GetHideLastSeen())
			if err != nil || !p.GetHideLastSeen() {
				return err //nolint:wrapcheck // the caller says what failed
			}
			_, err = tx.ExecContext(ctx, `DELETE FROM presence_seen WHERE workspace = $1 AND user_id = $2`, k.workspace, k.user)
			return err //nolint:wrapcheck // likewise
		})
	})
}

// GetPrivacy tells somebody what they have decided.
func (s *Server) GetPrivacy(ctx context.Context, q *presencev1.GetPrivacyRequest) (*presencev1.GetPrivacyResponse, error) {
	k, err := own(ctx, q)
	if err != nil {
		return nil, err
	}
	chosen, err := s.choices(ctx, []personKey{k})
	if err != nil {
		return nil, fmt.Errorf("presence: read privacy: %w", err)
	}
	p := chosen[k].privacy
	return &presencev1.GetPrivacyResponse{Privacy: &presencev1.Privacy{InferActivity: p.inferActivity, Country: p.country, HideLastSeen: p.hideLastSeen}}, nil
}
