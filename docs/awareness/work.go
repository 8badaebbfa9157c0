package awareness

import (
	"time"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// Kind is what somebody did.
type Kind int

// The kinds that count.
const (
	Other      Kind = iota // does not
	Editing                // the content
	Commenting             // beginning a thread, or replying
	Suggesting             // making a suggestion, or revising it
	Deciding               // accepting or rejecting suggestions, resolving a thread
	kinds
)

// KindOf is what kind of work an event tells of.
func KindOf(e *docsv1.DocumentEvent) Kind {
	switch x := e.GetEvent().(type) {
	case *docsv1.DocumentEvent_Edited:
		if len(x.Edited.GetSuggestions()) > 0 {
			return Deciding
		}
		return Editing
	case *docsv1.DocumentEvent_ThreadCreated, *docsv1.DocumentEvent_CommentAdded:
		return Commenting
	case *docsv1.DocumentEvent_SuggestionCreated, *docsv1.DocumentEvent_SuggestionRevised:
		return Suggesting
	case *docsv1.DocumentEvent_SuggestionsClosed:
		if x.SuggestionsClosed.GetState() == docsv1.SuggestionState_SUGGESTION_STATE_REJECTED {
			return Deciding
		}
	case *docsv1.DocumentEvent_ThreadResolved:
		if x.ThreadResolved.GetResolved() {
			return Deciding
		}
	}
	return Other
}

// tally counts what one person did, minute by minute, for half an hour.
type tally struct{ minutes [30]minute }

type minute struct {
	of  int64 // Unix
	did [kinds]uint16
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

func (t *tally) at(of int64) *minute {
	n := int64(len(t.minutes))
	m := &t.minutes[(of%n+n)%n]
	if m.of < of {
		*m = minute{of: of}
	}
	return m
}

func (t *tally) add(k Kind, at time.Time) {
	if m := t.at(minuteOf(at)); m.of == minuteOf(at) { // else it is older than what is kept
		m.did[k]++
	}
}

// begin is the stretch that a minute begins with.
func (m *minute) begin() int64 { return m.of * int64(time.Minute/stretch) }

// of is what was done in the last minutes, up to now, as far as somebody finds it who looks since then: no minute of which they don't find all counts.
func (t *tally) of(now time.Time, minutes int, since Since) (did [kinds]int) {
	for i := range t.minutes {
		m := &t.minutes[i]
		if age := minuteOf(now) - m.of; age >= 0 && age < int64(minutes) && m.begin() > since.stretch {
			for k, n := range m.did {
				did[k] += int(n)
			}
		}
	}
	return did
}

// Work is what somebody did in half an hour.
type Work struct {
	Edits       int // stretches
	Suggestions int
	Helps       int // comments and decisions
}

func workOf(did [kinds]int) Work {
	return Work{Edits: did[Editing], Suggestions: did[Suggesting], Helps: did[Commenting] + did[Deciding]}
}

// Styles say how each takes part, by what all of them did: the rule stands at docs.proto's Style.
func Styles(all []Work) []docsv1.Style {
	edits, editors := 0, 0
	for _, w := range all {
		if edits += w.Edits; w.Edits > 0 {
			editors++
		}
	}
	styles := make([]docsv1.Style, len(all))
	for i, w := range all {
		switch {
		case editors >= 2 && w.Edits > 0 && 100*w.Edits >= 40*edits:
			styles[i] = docsv1.Style_STYLE_LEADER
		case w.Helps >= 3 && 2*w.Helps >= w.Edits+w.Suggestions+w.Helps:
			styles[i] = docsv1.Style_STYLE_SUPPORTER
		default:
			styles[i] = docsv1.Style_STYLE_INDEPENDENT
		}
	}
	return styles
}

// Score is that of collaboration, from 0 to 100: of how many people are active, in how many ways, in how many areas in each other's way, and
// whether there are both a leader and a supporter.
func Score(active, ways, conflicts int, balanced bool) int {
	score := min(20*active, 60) + 5*ways - 10*conflicts
	if balanced {
		score += 15
	}
	return max(0, min(score, 100))
}
