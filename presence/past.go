package presence

import (
	"container/list"
	"slices"
	"time"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// past is what people have been told to be doing, each for themselves, as long as they are here and for an hour after.
type past struct {
	most  int // bytes
	bytes int // as they are counted: a little more than they are
	of    map[personKey]*list.Element
	order list.List // of *diary, those that were kept last in front
}

// diary is one person's.
type diary struct {
	key     personKey
	entries []deed // the oldest first
	kept    time.Time
}

// deed is one thing that somebody has been doing.
type deed struct {
	subject          string
	sinceMs, untilMs int64 // until 0: it goes on
	kind             presencev1.ActivityKind
	inferred         bool
	confidence       uint8
}

const (
	pastMost   = 100       // entries of one person
	pastAfter  = time.Hour // after somebody was here last
	diaryBytes = 256       // that one is counted as, without its entries
	deedBytes  = 96        // likewise, without its subject: an entry, and the room for another one
)

func newPast(most int) *past { return &past{most: most, of: map[personKey]*list.Element{}} }

func (d *deed) bytes() int { return deedBytes + len(d.subject) }

// is says whether it is what is told now.
func (d *deed) is(a *presencev1.Activity) bool {
	return d.untilMs == 0 && d.kind == a.GetKind() && d.subject == a.GetSubject() && d.inferred == a.GetInferred()
}

// note takes in what somebody is told to be doing now; nil: nothing.
func (p *past) note(k personKey, a *presencev1.Activity, now time.Time) {
	e := p.of[k]
	if e == nil {
		if a == nil {
			return
		}
		e = p.order.PushFront(&diary{key: k, kept: now})
		p.of[k] = e
		p.bytes += diaryBytes
	}
	d := e.Value.(*diary) //nolint:forcetypeassert // holds nothing else
	if n := len(d.entries); n > 0 {
		last := &d.entries[n-1]
		if a != nil && last.is(a) {
			last.confidence = uint8(a.GetConfidence())
			return
		}
		if last.untilMs == 0 {
			last.untilMs = now.UnixMilli()
		}
	}
	if a == nil {
		return
	}
	if len(d.entries) == pastMost {
		p.bytes -= d.entries[0].bytes()
		d.entries = slices.Delete(d.entries, 0, 1)
	}
	d.entries = append(d.entries, deed{
		subject: a.GetSubject(), sinceMs: a.GetSinceMs(), kind: a.GetKind(), inferred: a.GetInferred(), confidence: uint8(a.GetConfidence()),
	})
	p.bytes += d.entries[len(d.entries)-1].bytes()
	p.keep(k, now)
	for p.bytes > p.most {
		p.forget(p.order.Back().Value.(*diary).key) //nolint:forcetypeassert // likewise
	}
}

// keep has somebody's kept for an hour from now on.
func (p *past) keep(k personKey, now time.Time) {
	if e := p.of[k]; e != nil {
		e.Value.(*diary).kept = now //nolint:forcetypeassert // likewise
		p.order.MoveToFront(e)
	}
}

// forget forgets somebody's.
func (p *past) forget(k personKey) {
	e := p.of[k]
	if e == nil {
		return
	}
	p.bytes -= diaryBytes
	for i := range e.Value.(*diary).entries { //nolint:forcetypeassert // likewise
		p.bytes -= e.Value.(*diary).entries[i].bytes() //nolint:forcetypeassert // likewise
	}
	p.order.Remove(e)
	delete(p.of, k)
}

// expire forgets those of people who are not here any more, and have not been for an hour.
func (p *past) expire(now time.Time, here func(personKey) bool) {
	for e := p.order.Back(); e != nil; e = p.order.Back() {
		d := e.Value.(*diary) //nolint:forcetypeassert // likewise
		switch {
		case now.Sub(d.kept) < pastAfter:
			return
		case here(d.key):
			p.keep(d.key, now)
		default:
			p.forget(d.key)
		}
	}
}

// list is somebody's, the newest first.
func (p *past) list(k personKey) (all []*presencev1.PastActivity) {
	e := p.of[k]
	if e == nil {
		return nil
	}
	for _, d := range slices.Backward(e.Value.(*diary).entries) { //nolint:forcetypeassert // likewise
		all = append(all, &presencev1.PastActivity{
			Activity: &presencev1.Activity{Kind: d.kind, Subject: d.subject, SinceMs: d.sinceMs, Inferred: d.inferred, Confidence: uint32(d.confidence)}, UntilMs: d.untilMs,
		})
	}
	return all
}
