package topic

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func key(seq uint64) Key { return Key{User: "u", ClientID: "c", Seq: seq} }

func wantCode(t *testing.T, err error, code edgev1.Code, reason string) {
	t.Helper()
	if e := rpc.FromError(err); e.GetCode() != code || e.GetReason() != reason {
		t.Errorf("got %v, want %v %s", err, code, reason)
	}
}

func tail(t *testing.T, l *Log, page string, after *edgev1.Cursor) ([]*topicv1.Record, *edgev1.Error) {
	t.Helper()
	var records []*topicv1.Record
	var reset *edgev1.Error
	err := l.Tail(context.Background(), "w", pages+page, after, 0, func(r *topicv1.TailResponse) error {
		records = append(records, r.GetRecords()...)
		reset = r.GetReset_()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records, reset
}

func bodies(records []*topicv1.Record) string {
	var s []string
	for _, r := range records {
		s = append(s, fmt.Sprintf("%d:%s", r.GetEvent().GetOffset(), r.GetEvent().GetBody()))
	}
	return strings.Join(s, " ")
}

func TestRetries(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url))
		first, err := send(l, "p", key(1), "one")
		if err != nil || !slices.Equal(first, []uint64{1}) {
			t.Fatal(first, err)
		}
		if again, err := send(l, "p", key(1), "one"); err != nil || !slices.Equal(again, first) {
			t.Errorf("the retry got %v, %v", again, err)
		}
		_, err = send(l, "p", key(1), "other")
		wantCode(t, err, edgev1.Code_CODE_CONFLICT, "topic.KEY_REUSED")
		if second, err := send(l, "p", key(2), "two"); err != nil || !slices.Equal(second, []uint64{2}) {
			t.Errorf("got %v, %v", second, err)
		}
		if records, _ := tail(t, l, "p", nil); bodies(records) != "1:one 2:two" {
			t.Errorf("the topic holds %s", bodies(records))
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if o, err := send(l, "p", key(3), "three"); err != nil || !slices.Equal(o, []uint64{3}) {
					t.Errorf("got %v, %v", o, err)
				}
			})
		}
		wg.Wait()
	})
}
