package ctl

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type docWhoCmd struct {
	docArg
	Watch bool `help:"Show at once who is seen, and then what changes, until Ctrl-C. Without it, all are shown once it is known who is there: after half a minute."`
}

func (c *docWhoCmd) Run(e *env) error {
	var id string
	var p *people
	err := c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, _ docsv1.DocsServiceClient, found string) (err error) {
		id = found
		p, err = loadPeople(ctx, h)
		return err
	})
	if err != nil {
		return err
	}
	return e.session(false, unseen, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		sub, err := cl.Follow(ctx, "docs.awareness/"+id)
		if err != nil {
			return err
		}
		told := false
		for v := (&viewOfDoc{}); ; {
			u, err := sub.Next(ctx)
			switch {
			case err != nil:
				return err
			case u.View == nil:
				continue
			case u.View.GetStale():
				fmt.Fprintln(e.err, "Who is in the document can't be asked just now: what was shown may be old.")
			}
			changed, err := v.take(u.View)
			if err != nil {
				return err
			}
			if v.overview == nil { // not all of it yet
				continue
			}
			switch {
			case c.Watch:
				if err := e.inDoc(p, changed); err != nil {
					return err
				}
			case !v.overview.GetPartial():
				return e.inDoc(p, slices.Collect(maps.Values(v.entries)))
			case !told && !e.JSON:
				told = true
				fmt.Fprintln(e.err, "Who is in it is known half a minute after you have begun to look. To see them come: --watch")
			}
		}
	})
}

// viewOfDoc is what is known of who is in a document.
type viewOfDoc struct {
	changed  []*edgev1.Entry          // by the update that has begun
	entries  map[string]*edgev1.Entry // by their keys
	overview *docsv1.Overview
}

// take returns what an update has changed, when it has come whole.
func (v *viewOfDoc) take(u *edgev1.View) (changed []*edgev1.Entry, err error) {
	if u.GetSnapshot() || v.entries == nil {
		v.changed, v.entries, v.overview = nil, map[string]*edgev1.Entry{}, nil
	}
	v.changed = append(v.changed, u.GetEntries()...)
	if u.GetMore() {
		return nil, nil
	}
	changed, v.changed = v.changed, nil
	for _, entry := range changed {
		if v.entries[entry.GetKey()] = entry; entry.GetRemoved() {
			delete(v.entries, entry.GetKey())
		}
		if entry.GetKey() == "#" {
			m := &docsv1.Awareness{}
			if err := proto.Unmarshal(entry.GetBody(), m); err != nil {
				return nil, err
			}
			v.overview = m.GetOverview()
		}
	}
	return changed, nil
}

// inDoc prints entries: people by their handles, then where they may be in each other's way, and all together.
func (e *env) inDoc(p *people, entries []*edgev1.Entry) error {
	rank := func(entry *edgev1.Entry) string {
		switch key := entry.GetKey(); {
		case key == "#":
			return "3"
		case strings.HasPrefix(key, "!"):
			return fmt.Sprintf("2%3s", key[1:])
		default:
			return "1" + p.handle(key)
		}
	}
	slices.SortFunc(entries, func(a, b *edgev1.Entry) int { return cmp.Compare(rank(a), rank(b)) })
	for _, entry := range entries {
		m := &docsv1.Awareness{}
		if err := proto.Unmarshal(entry.GetBody(), m); err != nil {
			return err
		}
		if e.JSON {
			line, err := oneLine(entry)
			if err != nil {
				return err
			}
			fmt.Fprintln(e.out, string(unfold(line, "body", entry.GetBody(), "plenum.docs.v1.Awareness")))
			continue
		}
		who := p.handle(entry.GetKey())
		switch x := m.GetEntry().(type) {
		case *docsv1.Awareness_Participant:
			fmt.Fprintf(e.out, "%-20s %s\n", who, participantText(x.Participant))
		case *docsv1.Awareness_Conflict:
			var users []string
			for _, user := range x.Conflict.GetUsers() {
				users = append(users, p.handle(user))
			}
			fmt.Fprintf(e.out, "%-20s %s, from %d to %d: %s\n", "in each other's way", enumWord(x.Conflict.GetSeverity().String(), "SEVERITY_"), x.Conflict.GetFrom(), x.Conflict.GetTo(), strings.Join(users, ", "))
		case *docsv1.Awareness_Overview:
			fmt.Fprintln(e.out, overviewText(x.Overview))
		case nil:
			if entry.GetRemoved() && !strings.HasPrefix(entry.GetKey(), "!") {
				fmt.Fprintf(e.out, "%-20s has left\n", who)
			}
		}
	}
	return nil
}

func enumWord(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }

// participantText says where somebody is, and what they do.
func participantText(m *docsv1.Participant) string {
	text := "somewhere"
	switch {
	case m.Head != nil && m.GetHead() == m.GetAnchor():
		text = fmt.Sprintf("at %d", m.GetHead())
	case m.Head != nil:
		text = fmt.Sprintf("selects %d to %d", min(m.GetAnchor(), m.GetHead()), max(m.GetAnchor(), m.GetHead()))
	}
	if m.GetTyping() {
		text += ", types"
	}
	if m.GetEditedMs() != 0 {
		text += fmt.Sprintf(", has edited for %d s, last at %s", m.GetEditingS(), time.UnixMilli(m.GetEditedMs()).Format(time.TimeOnly))
	}
	if m.GetStyle() != docsv1.Style_STYLE_UNSPECIFIED {
		text += ", " + enumWord(m.GetStyle().String(), "STYLE_")
	}
	return text
}

// overviewText says what goes on in a document as a whole.
func overviewText(o *docsv1.Overview) string {
	text := fmt.Sprintf("version %d: %d in it, %d active", o.GetVersion(), o.GetPeople(), o.GetActive())
	if o.GetConflicts() > 0 {
		text += fmt.Sprintf(", in each other's way at %d", o.GetConflicts())
	}
	if o.Score != nil {
		text += fmt.Sprintf(", score %d", o.GetScore())
	}
	return text
}
