package history

import (
	"math"
	"time"

	"github.com/anishathalye/porcupine"
)

// linearTime bounds the search for one channel. With offsets known there is little to search: a run of an hour takes seconds.
const linearTime = 2 * time.Minute

// linear: there is an order of all operations on a channel that fits their answers, in which each takes effect between its call and its
// return: an append stands directly behind all that took effect before it, and a read sees all of that. (Herlihy, Wing: Linearizability,
// 1990.) What was never answered takes effect where the log says, at any time after its call.
func (h *History) linear(v *Verdict, logs map[string][]Event) {
	ops := map[string][]Op{}
	for _, op := range h.Ops {
		ops[op.Channel] = append(ops[op.Channel], op)
	}
	for channel, log := range logs {
		model, history := logModel(h.Base[channel], log), linearOps(ops[channel], log)
		if result := porcupine.CheckOperationsTimeout(model, history, linearTime); result != porcupine.Ok {
			v.fault("NOT LINEARIZABLE channel %s: no order of its %d operations fits their answers (%s)", channel, len(history), result)
		}
	}
}

// linearOps are the operations that took effect, as Porcupine takes them.
func linearOps(ops []Op, log []Event) []porcupine.Operation {
	places := map[string]uint64{}
	for _, e := range log {
		places[e.ID] = e.Offset
	}
	var out []porcupine.Operation
	for _, op := range ops {
		o := porcupine.Operation{ClientId: op.Device, Input: op.Kind, Output: op.Offset, Call: int64(op.Call), Return: int64(op.Return)}
		switch {
		case op.Kind == Mark || op.Kind == Read && op.Outcome != Done: // without an effect on the log
			continue
		case op.appends() && op.Outcome != Done:
			place, stands := places[op.ID]
			if !stands {
				continue
			}
			o.Output, o.Return = place, math.MaxInt64
		}
		out = append(out, o)
	}
	return out
}

// logModel is an append-only log whose state is its head.
func logModel(base uint64, log []Event) porcupine.Model {
	newest := make([]uint64, len(log)+1) // by head: the newest visible event
	for i, e := range log {
		if newest[i+1] = newest[i]; e.Visible {
			newest[i+1] = e.Offset
		}
	}
	return porcupine.Model{
		Init: func() any { return base },
		Step: func(state, input, output any) (bool, any) {
			head, offset := state.(uint64), output.(uint64) //nolint:forcetypeassert // as linearOps made them
			if input == Read {
				return head < uint64(len(newest)) && newest[head] == offset, head
			}
			return offset == head+1, offset
		},
		Hash: func(state any) uint64 { return state.(uint64) }, //nolint:forcetypeassert // as above
	}
}
