package ot_test

import (
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// Runs are all of a Delta but the bare retains, and joined they are the Delta.
func TestRunsAndJoin(t *testing.T) {
	property(t, func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta) {
		change := m.Change(s, base, s.IntN(6))
		for _, d := range []ot.Delta{change, transform(t, ot.Delta{}, change, ot.Earlier)} {
			runs := d.Runs()
			ops, at := 0, 0
			for i, r := range runs {
				if i > 0 && r.At <= at {
					t.Fatalf("run %d of %v begins at %d, the one before ends at %d", i, d, r.At, at)
				}
				at = r.At + r.Delta.BaseLength()
				for _, op := range r.Delta.Ops() {
					if ops++; op.Action() == ot.Retain && op.Attributes() == nil && op.Embed() == nil {
						t.Fatalf("a bare retain in run %d of %v", i, d)
					}
				}
			}
			for _, op := range d.Ops() {
				if op.Action() == ot.Retain && op.Attributes() == nil && op.Embed() == nil {
					ops++
				}
			}
			if ops != d.Count() {
				t.Fatalf("%d operations of %v", ops, d)
			}
			equal(t, transform(t, ot.Delta{}, ot.Join(runs...), ot.Earlier), transform(t, ot.Delta{}, d, ot.Earlier))
		}
	})
}
