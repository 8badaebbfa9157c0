package presence

import (
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// minutes is what somebody has done by minutes, the present one lowest: a bit for each kind. Of what was done before them nothing is known.
type minutes uint64

const (
	doings      = 4  // kinds of Doing
	ruled       = 10 // whole minutes that the rules look at
	keptMinutes = minutes(1)<<((1+ruled)*doings) - 1
)

// with is what has been done, and something more, so many minutes ago.
func (m minutes) with(kinds []edgev1.Doing, ago int64) minutes {
	for _, kind := range kinds {
		if kind > edgev1.Doing_DOING_UNSPECIFIED && kind <= doings && ago <= ruled { // else it is of a newer gateway, or long ago
			m |= 1 << (ago*doings + int64(kind) - 1)
		}
	}
	return m
}

// after is what has been done once n minutes have begun.
func (m minutes) after(n int64) minutes {
	if n > ruled {
		return 0
	}
	return m << (n * doings) & keptMinutes
}

// count is in how many of the last n whole minutes something was done.
func (m minutes) count(kind edgev1.Doing, n int) (count int) {
	for i := 1; i <= n; i++ {
		count += int(m >> (i*doings + int(kind) - 1) & 1)
	}
	return count
}

// guess is what somebody is taken to be doing.
type guess struct {
	kind       presencev1.ActivityKind // UNSPECIFIED: nothing that could be told
	confidence uint32                  // 1 to 100
}

// infer is what somebody is taken to be doing at the beginning of a minute, by the rules in README.md, the first that fits.
func infer(m minutes) guess {
	meet := m.count(edgev1.Doing_DOING_MEET, 2)
	write, review, chat := m.count(edgev1.Doing_DOING_WRITE, ruled), m.count(edgev1.Doing_DOING_REVIEW, ruled), m.count(edgev1.Doing_DOING_CHAT, ruled)
	share := func(of, all int) uint32 { return uint32(of * 100 / all) }
	switch {
	case meet > 0:
		return guess{presencev1.ActivityKind_ACTIVITY_KIND_MEETING, share(meet, 2)}
	case write >= 5 && chat < 2:
		return guess{presencev1.ActivityKind_ACTIVITY_KIND_WRITING, share(write, ruled)}
	case review >= 3 && review > write:
		return guess{presencev1.ActivityKind_ACTIVITY_KIND_REVIEWING, share(review, ruled)}
	case chat >= 4:
		return guess{presencev1.ActivityKind_ACTIVITY_KIND_CHATTING, share(chat, ruled)}
	}
	return guess{}
}
