package topic

import (
	"testing"
	"time"

	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Announcements behind a hole are bounded, those that have no heads, too: they come every second while the log can't be asked.
func TestLaterAnnouncementsAreBounded(t *testing.T) {
	v := newIntervals(time.Now())
	v.answered(make([]mark, Partitions))
	for range 3 * maxLater {
		if _, missed := v.take(time.Now(), 7, &topicv1.Derived{Epoch: 1, After: 9, Upto: 9}); !missed {
			t.Fatal("a hole was not noticed")
		}
	}
	if n := len(v.parts[7].later); n > maxLater {
		t.Errorf("%d announcements are kept", n)
	}
	at := make([]mark, Partitions)
	at[7] = mark{1, 9}
	if v.answered(at); v.waiting != 0 || len(v.parts[7].later) != 0 {
		t.Errorf("after the answer %d announcements are left, which cost %d", len(v.parts[7].later), v.waiting)
	}
}
