package ot_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// editor is a client: one change on its way to the server, the rest composed behind it.
type editor struct {
	known   int // how many committed changes it has seen
	content ot.Delta
	flight  *ot.Delta
	buffer  ot.Delta
}

// sent is a change as it arrives at the server.
type sent struct {
	by     int
	known  int
	change ot.Delta
}

type session struct {
	t       *testing.T
	m       ottest.Mix
	r       *rand.Rand
	embeds  ot.Embeds
	server  *ot.Document
	log     []ot.Delta
	authors []int
	arrived []sent // in the order of the log
	wire    []sent
	editors []*editor
}

func (s *session) edit(e *editor) {
	change := s.m.Change(s.r, e.content, 1+s.r.IntN(4))
	e.content = must(e.content.Compose(change, s.embeds))
	e.buffer = must(e.buffer.Compose(change, s.embeds))
}

func (s *session) send(i int) {
	e := s.editors[i]
	if e.flight != nil || e.buffer.Count() == 0 {
		return
	}
	change := e.buffer
	e.flight, e.buffer = &change, ot.Delta{}
	s.wire = append(s.wire, sent{i, e.known, change})
}

// arrive takes any of the changes on their way.
func (s *session) arrive() {
	if len(s.wire) == 0 {
		return
	}
	i := s.r.IntN(len(s.wire))
	m := s.wire[i]
	s.wire = append(s.wire[:i:i], s.wire[i+1:]...)
	change, _, err := ot.Rebase(m.change, s.log[m.known:], s.embeds)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.server.Apply(change); err != nil {
		s.t.Fatal(err)
	}
	s.log, s.authors, s.arrived = append(s.log, change), append(s.authors, m.by), append(s.arrived, m)
}

// hear shows an editor the next committed change.
func (s *session) hear(i int) {
	e := s.editors[i]
	if e.known == len(s.log) {
		return
	}
	change, own := s.log[e.known], s.authors[e.known] == i
	e.known++
	if own {
		e.flight = nil
		return
	}
	pending := []*ot.Delta{&e.buffer}
	if e.flight != nil {
		pending = []*ot.Delta{e.flight, &e.buffer}
	}
	for _, p := range pending {
		moved, after, err := ot.Rebase(*p, []ot.Delta{change}, s.embeds)
		if err != nil {
			s.t.Fatal(err)
		}
		*p, change = moved, after[0]
	}
	e.content = must(e.content.Compose(change, s.embeds))
}

func (s *session) settle() {
	for range 3 {
		for i := range s.editors {
			s.send(i)
		}
		for len(s.wire) > 0 {
			s.arrive()
		}
		for i, e := range s.editors {
			for e.known < len(s.log) {
				s.hear(i)
			}
		}
	}
}

// Whole sessions: clients that type, send one change at a time and hear of others late, come to what the server has, by its hash; and the original as
// a server comes to the same.
func TestSessions(t *testing.T) {
	each(t, func(t *testing.T, m ottest.Mix, r *rand.Rand) {
		o := &oracle{t: t}
		for range 12 {
			base := m.Document(r, r.IntN(8))
			s := &session{t: t, m: m, r: r, embeds: ottest.Embeds()}
			s.server = must(ot.NewDocument(base, ot.DefaultLimits(), s.embeds))
			for range 2 + r.IntN(4) {
				s.editors = append(s.editors, &editor{content: base})
			}
			for range 150 {
				switch i := r.IntN(len(s.editors)); r.IntN(5) {
				case 0:
					s.edit(s.editors[i])
				case 1:
					s.send(i)
				case 2:
					s.arrive()
				default:
					s.hear(i)
				}
			}
			s.settle()
			hash := s.server.Hash()
			for i, e := range s.editors {
				if e.flight != nil || e.buffer.Count() > 0 {
					t.Fatalf("editor %d still has something to send", i)
				}
				if d := must(ot.NewDocument(e.content, ot.DefaultLimits(), nil)); d.Hash() != hash {
					t.Fatalf("editor %d has %v, the server %v", i, e.content, s.server.Delta())
				}
			}
			s.compare(o, base)
		}
		o.run()
	})
}

// compare lets the original be the server.
func (s *session) compare(o *oracle, base ot.Delta) {
	var changes []string
	for _, m := range s.arrived {
		changes = append(changes, fmt.Sprintf(`{"known":%d,"change":%v}`, m.known, m.change))
	}
	hash := s.server.Hash()
	o.ask(func(answer json.RawMessage, failure string) {
		var theirs struct {
			Ops  json.RawMessage
			Hash string
		}
		if err := json.Unmarshal(answer, &theirs); err != nil || theirs.Hash != hex.EncodeToString(hash[:]) {
			s.t.Errorf("the server has\n%v, the original\n%s%s", s.server.Delta(), theirs.Ops, failure)
		}
	}, "session", `"a":%v,"changes":[%s]`, base, strings.Join(changes, ","))
}
