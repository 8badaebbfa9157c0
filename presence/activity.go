package presence

import (
	"context"
	"maps"
	"strings"
	"time"
	"unicode"

	"github.com/cespare/xxhash/v2"

	"plenum.internal/mesh/letters"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// MaxSubject is how many bytes say what an activity is about.
const MaxSubject = 80

// SetActivity has somebody say what they are doing.
func (s *Server) SetActivity(ctx context.Context, q *presencev1.SetActivityRequest) (*presencev1.SetActivityResponse, error) {
	res := &presencev1.SetActivityResponse{}
	return res, s.atHome(ctx, presencev1.PresenceService_SetActivity_FullMethodName, q, res, func(k personKey) error {
		now := time.Now()
		said, err := checkActivity(q, now)
		if err != nil {
			return err
		}
		return s.hub.setActivity(k, said, now)
	})
}

// ListActivities tells somebody what they have been doing.
func (s *Server) ListActivities(ctx context.Context, q *presencev1.ListActivitiesRequest) (*presencev1.ListActivitiesResponse, error) {
	res := &presencev1.ListActivitiesResponse{}
	return res, s.atHome(ctx, presencev1.PresenceService_ListActivities_FullMethodName, q, res, func(k personKey) (err error) {
		res.Activities, err = s.hub.activities(k)
		return err
	})
}

// ClearActivities forgets it.
func (s *Server) ClearActivities(ctx context.Context, q *presencev1.ClearActivitiesRequest) (*presencev1.ClearActivitiesResponse, error) {
	res := &presencev1.ClearActivitiesResponse{}
	return res, s.atHome(ctx, presencev1.PresenceService_ClearActivities_FullMethodName, q, res, func(k personKey) error {
		return s.hub.clearActivities(k, time.Now())
	})
}

// checkActivity says what is wrong with what somebody says that they are doing.
func checkActivity(q *presencev1.SetActivityRequest, now time.Time) (s said, err error) {
	subject := strings.TrimSpace(q.GetSubject())
	switch _, known := presencev1.ActivityKind_name[int32(q.GetKind())]; {
	case !known:
		return s, badField("kind", "There is no such activity.")
	case subject != "" && q.GetKind() == presencev1.ActivityKind_ACTIVITY_KIND_UNSPECIFIED:
		return s, badField("subject", "Say what you are doing, too.")
	case !isSubject(subject):
		return s, badField("subject", "A subject has at most %d bytes: letters, digits, blanks and %s", MaxSubject, subjectMarks)
	case letters.Crowded(subject):
		return s, badField("subject", "Put at most %d accents on a letter.", letters.MaxMarks)
	}
	if err := checkUntil(q.GetUntilMs(), now); err != nil {
		return s, err
	}
	if q.GetKind() != presencev1.ActivityKind_ACTIVITY_KIND_UNSPECIFIED {
		s = said{q.GetKind(), subject, now.UnixMilli(), q.GetUntilMs()}
	}
	return s, nil
}

const subjectMarks = "-_.,'&()+#"

// isSubject says whether a subject holds nothing but what one may: neither links nor addresses, nor anything that could break a line.
func isSubject(text string) bool {
	return len(text) <= MaxSubject && !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != ' ' && !strings.ContainsRune(subjectMarks, r)
	})
}

// said is what somebody says that they are doing.
type said struct {
	kind             presencev1.ActivityKind // UNSPECIFIED: nothing
	subject          string
	sinceMs, untilMs int64 // until 0: for ever
}

// doing is what somebody is doing, at their home: what they say, and what is inferred. It ends when others see them as offline.
type doing struct {
	said   said
	phase  int64   // in seconds: when their minutes begin, so that not everybody is looked at at once
	minute int64   // the present one, by their number
	done   minutes // up to it

	guess   guess
	sinceMs int64 // of it, in whole minutes of the clock
	judged  int64 // in which minute it was looked at last
	changed int64 // in which minute it changed last
}

// steady is for how many minutes at least a guess stays as it is.
const steady = 2

func newDoing(k personKey, now time.Time) *doing {
	d := &doing{phase: int64(xxhash.Sum64String(k.user) % 60)}
	d.minute = d.at(now)
	d.judged, d.changed = d.minute, d.minute-steady
	return d
}

// at is the number of a minute.
func (d *doing) at(now time.Time) int64 { return (now.Unix() + d.phase) / 60 }

// pass has minutes pass.
func (d *doing) pass(now time.Time) {
	if n := d.at(now) - d.minute; n > 0 {
		d.minute, d.done = d.minute+n, d.done.after(n)
	}
}

// current is what is told of it at a time, and when that is to be decided anew. inferring: they have switched it on; away: they do nothing now.
func (d *doing) current(now time.Time, inferring, away bool) (told *presencev1.Activity, next time.Time) {
	if d.said.untilMs != 0 && now.UnixMilli() >= d.said.untilMs {
		d.said = said{}
	}
	d.pass(now)
	if !inferring {
		d.done = 0
	}
	switch {
	case inferring && !away && d.judged < d.minute:
		d.judge(now)
	case (!inferring || away) && d.guess != guess{}:
		d.guess, d.changed = guess{}, d.minute
	}
	d.judged = d.minute // who is back within a minute waits for the next one
	if d.said.untilMs != 0 {
		next = time.UnixMilli(d.said.untilMs)
	}
	if d.done != 0 || d.guess.kind != 0 {
		next = sooner(next, time.Unix((d.minute+1)*60-d.phase, 0))
	}
	switch {
	case d.said.kind != 0:
		told = &presencev1.Activity{Kind: d.said.kind, Subject: d.said.subject, SinceMs: d.said.sinceMs}
	case d.guess.kind != 0:
		told = &presencev1.Activity{Kind: d.guess.kind, SinceMs: d.sinceMs, Inferred: true, Confidence: d.guess.confidence}
	}
	return told, next
}

// judge infers anew what they do, at the beginning of a minute.
func (d *doing) judge(now time.Time) {
	g := infer(d.done)
	if g == d.guess || d.minute-d.changed < steady {
		return
	}
	if g.kind != d.guess.kind {
		d.sinceMs = now.Truncate(time.Minute).UnixMilli()
	}
	d.guess, d.changed = g, d.minute
}

// empty says whether nothing is known of it any more.
func (d *doing) empty() bool { return d.said.kind == 0 && d.done == 0 && d.guess.kind == 0 }

// noteDone takes in what somebody did at a time, if it may be inferred from.
func (h *hub) noteDone(p *person, kinds []edgev1.Doing, at, now time.Time) {
	if !p.loaded || !p.chosen.inferActivity || p.chosen.hides(now) {
		return
	}
	if p.doing == nil {
		p.doing = newDoing(p.key, now)
	}
	d := p.doing
	d.pass(now)
	d.done = d.done.with(kinds, d.minute-d.at(at))
	h.plan(p, sooner(p.next, time.Unix((d.minute+1)*60-d.phase, 0)))
}

// addDetails adds to a status what else others may see: what somebody is doing, and from where. It returns when that is to be decided anew.
func (h *hub) addDetails(p *person, by *inputs, seen *presencev1.Status, home bool, now time.Time) (next time.Time) {
	switch {
	case !home || seen.GetState() == presencev1.State_STATE_OFFLINE:
		p.doing, by.doing = nil, nil
		if p.here { // until now
			h.past.keep(p.key, now)
		}
		h.past.note(p.key, nil, now)
		return next
	case !p.loaded: // nothing is told before it is known what may be
		return next
	}
	if by.chosen.country {
		seen.Country = country(by.sessions, now, &h.cfg)
	}
	if by.doing == nil {
		return next
	}
	seen.Activity, next = by.doing.current(now, by.chosen.inferActivity, seen.GetState() == presencev1.State_STATE_AWAY)
	if by == &p.inputs { // else they hide, and may have had it forgotten
		h.past.note(p.key, seen.GetActivity(), now)
	}
	if by.doing.empty() {
		by.doing = nil
	}
	return next
}

// answersFor says whether what somebody does is this process's to know.
func (h *hub) answersFor(k personKey) bool { return h.isHome(k) && h.frozen.IsZero() }

// setActivity takes in what somebody says that they are doing.
func (h *hub) setActivity(k personKey, what said, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.people[k]
	ends := what.kind == presencev1.ActivityKind_ACTIVITY_KIND_UNSPECIFIED
	switch here := p != nil && len(p.sessions) > 0; {
	case !h.answersFor(k), !ends && here && !p.loaded, !ends && !here && !h.absent(k):
		return errAway
	case ends && (p == nil || p.doing == nil):
		return nil
	case !ends && (!here || h.seenOffline(p, now)):
		return errOffline
	}
	if p.doing == nil {
		p.doing = newDoing(k, now)
	}
	if was := p.doing.said; what.kind == was.kind && what.subject == was.subject {
		what.sinceMs = was.sinceMs // it goes on
	}
	p.doing.said = what
	h.decide(p, now)
	return nil
}

// seenOffline says whether somebody is to be seen as offline.
func (h *hub) seenOffline(p *person, now time.Time) bool {
	seen, _ := statusAt(now, &p.inputs, &h.cfg)
	return seen.GetState() == presencev1.State_STATE_OFFLINE
}

// activities are what somebody has been doing, the newest first.
func (h *hub) activities(k personKey) ([]*presencev1.PastActivity, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.answersFor(k) {
		return nil, errAway
	}
	return h.past.list(k), nil
}

// clearActivities forgets what somebody has been doing, and is.
func (h *hub) clearActivities(k personKey, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.answersFor(k) {
		return errAway
	}
	if p := h.people[k]; p != nil && p.doing != nil {
		p.doing = nil
		h.decide(p, now)
	}
	h.past.forget(k)
	return nil
}

// forgetOthers forgets what people have been doing whose home this process is no more: it is not asked to any more.
func (h *hub) forgetOthers() {
	for k := range h.past.of {
		if !h.isHome(k) {
			h.past.forget(k)
		}
	}
	maps.DeleteFunc(h.lastSeen, func(k personKey, _ int64) bool { return !h.isHome(k) })
}
