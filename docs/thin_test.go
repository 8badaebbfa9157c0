package docs

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawVersions are versions of random times up to now, no two next to each other further apart than gap.
func drawVersions(t *rapid.T, now time.Time, gap int) (list []versionRow) {
	at, version := now, uint64(100_000)
	for range rapid.IntRange(0, 100).Draw(t, "versions") {
		pause := rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "pause")
		at = at.Add(-time.Duration(rapid.IntRange(0, 50).Draw(t, "times")) * pause)
		v := versionRow{version: version, timeMs: at.UnixMilli(), bytes: int64(rapid.IntRange(1, 10*gap).Draw(t, "bytes"))}
		if rapid.IntRange(0, 9).Draw(t, "named") == 9 {
			v.name = "a name"
		}
		list = append(list, v)
		version -= uint64(rapid.IntRange(1, gap).Draw(t, "edits"))
	}
	slices.Reverse(list)
	for i := range list { // the first lies as near to the beginning of the log
		list[i].version -= version
	}
	return list
}

// without is what is left, with what lies between two versions told of the latter.
func without(list []versionRow, gone []uint64) (left []versionRow) {
	bytes := int64(0)
	for _, v := range list {
		if bytes += v.bytes; !slices.Contains(gone, v.version) {
			v.bytes, bytes = bytes, 0
			left = append(left, v)
		}
	}
	return left
}

func TestThinned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 31, 23, 59, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "now")) * time.Second)
		gap := rapid.IntRange(1, 100).Draw(t, "gap")
		gapBytes := int64(rapid.IntRange(10*gap, 100*gap).Draw(t, "gap bytes"))
		thin := func(now time.Time, list []versionRow) []uint64 { return thinned(now, list, uint64(gap), gapBytes) }
		list := drawVersions(t, now, gap)
		gone := thin(now, list)
		left := without(list, gone)
		if !slices.IsSorted(gone) || len(left)+len(gone) != len(list) {
			t.Fatalf("%v of %v", gone, list)
		}
		before, spans := uint64(0), map[string]int{}
		for i, v := range left {
			if v.version-before > uint64(gap) || v.bytes > gapBytes {
				t.Fatalf("a gap of %d, of %d bytes", v.version-before, v.bytes)
			}
			before = v.version
			// Beside those with a name, those that keep a gap closed, and the newest, each span has one.
			first := uint64(0)
			if i > 0 {
				first = left[i-1].version
			}
			closes := i+1 < len(left) && (left[i+1].version-first > uint64(gap) || v.bytes+left[i+1].bytes > gapBytes)
			if v.name == "" && !closes && i+1 < len(left) {
				spans[span(now, v.timeMs)]++
			}
		}
		for s, n := range spans {
			if n > 1 {
				t.Fatalf("%d of %s", n, s)
			}
		}
		for i, v := range list {
			if (v.name != "" || i == len(list)-1) && slices.Contains(gone, v.version) {
				t.Fatalf("%v has gone", v)
			}
		}
		if again := thin(now, left); len(again) > 0 {
			t.Fatalf("%v go the second time", again)
		}
		// A batch is the beginning of it: who goes on later, comes to the same.
		if n := len(gone); n > 1 {
			half := without(list, gone[:n/2])
			if rest := thin(now, half); !slices.Equal(rest, gone[n/2:]) {
				t.Fatalf("after a half %v go, not %v", rest, gone[n/2:])
			}
		}
	})
}

// A document that is edited all the time and thinned now and then has some hundred versions at any time.
func TestThinnedAllTheTime(t *testing.T) {
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	var list []versionRow
	most := 0
	for minute := range 35 * 24 * 60 {
		now := begin.Add(time.Duration(minute) * time.Minute)
		list = append(list, versionRow{version: uint64(minute + 1), timeMs: now.UnixMilli()})
		if minute%30 == 0 {
			list = without(list, thinned(now, list, 1<<40, 1<<40))
			most = max(most, len(list))
		}
	}
	if most > 60+30+25+31+2 || most < 110 {
		t.Errorf("%d versions", most)
	}
}

// A document that nobody opens any more is looked at ever more rarely, until nothing more can go; then it is as it would be for ever.
func TestThinsNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 31, 23, 59, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "now")) * time.Second)
		list := drawVersions(t, now, 100)
		if len(list) > 0 && rapid.Bool().Draw(t, "floor") {
			list[0].floor = true
		}
		thin := func(now time.Time) {
			list = without(list, thinned(now, list, 1<<40, 1<<40))
		}
		end := without(list, thinned(now.Add(400*24*time.Hour), list, 1<<40, 1<<40))
		first, looks := now, 0
		for thin(now); ; looks++ {
			next := thinsNext(now, list)
			if next.IsZero() {
				break
			}
			if next.Before(now.Add(thinGap)) || looks > 200 {
				t.Fatalf("looked at %d times, and %v after the last one", looks, next.Sub(now))
			}
			now = next
			thin(now)
		}
		if len(list) != len(end) {
			t.Fatalf("in the end %d stay, %d are to", len(list), len(end))
		}
		if n := len(list); n > 0 && now.Sub(first) > 60*24*time.Hour {
			t.Fatalf("looked at for %v", now.Sub(first))
		}
		if len(list) > 0 && len(end) > 0 && list[0].floor != end[0].floor {
			t.Fatal("the floor has gone")
		}
	})
}

// The floor stays, and what lies behind it is counted from there.
func TestThinnedFromAFloor(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	var list []versionRow
	for i := range uint64(6) {
		list = append(list, versionRow{version: 100 + 10*i, timeMs: now.Add(-90 * 24 * time.Hour).UnixMilli(), bytes: 10, floor: i == 0})
	}
	for gap, want := range map[uint64][]uint64{1000: {110, 120, 130, 140}, 20: {110, 130}, 10: nil} {
		if got := thinned(now, list, gap, 1000); !slices.Equal(got, want) {
			t.Errorf("gap %d: %v, want %v", gap, got, want)
		}
	}
}

// A document that is closed leaves a job that thins its versions out later on, and keeps away from what is open.
func TestThinClosed(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada := w.person("ada")
		doc := ada.create("")
		k := docKey{"w", doc}
		head := uint64(1)
		for range 70 {
			head = must(ada.submit(doc, head, inserts("x")))(t).GetVersion()
			head = must(ada.name(doc, head, "a name"))(t).GetVersion()
		}
		w.exec(`UPDATE docs_version SET name = '', time_ms = $1 + version`, time.Now().Add(-26*time.Hour).UnixMilli())
		var due int64
		if err := w.db.QueryRow(t.Context(), `SELECT due_ms FROM docs_job WHERE document = $1 AND kind = 'thin'`, doc).Scan(&due); err != nil || time.Until(time.UnixMilli(due)) > thinGap {
			t.Errorf("due at %v, %v", time.UnixMilli(due), err)
		}
		look := func(what string, least, most time.Duration, left int) {
			t.Helper()
			next, err := w.server.thinClosed(t.Context(), k)
			if in := time.Until(next); err != nil || next.IsZero() != (most == 0) || most > 0 && (in < least-time.Minute || in > most) {
				t.Errorf("%s: again in %v, %v", what, in, err)
			}
			if n := len(ada.versions(doc, 100, false)); n != left {
				t.Errorf("%s: %d versions, want %d", what, n, left)
			}
		}
		look("open", thinGap, thinGap, 70)
		w.closeNow(doc)
		look("a batch", -time.Minute, time.Minute, 20)
		look("the rest", -time.Minute, time.Minute, 1)
		look("the end", 0, 0, 1)
		must(ada.submit(doc, head, inserts("y")))(t)
		must(ada.name(doc, head+1, "z"))(t)
		w.closeNow(doc)
		look("with a new one", thinGap, time.Hour, 2)
		w.exec(`DELETE FROM docs_document`)
		if next, err := w.server.thinClosed(t.Context(), k); err != nil || !next.IsZero() {
			t.Errorf("none: %v, %v", next, err)
		}
	})
}

func TestAuthors(t *testing.T) {
	var a authors
	for _, user := range []string{"bob", "ada", "bob", ""} {
		a.add(user)
	}
	if got := parseAuthors(a.String()); !slices.Equal(got.users, []string{"ada", "bob"}) || got.more {
		t.Errorf("%v", got)
	}
	for i := range maxAuthors {
		a.add(string(rune('A'+i%26)) + string(rune('a'+i/26)))
	}
	if got := parseAuthors(a.String()); len(got.users) != maxAuthors || !got.more || !slices.IsSorted(got.users) {
		t.Errorf("%v", got)
	}
	if got := parseAuthors(authors{}.String()); len(got.users) != 0 || got.more {
		t.Errorf("%v", got)
	}
}
