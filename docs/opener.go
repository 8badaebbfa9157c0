package docs

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// opener decides who may follow a document, or what is their own: from SQL, at whichever process is asked.
type opener struct{ *Server }

// Open grants documents to those who may read them. The server adds the heads, which it read before.
func (s opener) Open(ctx context.Context, c auth.Caller, wants []*edgev1.Want) ([]*topicv1.Grant, error) {
	var keys [][]any
	for _, w := range wants {
		if kind, id, _ := strings.Cut(w.GetTopic(), "/"); (kind+"/" == topicDocument || kind+"/" == topicAwareness) && validID(id) {
			keys = append(keys, []any{c.Workspace, id})
		}
	}
	may := make(map[string]bool, len(keys))
	if len(keys) > 0 {
		err := each(ctx, s.db.Query, s.sql.mayRead, append(s.sql.keys.Args(keys), c.User, c.Kind != auth.KindGuest, time.Now().UnixMilli()), func(r *sql.Rows) error {
			var d document
			var role int32
			err := r.Scan(&d.id, &d.trashed, &role)
			may[d.id] = d.shownTo(docsv1.Role(role))
			return err //nolint:wrapcheck // said below
		})
		if err != nil {
			return nil, fmt.Errorf("docs: read roles: %w", err)
		}
	}
	grants := make([]*topicv1.Grant, len(wants))
	for i, w := range wants {
		g := &topicv1.Grant{Topic: w.GetTopic()}
		grants[i] = g
		kind, id, _ := strings.Cut(w.GetTopic(), "/")
		switch own, ok := s.own(c, kind+"/", id); {
		case ok:
			g.Canonical = own // the server adds the head
		case kind+"/" == topicDocument && may[id]:
			g.Signal = true
		case kind+"/" == topicAwareness && may[id]:
		default:
			g.Error = rpc.FromError(errTopic)
		}
	}
	return grants, nil
}

// own is the topic that a name means which is the caller's: of their workspace, or of themselves.
func (opener) own(c auth.Caller, kind, id string) (name string, ok bool) {
	switch {
	case kind == topicWorkspace && c.Kind != auth.KindGuest && (id == "me" || id == c.Workspace):
		return kind + c.Workspace, true
	case kind == topicUser && (id == "me" || id == c.User):
		return kind + c.User, true
	}
	return "", false
}
