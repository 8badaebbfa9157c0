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
	of    map[personKey]*diary
	order list.List // of *diary, those that were kept last in front
}

// diary is what one person has been doing.
type diary struct {
	key     personKey
	entries []pastActivity // the oldest first
	kept    time.Time
	place   *list.Element // in the order
}

// pastActivity is one thing that somebody has been doing.
type pastActivity struct {
	subject          string
	sinceMs, untilMs int64 // until 0: it goes on
	kind             presencev1.ActivityKind
	inferred         bool
	confidence       uint8
}

const (
	pastMost      = 100       // entries of one person
	pastAfter     = time.Hour // after somebody was here last
	diaryBytes    = 256       // that one is counted as, without its entries
	activityBytes = 96        // likewise, without its subject: an entry, and the room for another one
)

func newPast(most int) *past { return &past{most: most, of: map[personKey]*diary{}} }

func (x *pastActivity) bytes() int { return activityBytes + len(x.subject) }

// is says whether it is what is told now.
func (x *pastActivity) is(a *presencev1.Activity) bool {
	return x.untilMs == 0 && x.kind == a.GetKind() && x.subject == a.GetSubject() && x.inferred == a.GetInferred()
}

// note takes in what somebody is told to be doing now; nil: nothing.
func (p *past) note(k personKey, a *presencev1.Activity, now time.Time) {
	d := p.of[k]
	if d == nil {
		if a == nil {
			return
		}
		d = &diary{key: k, kept: now}
		d.place = p.order.PushFront(d)
		p.of[k] = d
		p.bytes += diaryBytes
	}
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
	d.entries = append(d.entries, pastActivity{
		subject: a.GetSubject(), sinceMs: a.GetSinceMs(), kind: a.GetKind(), inferred: a.GetInferred(), confidence: uint8(a.GetConfidence()),
	})
	p.bytes += d.entries[len(d.entries)-1].bytes()
	p.keep(k, now)
	for p.bytes > p.most {
		p.forget(p.last().key)
	}
}

// keep has somebody's kept for an hour from now on.
func (p *past) keep(k personKey, now time.Time) {
	if d := p.of[k]; d != nil {
		d.kept = now
		p.order.MoveToFront(d.place)
	}
}

// forget forgets somebody's.
func (p *past) forget(k personKey) {
	d := p.of[k]
	if d == nil {
		return
	}
	p.bytes -= diaryBytes
	for i := range d.entries {
		p.bytes -= d.entries[i].bytes()
	}
	p.order.Remove(d.place)
	delete(p.of, k)
}

// last is the one that was kept longest ago; nil: there is none.
func (p *past) last() *diary {
	if e := p.order.Back(); e != nil {
		return e.Value.(*diary) //nolint:forcetypeassert // holds nothing else
	}
	return nil
}

// expire forgets those of people who are not here any more, and have not been for an hour.
func (p *past) expire(now time.Time, here func(personKey) bool) {
	for d := p.last(); d != nil; d = p.last() {
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
	d := p.of[k]
	if d == nil {
		return nil
	}
	for _, a := range slices.Backward(d.entries) {
		all = append(all, &presencev1.PastActivity{
			Activity: &presencev1.Activity{Kind: a.kind, Subject: a.subject, SinceMs: a.sinceMs, Inferred: a.inferred, Confidence: uint32(a.confidence)}, UntilMs: a.untilMs,
		})
	}
	return all
}
