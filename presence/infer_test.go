package presence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// doingOf are kinds by their first letters: c, w, r, m.
func doingOf(letters string) (kinds []edgev1.Doing) {
	for _, l := range letters {
		kinds = append(kinds, edgev1.Doing(1+strings.IndexRune("cwrm", l)))
	}
	return kinds
}

// TestInfer goes through the rules that README.md gives. Minutes are written from the earliest to the latest, which is the present one.
func TestInfer(t *testing.T) {
	for done, want := range map[string]string{
		"":                          "",
		"m .":                       "MEETING 50",
		"m . .":                     "MEETING 50",
		"m . . .":                   "",
		"m m .":                     "MEETING 100",
		"m":                         "", // the present minute isn't over
		"mw w w w w .":              "WRITING 50",
		"w w w w .":                 "",
		"w w w w w .":               "WRITING 50",
		"w . w . w . w . w . .":     "WRITING 50",
		"w w . w . w . w . w . .":   "WRITING 50", // the first one is forgotten
		"w . . w . w . w . w . .":   "",
		"w w w w w w w w w w .":     "WRITING 100",
		"wc w w w w .":              "WRITING 50",
		"wc wc w w w .":             "",
		"w w w w w w wc wc wc wc .": "CHATTING 40",
		"r r r .":                   "REVIEWING 30",
		"r r .":                     "",
		"rw rw rw .":                "", // no more than was written
		"rw rw r .":                 "REVIEWING 30",
		"r r r r r r w w w w .":     "REVIEWING 60",
		"rw rw rw rw rw r .":        "WRITING 50",
		"c c c c .":                 "CHATTING 40",
		"c c c .":                   "",
		"cr cr cr cr .":             "REVIEWING 40",
		"mcwr .":                    "MEETING 50",
	} {
		var m minutes
		for i, minute := range strings.Fields(done) {
			if i > 0 {
				m = m.after(1)
			}
			if minute != "." {
				m = m.with(doingOf(minute), 0)
			}
		}
		got := ""
		if g := infer(m); g != (guess{}) {
			got = fmt.Sprint(g.kind.String()[len("ACTIVITY_KIND_"):], " ", g.confidence)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", done, got, want)
		}
	}
}

// TestMinutes: nothing is known of what was done before the minutes that are kept, nor of kinds that there are not.
func TestMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m minutes
		var all [][]edgev1.Doing // by minutes
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			n := rapid.Int64Range(0, 14).Draw(t, "after")
			m = m.after(n)
			for range n {
				all = append(all, nil)
			}
			if len(all) == 0 {
				all = append(all, nil)
			}
			kinds := rapid.SliceOfN(rapid.Map(rapid.Int32Range(-1, 9), func(i int32) edgev1.Doing { return edgev1.Doing(i) }), 0, 3).Draw(t, "kinds")
			ago := rapid.IntRange(0, len(all)-1).Draw(t, "ago")
			m = m.with(kinds, int64(ago))
			all[len(all)-1-ago] = append(all[len(all)-1-ago], kinds...)
			if m > keptMinutes {
				t.Fatalf("more is kept than may be: %x", m)
			}
			for kind := edgev1.Doing_DOING_CHAT; kind <= edgev1.Doing_DOING_MEET; kind++ {
				for n := range ruled + 1 {
					want := 0
					for _, done := range all[max(0, len(all)-1-n) : len(all)-1] {
						if slices.Contains(done, kind) {
							want++
						}
					}
					if got := m.count(kind, n); got != want {
						t.Fatalf("%v in %d of the last %d minutes, want %d", kind, got, n, want)
					}
				}
			}
		}
	})
}

// TestSteady: whatever is done, what is inferred changes at the beginning of a minute of theirs, not within two minutes of the last time but to end with being away,
// and is told in whole minutes; of who does not want it, or is away, nothing is.
func TestSteady(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_000_000, 0)
		d := newDoing(personKey{"w", rapid.StringMatching("[a-z]{4}").Draw(t, "user")}, now)
		var was *presencev1.Activity
		var changed, looked int64 // minutes
		changed = d.minute - 2
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "s")) * time.Second)
			inferring, away := rapid.IntRange(0, 30).Draw(t, "off") > 0, rapid.IntRange(0, 30).Draw(t, "away") == 0
			if inferring {
				d.pass(now)
				d.done = d.done.with(doingOf(rapid.SampledFrom([]string{"", "", "c", "w", "w", "w", "r", "m", "cw"}).Draw(t, "does")), 0)
			}
			told, next := d.current(now, inferring, away)
			minute := d.at(now)
			switch {
			case (!inferring || away) && told != nil:
				t.Fatalf("told as %v, though it is off (%t), or they are away (%t)", told, !inferring, away)
			case !inferring && d.done != 0:
				t.Fatal("something is kept of what they have done, though it is off")
			case told != nil && (told.GetConfidence() < 1 || told.GetConfidence() > 100 || !told.GetInferred() || told.GetSinceMs()%60_000 != 0):
				t.Fatalf("told as %v", told)
			case told != nil && !next.After(now):
				t.Fatalf("to be looked at again at %v, at %v", next, now)
			}
			if told.GetKind() != was.GetKind() || told.GetConfidence() != was.GetConfidence() {
				if ended := told == nil && (!inferring || away); !ended && (minute-changed < 2 || minute == looked) {
					t.Fatalf("from %v to %v in minute %d, after a change in minute %d and a look in minute %d", was, told, minute, changed, looked)
				}
				changed = minute
			}
			was, looked = told, minute
		}
	})
}
