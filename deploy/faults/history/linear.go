package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// linearTime bounds the search in one stretch of a channel's history. Windows are narrow by then: there is next to nothing to search.
const linearTime = time.Minute

// linear: there is an order of all operations on a channel that fits their answers, in which each takes effect between its call and its
// return: an append stands directly behind all that took effect before it, and a read sees all of that. (Herlihy, Wing: Linearizability,
// 1990.) What was never answered takes effect where the log says, at any time after its call.
func (h *History) linear(v *Verdict, logs map[string][]Event) {
	ops := map[string][]Op{}
	for _, op := range h.Ops {
		ops[op.Channel] = append(ops[op.Channel], op)
	}
	for channel, log := range logs {
		if err := linearizable(ops[channel], h.Base[channel], log); err != nil {
			v.fault("NOT LINEARIZABLE channel %s: %v", channel, err)
		}
	}
}

func linearizable(ops []Op, base uint64, log []Event) error {
	windows := effects(ops, log)
	if err := narrow(windows, base, log); err != nil {
		return err
	}
	newest := newestMessage(log)
	for _, stretch := range stretches(windows) {
		if result := porcupine.CheckOperationsTimeout(logModel(base, newest), ranked(stretch), linearTime); result != porcupine.Ok {
			return fmt.Errorf("no order of the %d operations from %v on fits their answers (%s)", len(stretch), stretch[0].from, result)
		}
		for _, w := range stretch {
			if w.appends() {
				base = max(base, w.at)
			}
		}
	}
	return nil
}

// window is an operation that took effect between two moments.
type window struct {
	Op

	at       uint64 // where it stands, or the message that it read
	from, to time.Duration
}

// effects are the operations that took effect.
func effects(ops []Op, log []Event) []*window {
	places := map[string]uint64{}
	for _, e := range log {
		places[e.ID] = e.Offset
	}
	var out []*window
	for _, op := range ops {
		w := &window{op, op.Offset, op.Call, op.Return}
		switch {
		case op.Kind == Mark || op.Kind == Read && op.Outcome != Done: // without an effect on the log
			continue
		case op.appends() && op.Outcome != Done:
			place, stands := places[op.ID]
			if !stands {
				continue
			}
			w.at, w.to = place, math.MaxInt64
		}
		out = append(out, w)
	}
	return out
}

// narrow moves the ends of windows together as far as the log tells: an append takes effect behind all that stand before it, and a read between
// what it saw and the next message. The same orders fit the narrow windows as the wide ones. But after minutes in which people waited for
// answers, thousands of wide windows overlap, and a search among them never ends. An error names a window with nothing left.
func narrow(windows []*window, base uint64, log []Event) error {
	end := uint64(len(log))
	earliest, latest := make([]time.Duration, end+2), make([]time.Duration, end+2) // by offset: when it was appended
	for i := range latest {
		latest[i] = math.MaxInt64
	}
	next := messageBehind(log)
	for _, w := range windows {
		if w.at > end || w.appends() && w.at <= base || w.Kind == Read && (w.at == 0 || !log[w.at-1].Visible) {
			return fmt.Errorf("%s %q was told of offset %d, and no message of its own stands there", w.Kind, w.ID, w.at)
		}
		from, to := w.at, w.at
		if w.Kind == Read {
			from = next[w.at]
		}
		earliest[from], latest[to] = max(earliest[from], w.from), min(latest[to], w.to)
	}
	for at := base + 1; at <= end; at++ {
		earliest[at] = max(earliest[at], earliest[at-1])
	}
	for at := end; at > base; at-- {
		latest[at] = min(latest[at], latest[at+1])
	}
	for _, w := range windows {
		before := w.at
		if w.Kind == Read {
			before = next[w.at]
		}
		if w.at > base {
			w.from = max(w.from, earliest[w.at])
		}
		if w.to = min(w.to, latest[before]); w.from > w.to {
			return fmt.Errorf("%s %q at offset %d took effect after %v, by what stands before it, and before %v, by what stands behind it", w.Kind, w.ID, w.at, w.from, w.to)
		}
	}
	return nil
}

// messageBehind tells for each offset which is the next one with a message; one beyond the last: none.
func messageBehind(log []Event) []uint64 {
	next := make([]uint64, len(log)+1)
	last := uint64(len(log)) + 1
	for at := len(log); at >= 0; at-- {
		next[at] = last
		if at > 0 && log[at-1].Visible {
			last = uint64(at)
		}
	}
	return next
}

// stretches cuts a history wherever nothing is under way: each stretch begins with what the one before it left.
func stretches(windows []*window) (out [][]*window) {
	slices.SortFunc(windows, func(a, b *window) int { return cmp.Compare(a.from, b.from) })
	begin, end := 0, time.Duration(0)
	for i, w := range windows {
		if i > begin && w.from > end {
			out = append(out, windows[begin:i])
			begin = i
		}
		end = max(end, w.to)
	}
	if begin < len(windows) {
		out = append(out, windows[begin:])
	}
	return out
}

// ranked are operations as Porcupine takes them. It tries them in the order of their calls, so among calls at one moment the log decides: then the
// first attempt is right, if any is.
func ranked(windows []*window) []porcupine.Operation {
	type moment struct {
		time  time.Duration
		end   int // 0: a call; 1: a return, which at the same moment comes later
		which int // of windows
	}
	var moments []moment
	for i, w := range windows {
		moments = append(moments, moment{w.from, 0, i}, moment{w.to, 1, i})
	}
	slices.SortFunc(moments, func(a, b moment) int {
		one, other := windows[a.which], windows[b.which]
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.end, b.end), cmp.Compare(one.at, other.at), bySeeing(one, other))
	})
	out := make([]porcupine.Operation, len(windows))
	for rank, m := range moments {
		o, w := &out[m.which], windows[m.which]
		o.ClientId, o.Input, o.Output = w.Device, w.Kind, w.at
		if m.end == 0 {
			o.Call = int64(rank)
		} else {
			o.Return = int64(rank)
		}
	}
	return out
}

// bySeeing puts a message before those who read it.
func bySeeing(a, b *window) int {
	switch {
	case a.appends() == b.appends():
		return 0
	case a.appends():
		return -1
	default:
		return 1
	}
}

// newestMessage tells for each head which is the newest message then; 0: none.
func newestMessage(log []Event) []uint64 {
	newest := make([]uint64, len(log)+1)
	for i, e := range log {
		if newest[i+1] = newest[i]; e.Visible {
			newest[i+1] = e.Offset
		}
	}
	return newest
}

// logModel is an append-only log whose state is its head.
func logModel(base uint64, newest []uint64) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return base },
		Step: func(state, input, output any) (bool, any) {
			head, offset := state.(uint64), output.(uint64) //nolint:forcetypeassert // as ranked made them
			if input == Read {
				return newest[head] == offset, head
			}
			return offset == head+1, offset
		},
		Hash: func(state any) uint64 { return state.(uint64) }, //nolint:forcetypeassert // as above
	}
}
