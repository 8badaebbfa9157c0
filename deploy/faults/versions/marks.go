package versions

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"plenum.internal/docs/ot"
)

var markForm = regexp.MustCompile(`\[(\d+)\.(\d+)\]`)

// written are the marks in a text; whole is false where something is left of a mark that isn't whole.
func written(text string) (marks []string, whole bool) {
	return markForm.FindAllString(text, -1), !strings.ContainsAny(markForm.ReplaceAllString(text, ""), "[]")
}

// text is what operations insert; an embed is a character that nobody types.
func text(d ot.Delta) string {
	var b strings.Builder
	for _, op := range d.Ops() {
		switch {
		case op.Action() != ot.Insert:
		case op.Embed() != nil:
			b.WriteRune('\uFFFC')
		default:
			b.WriteString(op.Text())
		}
	}
	return b.String()
}

// fate is what the log did to a mark.
type fate struct {
	stands  int      // how often, by now
	written []uint64 // versions that wrote it
	deleted []uint64 // that took it away
}

// marks: an edit's mark is written by its own client, stands once at most at any time, and once in the end unless its author took it back. Nobody
// else takes it away or writes into it: a place of an edit that was transformed wrongly is seen by what it tears.
func (j *judge) marks() {
	fates := map[string]*fate{}
	authors := map[uint64]int{} // by mutation
	for _, s := range j.d.Sends {
		authors[s.Mutation] = s.Client
	}
	move := func(e *Event, mark string, by int) {
		f := fates[mark]
		if f == nil {
			f = &fate{}
			fates[mark] = f
		}
		if f.stands += by; by > 0 {
			f.written = append(f.written, e.Version)
		} else {
			f.deleted = append(f.deleted, e.Version)
		}
		if f.stands > 1 {
			j.fault("DOUBLED", "%s stands %d times at version %d: versions %v wrote it, %v took it away", mark, f.stands, e.Version, f.written, f.deleted)
		}
		if client, known := authors[e.Mutation]; e.Version > j.d.Base && known && Author(mark) != client {
			j.fault("TORN", "%s at version %d of %s, which isn't its author's: %.300v", mark, e.Version, j.h.who(client), j.edits[e.Version-1])
		}
	}
	var last *ot.Document
	applied := j.replay(func(e *Event, edit ot.Delta, before, after *ot.Document) {
		last = after
		taken, put := parts(edit, before)
		for by, all := range map[int][]string{-1: taken, +1: put} {
			for _, part := range all {
				marks, whole := written(part)
				if !whole {
					j.fault("TORN", "version %d of %s, mutation %d, cuts a mark: %.300q", e.Version, e.Actor, e.Mutation, part)
				}
				for _, mark := range marks {
					move(e, mark, by)
				}
			}
		}
	})
	if !applied || last == nil {
		return
	}
	if _, whole := written(text(last.Delta())); !whole {
		j.torn()
	}
	j.kept(fates)
}

// torn finds the version that wrote into a mark.
func (j *judge) torn() {
	found := false
	j.replay(func(e *Event, edit ot.Delta, _, after *ot.Document) {
		if _, whole := written(text(after.Delta())); !whole && !found {
			found = true
			j.fault("TORN", "version %d of %s, mutation %d, writes into a mark: %.300v", e.Version, e.Actor, e.Mutation, edit)
		}
	})
}

// parts are the runs of text that an edit deletes and inserts, each whole.
func parts(edit ot.Delta, before *ot.Document) (taken, put []string) {
	at := 0
	var inserted ot.Builder
	flush := func() {
		if d, err := inserted.Delta(); err == nil && d.Count() > 0 {
			put = append(put, text(d))
		}
	}
	for _, op := range edit.Ops() {
		switch op.Action() {
		case ot.Insert:
			if op.Embed() != nil {
				inserted.InsertEmbed(op.Embed(), nil)
			} else {
				inserted.Insert(op.Text(), nil)
			}
			continue
		case ot.Delete:
			if d, err := before.Slice(at, at+op.Len()); err == nil {
				taken = append(taken, text(d))
			}
			at += op.Len()
		case ot.Retain:
			flush()
			at += op.Len()
		}
	}
	flush()
	return taken, put
}

// kept holds what became of the marks against what their authors know.
func (j *judge) kept(fates map[string]*fate) {
	newest := map[int]uint64{} // by client: the version that wrote its last one
	edits := slices.SortedFunc(slices.Values(j.d.Edits), func(a, b Edit) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Number, b.Number))
	})
	for _, e := range edits {
		mark, f := e.Mark(), fates[e.Mark()]
		delete(fates, mark)
		if f == nil {
			f = &fate{}
		}
		name := func() string { return e.Action + " " + mark + " of " + j.h.who(e.Client) }
		switch {
		case e.Undone && f.stands > 0:
			j.fault("UNDEAD", "%s was taken back and stands: versions %v wrote it, %v took it away", name(), f.written, f.deleted)
		case !e.Undone && e.Known && len(f.written) == 0:
			j.fault("LOST", "%s: acknowledged, and no version has it", name())
		case !e.Undone && e.Known && f.stands == 0:
			j.fault("LOST", "%s: acknowledged, and versions %v took away what %v wrote", name(), f.deleted, f.written)
		case len(f.written) > 1 && !e.Redone:
			j.fault("DOUBLED", "%s: written by versions %v", name(), f.written)
		}
		if len(f.written) == 0 {
			continue
		}
		if f.written[0] < newest[e.Client] {
			j.fault("REORDERED", "%s was written by version %d, and an earlier edit of its author's by %d", name(), f.written[0], newest[e.Client])
		}
		newest[e.Client] = max(newest[e.Client], f.written[0])
	}
	for mark, f := range fates {
		j.fault("FOREIGN", "%s was written by versions %v, and nobody typed it", mark, f.written)
	}
}
