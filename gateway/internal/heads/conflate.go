package heads

import "time"

// Quiet is the shortest time between two frames of one bundle, except that what moves after a longer pause is told at once.
const Quiet = time.Second

// Conflator decides when the changes of one bundle are told. The zero value has told nothing. Not safe for concurrent use.
//
// Invariant: what was noted is told within Quiet of the last frame, once, with its state at that time.
type Conflator struct {
	dirty map[uint32]struct{}
	last  time.Time // when a frame was told
}

// Note remembers that a topic moved.
func (c *Conflator) Note(topic uint32) {
	if c.dirty == nil {
		c.dirty = map[uint32]struct{}{}
	}
	c.dirty[topic] = struct{}{}
}

// Drop forgets a topic that is not followed any more.
func (c *Conflator) Drop(topic uint32) { delete(c.dirty, topic) }

// Last is when something was told.
func (c *Conflator) Last() time.Time { return c.last }

// Told tells that a frame is sent now, also one of other news than moves.
func (c *Conflator) Told(now time.Time) { c.last = now }

// Due is when the noted topics are to be told; ok is false if there are none.
func (c *Conflator) Due() (at time.Time, ok bool) {
	return c.last.Add(Quiet), len(c.dirty) > 0
}

// Take returns the topics to be told now, and none before they are due.
func (c *Conflator) Take(now time.Time) []uint32 {
	if at, ok := c.Due(); !ok || now.Before(at) {
		return nil
	}
	out := make([]uint32, 0, len(c.dirty))
	for t := range c.dirty {
		out = append(out, t)
	}
	c.dirty, c.last = nil, now // the map goes: a session is quiet most of the time
	return out
}
