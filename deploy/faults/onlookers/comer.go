package onlookers

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"plenum.internal/client"
	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/sights"
)

// Times of a comer.
const (
	sampling  = 50 * time.Millisecond // between two looks at whether somebody is connected
	enterTime = 20 * time.Second      // for one attempt to come in
)

// comer is somebody who comes and goes.
type comer struct {
	o          *Onlookers
	id, handle string
	door       int // the first one that they try, of check.Doors.Door; another one each time
	random     *rand.Rand
	leave      func() // ends what runs; nil: nothing does

	mu    sync.Mutex
	turns []sights.Turn // guarded by mu
}

// turn notes what they are now.
func (c *comer) turn(is sights.Presence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.turns); n == 0 || c.turns[n-1].Is != is {
		c.turns = append(c.turns, sights.Turn{At: c.o.now(), Is: is})
	}
}

// is what they are.
func (c *comer) is() sights.Presence {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.turns) == 0 {
		return sights.Away
	}
	return c.turns[len(c.turns)-1].Is
}

func (c *comer) history() sights.Person {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sights.Person{Name: c.handle, Turns: slices.Clone(c.turns)}
}

// work comes and goes until ctx ends, and leaves it at that.
func (c *comer) work(ctx context.Context) {
	for {
		if c.leave == nil {
			c.come(ctx)
		} else {
			c.close()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second + time.Duration(c.random.Int64N(int64(c.o.cfg.Stay)))):
		}
	}
}

// come signs them in on a new device, which goes on trying where something fails.
func (c *comer) come(ctx context.Context) {
	c.turn(sights.Coming)
	entering, cancel := context.WithTimeout(ctx, enterTime)
	defer cancel()
	c.door++
	p, err := check.Enter(entering, c.o.cfg.Door(c.door), check.SignIn(c.o.slug, c.handle, c.o.password))
	if err != nil { // whatever had come of it has ended
		c.turn(sights.Away)
		return
	}
	// Clients follow something: a poll without a topic ends at once.
	sub, err := p.Client.Follow(entering, "chat.mine/me", client.HeadsOnly())
	if err != nil {
		p.Close()
		c.turn(sights.Away)
		return
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer sub.Close()
		tick := time.NewTicker(sampling)
		defer tick.Stop()
		for {
			if p.Client.State().Connected {
				c.turn(sights.Here)
			} else {
				c.turn(sights.Coming)
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	c.leave = func() {
		close(stop)
		<-done
		c.turn(sights.Coming) // from here on they may be gone
		p.Close()
		c.turn(sights.Away)
	}
}

// close has them leave, if they are here.
func (c *comer) close() {
	if c.leave != nil {
		c.leave()
		c.leave = nil
	}
}
