package awareness_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/docs/awareness"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

const (
	none   = docsv1.Severity_SEVERITY_UNSPECIFIED
	low    = docsv1.Severity_SEVERITY_LOW
	medium = docsv1.Severity_SEVERITY_MEDIUM
	high   = docsv1.Severity_SEVERITY_HIGH
)

// cursor, selection and edit are marks in lines of ten code units.
func cursor(user string, line int) awareness.Mark {
	return awareness.Mark{User: user, From: 10 * line, To: 10 * line, First: line, Last: line}
}

func selection(user string, from, to int) awareness.Mark {
	return awareness.Mark{User: user, From: from, To: to, First: from / 10, Last: to / 10}
}

func edit(user string, line int, age time.Duration) awareness.Mark {
	return awareness.Mark{User: user, Edit: true, Age: age, From: 10 * line, To: 10*line + 5, First: line, Last: line}
}

// TestBetween is the table of docs.proto's Severity, and its edges.
func TestBetween(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		what string
		a, b awareness.Mark
		want docsv1.Severity
	}{
		{"cursors in one line", cursor("a", 4), cursor("b", 4), low},
		{"cursors two lines apart", cursor("a", 4), cursor("b", 6), low},
		{"cursors three lines apart", cursor("a", 4), cursor("b", 7), none},
		{"somebody's own", cursor("a", 4), cursor("a", 4), none},
		{"selections that overlap", selection("a", 10, 30), selection("b", 29, 90), high},
		{"selections that meet", selection("a", 10, 30), selection("b", 30, 90), low},
		{"a cursor within a selection", selection("a", 10, 90), selection("b", 40, 40), low},
		{"selections far apart", selection("a", 10, 19), selection("b", 60, 69), none},
		{"edits of a line", edit("a", 4, 0), edit("b", 4, 9*s), high},
		{"edits of adjacent lines", edit("a", 4, 0), edit("b", 5, 0), high},
		{"edits two lines apart", edit("a", 4, 0), edit("b", 6, 0), medium},
		{"edits of a line, one of ten seconds ago", edit("a", 4, 0), edit("b", 4, 10*s), medium},
		{"edits five lines apart", edit("a", 4, 0), edit("b", 9, 29*s), medium},
		{"edits six lines apart", edit("a", 4, 0), edit("b", 10, 0), none},
		{"edits, one of half a minute ago", edit("a", 4, 0), edit("b", 4, 30*s), none},
		{"a cursor where somebody has edited", cursor("a", 4), edit("b", 4, 0), none},
	} {
		if got := awareness.Between(c.a, c.b); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
		if got := awareness.Between(c.b, c.a); got != c.want {
			t.Errorf("%s, the other way: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestAreas(t *testing.T) {
	got := awareness.Areas([]awareness.Mark{
		cursor("d", 50), cursor("c", 52), // low
		edit("a", 4, time.Second), edit("b", 5, 0), edit("c", 8, 0), // a chain: high, with the worst of it
		edit("e", 30, 20*time.Second), edit("f", 33, 0), // medium
		cursor("g", 200), edit("g", 200, 0), // alone
	})
	want := []awareness.Area{
		{From: 40, To: 85, First: 4, Last: 8, Users: []string{"a", "b", "c"}, Severity: high},
		{From: 300, To: 335, First: 30, Last: 33, Users: []string{"e", "f"}, Severity: medium},
		{From: 500, To: 520, First: 50, Last: 52, Users: []string{"c", "d"}, Severity: low},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func anyMark(t *rapid.T) awareness.Mark {
	from := rapid.IntRange(0, 300).Draw(t, "from")
	to := from
	if rapid.Bool().Draw(t, "long") {
		to += rapid.IntRange(0, 60).Draw(t, "length")
	}
	m := selection(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "user"), from, to)
	if m.Edit = rapid.Bool().Draw(t, "edit"); m.Edit {
		m.Age = time.Duration(rapid.IntRange(0, 35).Draw(t, "age")) * time.Second
	}
	return m
}

// Areas don't depend on the order of marks; they share no line, and each has the worst of the pairs in it, whose people are in it; each pair that is in each
// other's way is in one; and another mark takes nothing away.
func TestAreasAreThoseOfPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		marks := rapid.SliceOfN(rapid.Custom(anyMark), 0, 25).Draw(t, "marks")
		given := slices.Clone(marks)
		areas := awareness.Areas(marks)
		if !slices.Equal(marks, given) {
			t.Fatal("the marks were changed")
		}
		if again := awareness.Areas(rapid.Permutation(marks).Draw(t, "another order")); !reflect.DeepEqual(areas, again) {
			t.Fatalf("%+v, and in another order %+v", areas, again)
		}
		worst, users := make([]docsv1.Severity, len(areas)), make([]map[string]bool, len(areas))
		for i, a := range marks {
			for _, b := range marks[:i] {
				severity := awareness.Between(a, b)
				if severity == none {
					continue
				}
				at := slices.IndexFunc(areas, func(x awareness.Area) bool { return x.First <= min(a.First, b.First) && x.Last >= max(a.Last, b.Last) })
				if at < 0 || areas[at].From > min(a.From, b.From) || areas[at].To < max(a.To, b.To) {
					t.Fatalf("%+v and %+v are in none of %+v", a, b, areas)
				}
				if users[at] == nil {
					users[at] = map[string]bool{}
				}
				worst[at], users[at][a.User], users[at][b.User] = max(worst[at], severity), true, true
			}
		}
		for i, x := range areas {
			if x.Severity != worst[i] || len(x.Users) != len(users[i]) || len(x.Users) < 2 || !slices.IsSorted(x.Users) {
				t.Fatalf("%+v is of %v, worst %v", x, users[i], worst[i])
			}
			if i > 0 && areas[i-1].Severity < x.Severity {
				t.Fatalf("the order of %+v", areas)
			}
			for _, y := range areas[:i] {
				if x.First <= y.Last && y.First <= x.Last {
					t.Fatalf("%+v and %+v share a line", x, y)
				}
			}
		}
		for _, was := range areas {
			if !slices.ContainsFunc(awareness.Areas(append(marks, anyMark(t))), func(x awareness.Area) bool {
				return x.First <= was.First && x.Last >= was.Last && x.From <= was.From && x.To >= was.To && x.Severity >= was.Severity
			}) {
				t.Fatalf("another mark has taken %+v away", was)
			}
		}
	})
}

func BenchmarkAreas(b *testing.B) {
	var marks []awareness.Mark
	for i := range 456 { // as many as there can be, all at one place
		m := edit(string(rune('a'+i%200)), 4, 0)
		m.Edit = i >= 200
		marks = append(marks, m)
	}
	for b.Loop() {
		awareness.Areas(marks)
	}
}
