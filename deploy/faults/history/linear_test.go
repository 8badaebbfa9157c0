package history

import (
	"fmt"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"
)

// TestNarrowingKeepsTheVerdict holds the narrow windows and the stretches against Porcupine alone, on histories that may be linearizable or not.
func TestNarrowingKeepsTheVerdict(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(r, "operations")
		log := []Event{{Offset: 1, Visible: true}}
		var ops []Op
		for i := range n {
			call := time.Duration(rapid.IntRange(0, 12).Draw(r, "call"))
			op := Op{Device: i, Kind: Post, ID: fmt.Sprint(i), Outcome: Done, Call: call, Return: call + time.Duration(rapid.IntRange(1, 6).Draw(r, "takes"))}
			if rapid.Bool().Draw(r, "read") {
				op.Kind, op.Offset = Read, uint64(rapid.IntRange(1, n+1).Draw(r, "sees"))
			} else {
				op.Offset = uint64(len(log) + 1)
				log = append(log, Event{Offset: op.Offset, ID: op.ID, Visible: rapid.IntRange(0, 3).Draw(r, "visible") > 0})
				if rapid.IntRange(0, 4).Draw(r, "settled") == 0 {
					op.Outcome = Unsettled
				}
			}
			ops = append(ops, op)
		}
		var whole []porcupine.Operation
		sane := true
		for _, w := range effects(ops, log) {
			sane = sane && w.at <= uint64(len(log))
			whole = append(whole, porcupine.Operation{ClientId: w.Device, Input: w.Kind, Call: int64(w.from), Output: w.at, Return: int64(w.to)})
		}
		want := sane && porcupine.CheckOperations(logModel(1, newestMessage(log)), whole)
		if err := linearizable(ops, 1, log); (err == nil) != want {
			r.Fatalf("Porcupine alone says %t, with narrow windows: %v\nlog %+v\n%+v", want, err, log, ops)
		}
	})
}

// TestLongWaitsAreJudgedInTime: thousands of operations that all waited for the same minute are no search.
func TestLongWaitsAreJudgedInTime(t *testing.T) {
	log := []Event{{Offset: 1, Visible: true}}
	var ops []Op
	for i := range uint64(5000) {
		log = append(log, Event{Offset: i + 2, ID: fmt.Sprint(i), Visible: i%3 > 0})
		ops = append(ops, Op{Device: int(i), Kind: Post, ID: fmt.Sprint(i), Outcome: Done, Offset: i + 2, Call: time.Duration(i % 7), Return: time.Minute})
	}
	if err := linearizable(ops, 1, log); err != nil {
		t.Error(err)
	}
}

func TestAStretchEndsWhereNothingIsUnderWay(t *testing.T) {
	w := func(from, to time.Duration) *window { return &window{from: from, to: to} }
	cut := stretches([]*window{w(8, 9), w(0, 5), w(3, 4), w(5, 6), w(7, 9)})
	if len(cut) != 2 || len(cut[0]) != 3 || len(cut[1]) != 2 {
		t.Errorf("%d stretches", len(cut))
	}
}
