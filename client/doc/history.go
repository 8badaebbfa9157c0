package doc

import (
	"time"

	"plenum.internal/docs/ot"
)

// The limits of what can be taken back.
const (
	historySteps = 1000
	historyBytes = 16 << 20    // of the texts that undoing would bring back
	historyMerge = time.Second // what is typed within it is one step
	historyLazy  = 200         // operations of others that may wait to be taken into the steps
)

// history is what the user can take back and do again: the inverses of their own edits, transformed over what others did since. So undoing never
// undoes somebody else. The last step of each list edits what is shown, each one before it what is shown after that.
type history struct {
	undo, redo []ot.Delta
	bytes      int       // of both
	began      time.Time // when the last step of undo began; zero: nothing joins it
	// What others did since the steps were written. It is composed and taken into them when they are needed: a step for each of a hundred
	// remote edits would cost a hundred times as much. (Clients need not agree on it, so it may be composed.)
	since ot.Delta
}

// changed notes that somebody else has changed what is shown.
func (h *history) changed(edit ot.Delta) {
	if len(h.undo)+len(h.redo) == 0 {
		return
	}
	since, err := h.since.Compose(edit, nil)
	if err != nil { // can't be: both fit what is shown
		*h = history{}
		return
	}
	if h.since = since; since.Count() > historyLazy {
		h.catchUp()
	}
}

// catchUp takes what others did into the steps.
func (h *history) catchUp() {
	if h.since.Count() == 0 {
		return
	}
	h.bytes = 0
	for _, steps := range [][]ot.Delta{h.undo, h.redo} {
		edit := h.since
		for i := len(steps) - 1; i >= 0; i-- {
			step, after, err := ot.Rebase(steps[i], []ot.Delta{edit}, nil)
			if err != nil { // only embeds with handlers can fail, and there are none
				*h = history{}
				return
			}
			steps[i], edit = step, after[0]
			h.bytes += weight(step)
		}
	}
	h.since = ot.Delta{}
}

// typed notes an edit by its inverse.
func (h *history) typed(back ot.Delta, now time.Time) {
	h.catchUp()
	for _, step := range h.redo {
		h.bytes -= weight(step)
	}
	h.redo = nil
	if last := len(h.undo) - 1; last >= 0 && !h.began.IsZero() && now.Sub(h.began) < historyMerge {
		if both, err := back.Compose(h.undo[last], nil); err == nil {
			h.bytes += weight(both) - weight(h.undo[last])
			h.undo[last] = both
			h.trim()
			return
		}
	}
	h.began = now
	h.push(&h.undo, back)
}

func (h *history) push(steps *[]ot.Delta, step ot.Delta) {
	*steps = append(*steps, step)
	h.bytes += weight(step)
	if len(*steps) > historySteps {
		h.drop(steps)
	}
	h.trim()
}

// trim drops the oldest steps where they take too much memory; the newest stays.
func (h *history) trim() {
	for h.bytes > historyBytes && len(h.undo)+len(h.redo) > 1 {
		if len(h.undo) > 1 || len(h.redo) == 0 {
			h.drop(&h.undo)
		} else {
			h.drop(&h.redo)
		}
	}
}

func (h *history) drop(steps *[]ot.Delta) {
	h.bytes -= weight((*steps)[0])
	(*steps)[0] = ot.Delta{} // it may be long, and the array stays
	*steps = (*steps)[1:]
}

// take gives the newest step of a list that still changes something.
func (h *history) take(steps *[]ot.Delta) (ot.Delta, bool) {
	h.catchUp()
	h.began = time.Time{}
	for n := len(*steps); n > 0; n = len(*steps) {
		step := (*steps)[n-1]
		*steps = (*steps)[:n-1]
		h.bytes -= weight(step)
		if step.Count() > 0 {
			return step, true
		}
	}
	return ot.Delta{}, false
}

// weight is about how many bytes of memory a delta's texts and operations take.
func weight(d ot.Delta) int {
	n := 0
	for _, op := range d.Ops() {
		n += 64 + len(op.Text())
	}
	return n
}
