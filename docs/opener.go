package docs

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// opener decides who may follow a document: from SQL, at whichever process is asked.
type opener struct{ *Server }

// Open grants documents to those who may read them. The server adds the heads, which it read before.
func (s opener) Open(ctx context.Context, c auth.Caller, wants []*edgev1.Want) ([]*topicv1.Grant, error) {
	var keys [][]any
	for _, w := range wants {
		if id, ok := strings.CutPrefix(w.GetTopic(), topicDocument); ok && validID(id) {
			keys = append(keys, []any{c.Workspace, id})
		}
	}
	may := make(map[string]bool, len(keys))
	err := each(ctx, s.db.Query, s.sql.mayRead, append(s.sql.keys.Args(keys), c.User, c.Kind != auth.KindGuest, time.Now().UnixMilli()), func(r *sql.Rows) error {
		var id string
		var trashed bool
		var role int32
		err := r.Scan(&id, &trashed, &role)
		may[id] = role >= int32(viewer) && (!trashed || role >= int32(owner))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("docs: read roles: %w", err)
	}
	grants := make([]*topicv1.Grant, len(wants))
	for i, w := range wants {
		grants[i] = &topicv1.Grant{Topic: w.GetTopic(), Signal: true}
		if !strings.HasPrefix(w.GetTopic(), topicDocument) || !may[topic.ID(w.GetTopic())] {
			grants[i] = &topicv1.Grant{Topic: w.GetTopic(), Error: rpc.FromError(errTopic)}
		}
	}
	return grants, nil
}
