package heads

import "time"

// Quiet is the shortest time between two frames of one bundle, except that what moves after a longer pause is told at once.
const Quiet = time.Second

// Conflator decides when the changes of one bundle are told. The zero value has told nothing. Not safe for concurrent use.
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

// Told tells that a frame is sent now.
func (c *Conflator) Told(now time.Time) { c.last = now }

// Take returns the topics that were noted, and forgets them.
func (c *Conflator) Take() []uint32 {
	out := make([]uint32, 0, len(c.dirty))
	for t := range c.dirty {
		out = append(out, t)
	}
	c.dirty = nil // the map goes: a session is quiet most of the time
	return out
}
