package docs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/awareness"
	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// play is a document with a log, which is watched while somebody looks.
type play struct {
	t       *testing.T
	w       *watching // nil: nobody looks
	lookers int
	left    time.Time // since nobody has
	log     []committed
	content *ot.Document
}

func newPlay(t *testing.T) *play {
	return &play{t: t, content: newWatching(t).content}
}

// looks is a person's look, as (Server).look and (session).look have it, who know the cursor.
func (p *play) looks(user string, after *edgev1.Cursor) *bystander {
	begun := time.Now()
	if p.w == nil {
		p.w = newWatching(p.t)
		p.w.content = p.content.Clone()
		head := uint64(len(p.log))
		from := head - min(head, awareness.Past)
		p.w.state = awareness.New(from)
		for _, e := range p.log[from:] {
			a := must(actOf(e.version, e.body, e.timeMs))(p.t)
			p.w.state.Pass(a)
		}
		go p.w.keep()
	}
	p.lookers++
	return p.w.looks(user, after, begun.Add(firstWait))
}

func (p *play) leaves(b *bystander) {
	b.stop()
	if p.lookers--; p.lookers == 0 {
		p.left = time.Now()
	}
}

// lingers ends the watching when nobody has looked for long.
func (p *play) lingers() {
	if p.w != nil && p.lookers == 0 && time.Since(p.left) >= watchLinger {
		close(p.w.over)
		p.w = nil
	}
}

func (p *play) commits(user string, at int) {
	delta := fmt.Sprintf(`{"ops":[{"retain":%d},{"insert":"x"}]}`, 1+at)
	if err := p.content.Apply(must(ot.Parse([]byte(delta), ot.DefaultLimits()))(p.t)); err != nil {
		p.t.Fatal(err)
	}
	body := must(proto.Marshal(&docsv1.DocumentEvent{Actor: user, Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: delta}}}))(p.t)
	p.log = append(p.log, committed{uint64(len(p.log) + 1), body, time.Now().UnixMilli(), nil})
	if e := p.log[len(p.log)-1]; p.w != nil {
		p.w.session.watched = p.w.watched
		p.w.watch(&amendment{version: e.version, body: e.body, timeMs: e.timeMs, content: p.content})
	}
}

// seesOf is what somebody is told, and when, who looks at a document for some minutes, goes, and comes back with the cursor that they have, while others write there; and
// while somebody else looks at it, before and all the time, or nobody.
func seesOf(t *testing.T, seed uint64, others bool) (told []string) {
	synctest.Test(t, func(t *testing.T) {
		const step = 100 * time.Millisecond
		p := newPlay(t)
		r, hidden := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
		var viewer *bystander
		var more []*bystander
		var after *edgev1.Cursor
		time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
		busy, first := r.IntN(3) == 0, 1500+r.IntN(40)
		for i := range 4000 {
			for j := range 4 {
				user, at := fmt.Sprint("u", j), uint32(r.IntN(14))
				if r.IntN(40*(j+1)) == 0 || busy && r.IntN(3) == 0 {
					p.commits(user, int(at))
				}
				if m := (&docsv1.Presence{Version: uint64(len(p.log)), Anchor: at, Head: at, Typing: r.IntN(2) == 0, Left: r.IntN(20) == 0}); r.IntN(60*(j+1)) == 0 && p.w != nil {
					p.w.say(user, m)
				}
			}
			switch change := r.IntN(300); {
			case i < first:
			case viewer == nil && (i == first || change < 3):
				viewer = p.looks("viewer", after)
			case viewer != nil && change == 0:
				p.leaves(viewer)
				after, told = viewer.at, append(told, viewer.told...)
				viewer = nil
			}
			if change := hidden.IntN(20); others && (len(more) == 0 || change == 0) {
				more = append(more, p.looks("hidden", after))
			} else if others && change == 1 && len(more) > 1 {
				p.leaves(more[0])
				more = more[1:]
			}
			p.lingers()
			time.Sleep(step)
			synctest.Wait()
		}
		if viewer != nil {
			p.leaves(viewer)
			told = append(told, viewer.told...)
		}
		for _, b := range more {
			p.leaves(b)
		}
		time.Sleep(watchLinger)
		p.lingers()
	})
	return told
}

// What somebody is told of who is in a document, the cursor with it, and when, is the same whether others look, or have looked, or not: who doesn't want to be seen
// can look at it.
func TestNobodyIsToldThatOthersLook(t *testing.T) {
	all := 0
	for seed := range uint64(12) {
		alone, among := seesOf(t, seed, false), seesOf(t, seed, true)
		if !slices.Equal(alone, among) {
			i := 0
			for i < min(len(alone), len(among)) && alone[i] == among[i] {
				i++
			}
			t.Errorf("seed %d: %d updates, and %d among others; they differ from number %d on:\n%v\n%v", seed, len(alone), len(among), i, alone[i:min(i+2, len(alone))], among[i:min(i+2, len(among))])
		}
		all += len(alone)
	}
	if all < 500 {
		t.Errorf("only %d updates were compared", all)
	}
}

// Who signals has done what was committed before: it is told with the signal, whichever of the two comes to the watching first.
func TestWhatWasCommittedBeforeASignalIsToldWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		see := p.looks("viewer", nil)
		time.Sleep(2 * time.Second)
		for i := range 64 {
			user := fmt.Sprint("u", i)
			p.w.say("other", &docsv1.Presence{}) // what the watching is busy with, so that both wait
			p.commits(user, 0)
			p.w.say(user, &docsv1.Presence{Version: uint64(len(p.log))})
			time.Sleep(watchGap)
			synctest.Wait()
			see.mu.Lock()
			if see.of(user).GetEditedMs() == 0 {
				t.Errorf("of %s is told %v", user, see.of(user))
			}
			see.mu.Unlock()
		}
		p.leaves(see)
		time.Sleep(watchLinger)
		p.lingers()
	})
}

// Who comes back soon, with the cursor of what they hold, goes on: they are told what has changed, at most, and are not partially told again. Nobody else goes on from it.
func TestComingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		see := p.looks("viewer", nil)
		time.Sleep(2 * time.Second)
		p.w.say("ada", &docsv1.Presence{})
		time.Sleep(40 * time.Second)
		p.leaves(see)
		at := see.at
		for _, c := range []struct {
			what, user string
			after      *edgev1.Cursor
			wait       time.Duration // before they come back
			goes       bool          // on
		}{
			{"at once", "viewer", at, 0, true},
			{"again", "viewer", at, resumeTime - 3*time.Second, true},
			{"who holds something else", "viewer", &edgev1.Cursor{Epoch: at.GetEpoch(), Offset: at.GetOffset() + 1}, 0, false},
			{"somebody else", "eve", at, 0, false},
			{"too late", "viewer", at, resumeTime + time.Second, false},
		} {
			time.Sleep(c.wait)
			b := p.looks(c.user, c.after)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			p.leaves(b)
			if goes := len(b.told) == 1 && b.news == 0; goes != c.goes {
				t.Errorf("%s: %v", c.what, b.told)
			}
			if c.goes && !proto.Equal(b.at, at) {
				t.Errorf("%s: from %v to %v", c.what, at, b.at)
			}
			if partial := b.overview().GetPartial(); !c.goes && partial != (c.user == "eve" || c.wait > 0) {
				t.Errorf("%s: %v", c.what, b.entries)
			}
		}
		time.Sleep(watchLinger)
		p.lingers()
	})
}

// Nobody takes more than their share of what may be looked at; what they have left counts as long as it is watched.
func TestNobodyTakesAllLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &looks{of: map[person]*sights{}}
		ada, bob := auth.Caller{Claims: auth.Claims{Workspace: "w", User: "ada"}}, auth.Caller{Claims: auth.Claims{Workspace: "w", User: "bob"}}
		begins := func(what string, c auth.Caller, document string, want error) {
			t.Helper()
			if err := a.begin(c, document); !errors.Is(err, want) {
				t.Errorf("%s: %v, not %v", what, err, want)
			}
		}
		for i := range maxWatchedOf {
			begins("one of many documents", ada, fmt.Sprint("d", i), nil)
		}
		begins("one more", ada, "more", errWatchedOf)
		begins("one more of bob's", bob, "more", nil)
		begins("ada is there already", ada, "d0", nil)
		for i := range maxWatchedOf {
			a.end(ada, fmt.Sprint("d", i))
		}
		time.Sleep(watchLinger - time.Second)
		synctest.Wait()
		begins("it is watched still", ada, "more", errWatchedOf)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for range maxLookersOf - 1 { // one view of d0 is left
			begins("one of many views", ada, "more", nil)
		}
		begins("one more view", ada, "more", errLookers)
		begins("one more view of bob's", bob, "more", nil)
		for range maxLookersOf - 1 {
			a.end(ada, "more")
		}
		a.end(ada, "d0")
		a.end(bob, "more")
		a.end(bob, "more")
		a.all = maxLookers
		begins("the process is full", bob, "d0", errWatched)
		time.Sleep(watchLinger + time.Second)
		synctest.Wait()
		if a.all != maxLookers || len(a.of) != 0 {
			t.Errorf("%d are left, of %v", a.all, a.of)
		}
	})
}
