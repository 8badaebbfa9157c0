package docs

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// The states.
const (
	suggestionOpen      = docsv1.SuggestionState_SUGGESTION_STATE_OPEN
	suggestionAccepted  = docsv1.SuggestionState_SUGGESTION_STATE_ACCEPTED
	suggestionRejected  = docsv1.SuggestionState_SUGGESTION_STATE_REJECTED
	suggestionWithdrawn = docsv1.SuggestionState_SUGGESTION_STATE_WITHDRAWN
)

// noDelta is what is left of a delta whose text was erased.
const noDelta = `{"ops":[]}`

// suggestions are what a session knows of its document's suggestions. What else there is to tell of them stands in SQL.
type suggestions struct {
	all   map[uint64]*suggestion // by id, with all that is under way
	ids   []uint64               // of all, ascending
	open  int                    // how many are
	bytes int                    // of the open ones' deltas, as they were made or revised

	at   uint64       // the version that the list is of
	list []*suggested // the open ones, ascending by id, as of what is committed: nothing else is told
}

// suggestion is what decides what may be done with one.
type suggestion struct {
	author    string
	state     docsv1.SuggestionState
	revision  uint64 // the version that made it or revised it last
	revisions int
	delta     ot.Delta // as of that version; nothing if it is closed
	bytes     int      // of it
}

func (t *suggestions) add(id uint64, o *suggestion) {
	t.all[id] = o
	t.ids = append(t.ids, id)
	t.count(o, 1)
}

func (t *suggestions) count(o *suggestion, n int) {
	if o.state == suggestionOpen {
		t.open, t.bytes = t.open+n, t.bytes+n*o.bytes
	}
}

// change has one be another from here on.
func (t *suggestions) change(id uint64, change func(o *suggestion)) {
	o := t.all[id]
	t.count(o, -1)
	change(o)
	t.count(o, 1)
}

// by are the ids of an author's open ones, ascending.
func (t *suggestions) by(author string) (ids []uint64) {
	for _, id := range t.ids {
		if o := t.all[id]; o.author == author && o.state == suggestionOpen {
			ids = append(ids, id)
		}
	}
	return ids
}

// find is where one stands in the list, or is to stand.
func (t *suggestions) find(id uint64) (i int, found bool) {
	return slices.BinarySearchFunc(t.list, id, func(s *suggested, id uint64) int { return cmp.Compare(s.id, id) })
}

// stand has one be what it was made or revised to be, as of the list's version.
func (t *suggestions) stand(s suggested) {
	if i, found := t.find(s.id); found {
		t.list[i] = &s
	} else {
		t.list = slices.Insert(t.list, i, &s)
	}
}

// fall takes some off the list.
func (t *suggestions) fall(ids []uint64) {
	t.list = slices.DeleteFunc(t.list, func(s *suggested) bool { return slices.Contains(ids, s.id) })
}

// follow takes the list to the next version.
func (t *suggestions) follow(version uint64, edit ot.Delta) {
	if t.at = version; len(t.list) == 0 || edit.Count() == 0 {
		return
	}
	reach := reachOf(edit)
	for _, s := range t.list {
		s.follow(reach)
	}
}

// standing is the list, to be stored; nil: there never was a suggestion.
func (t *suggestions) standing() []suggested {
	if len(t.all) == 0 {
		return nil
	}
	list := make([]suggested, len(t.list))
	for i, s := range t.list {
		list[i] = s.clone()
	}
	return list
}

// suggestedText is how they are stored, those that are gone left out; empty: there never was one.
func suggestedText(list []suggested) string {
	if list == nil {
		return ""
	}
	text := []byte{'['}
	for _, s := range list {
		if s.gone {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(s.delta().AppendJSON(fmt.Appendf(text, "[%d,", s.id)), ']')
	}
	return string(append(text, ']'))
}

func parseSuggested(text string) (list []suggested, err error) {
	var pairs [][2]json.RawMessage
	if err := json.Unmarshal([]byte(text), &pairs); err != nil {
		return nil, err
	}
	for _, pair := range pairs {
		var id uint64
		if err := json.Unmarshal(pair[0], &id); err != nil {
			return nil, err
		}
		delta, err := ot.Parse(pair[1], ot.Unlimited())
		if err != nil {
			return nil, err
		}
		list = append(list, newSuggested(id, delta))
	}
	return list, nil
}

// suggestions reads a document's suggestions: what they were when that was written down last, and those made or revised at later versions, by
// which they begin.
func (s *Server) suggestions(ctx context.Context, k docKey) (t suggestions, later map[uint64]suggested, err error) {
	t.all = map[uint64]*suggestion{}
	err = each(ctx, s.db.Query, `SELECT suggestion, author, state, revision, revisions, CASE WHEN state = $3 THEN delta ELSE '' END
		FROM docs_suggestion WHERE workspace = $1 AND document = $2 ORDER BY suggestion`, []any{k.workspace, k.id, int32(suggestionOpen)}, func(r *sql.Rows) error {
		var id uint64
		var o suggestion
		var state int32
		var text []byte
		if err := r.Scan(&id, &o.author, &state, &o.revision, &o.revisions, &text); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if o.state = docsv1.SuggestionState(state); o.state == suggestionOpen {
			var err error
			if o.delta, err = ot.Parse(text, ot.Unlimited()); err != nil {
				return fmt.Errorf("suggestion %d: %w", id, err)
			}
			o.bytes = len(text)
		}
		t.add(id, &o)
		return nil
	})
	if err != nil {
		return t, nil, fmt.Errorf("docs: read suggestions: %w", err)
	}
	if t.open == 0 {
		return t, nil, nil
	}
	var text string
	err = s.db.QueryRow(ctx, `SELECT version, suggestions FROM docs_suggested WHERE workspace = $1 AND document = $2`, k.workspace, k.id).Scan(&t.at, &text)
	if errors.Is(err, sql.ErrNoRows) {
		text, err = "[]", nil
	}
	var stored []suggested
	if err == nil {
		stored, err = parseSuggested(text)
	}
	if err != nil {
		return t, nil, fmt.Errorf("docs: read what suggestions were: %w", err)
	}
	later = map[uint64]suggested{}
	first := uint64(0) // of those
	for _, id := range t.ids {
		switch o := t.all[id]; {
		case o.state != suggestionOpen:
		case o.revision > t.at:
			later[o.revision] = newSuggested(id, o.delta)
			if first == 0 || o.revision < first {
				first = o.revision
			}
		default:
			t.stand(suggested{id: id, gone: true}) // unless it was written down
		}
	}
	for _, o := range stored {
		if _, found := t.find(o.id); found {
			t.stand(o)
		}
	}
	if len(t.list) == 0 {
		t.at = first - 1
	}
	return t, later, nil
}

// openSuggestions reads the suggestions, and takes them to what they are now. The tail are the events behind the newest snapshot.
func (x *session) openSuggestions(ctx context.Context, tail []event) error {
	var later map[uint64]suggested
	var err error
	if x.proposed, later, err = x.s.suggestions(ctx, x.docKey); err != nil {
		return err
	}
	t := &x.proposed
	if t.open == 0 {
		t.at = x.version
		return nil
	}
	x.tried = min(x.tried, t.at) // what was written down for a name since has no suggestions
	follow := func(e event) error {
		if e.version <= t.at {
			return nil
		}
		t.follow(e.version, e.edit)
		if s, ok := later[e.version]; ok {
			t.stand(s)
		}
		return nil
	}
	if err := x.s.events(ctx, x.docKey, x.epoch, t.at, x.written, follow); err != nil { // mostly none: both are written down together
		return err
	}
	for _, e := range tail {
		_ = follow(e)
	}
	return nil
}
