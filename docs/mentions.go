package docs

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/markdown"
	"plenum.internal/mesh/rpc"
)

// written is a request that has a comment in it.
type written interface {
	GetText() string
	GetMentions() []string
}

// said is what a comment says, and whom it names by ids and by handles, whoever may read the document.
func (s *Server) said(ctx context.Context, q written) (o said, err error) {
	if o, err = checkComment(q); err != nil {
		return o, err
	}
	handles := markdown.Handles(o.text)
	if len(handles) == 0 {
		return o, nil
	}
	c, err := rpc.Caller(ctx)
	if err != nil {
		return o, err
	}
	found, err := s.bearers(ctx, c.Workspace, handles)
	if err != nil {
		return o, err
	}
	for _, h := range handles {
		for _, b := range found[h] {
			switch {
			case !b.group:
				if !slices.Contains(o.mentions, b.id) && !slices.Contains(o.byHandle, b.id) {
					o.byHandle = append(o.byHandle, b.id)
				}
			case c.Kind != auth.KindGuest && len(o.groups) < MaxGroups && !slices.Contains(o.groups, b.id):
				o.groups = append(o.groups, b.id)
			}
		}
	}
	return o, nil
}

// bearer is a person or a group that bears a handle.
type bearer struct {
	id    string
	group bool
}

// bearers finds who bears handles now.
func (s *Server) bearers(ctx context.Context, workspace string, handles []string) (map[string][]bearer, error) {
	keys := make([][]any, len(handles))
	for i, h := range handles {
		keys[i] = []any{workspace, h}
	}
	found := map[string][]bearer{}
	err := each(ctx, s.db.Query, s.sql.bearers, s.sql.keys.Args(keys), func(r *sql.Rows) error {
		var handle string
		var b bearer
		err := r.Scan(&handle, &b.id, &b.group)
		found[handle] = append(found[handle], b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("docs: look handles up: %w", err)
	}
	return found, nil
}

// mentioned is what a comment says, with those whom it names who may read the document. The handles of others stay plain text. A guest finds nobody
// by a handle who may read it by everybody's role alone: they don't learn who is in the workspace.
func (x *session) mentioned(c auth.Caller, o said) (said, error) {
	may, err := x.readers(o.mentions, true)
	if err != nil {
		return o, err
	}
	more, err := x.readers(o.byHandle, c.Kind != auth.KindGuest)
	if err != nil {
		return o, err
	}
	o.mentions = slices.Concat(may, more)
	o.mentions = o.mentions[:min(len(o.mentions), MaxMentions)]
	return o, nil
}
