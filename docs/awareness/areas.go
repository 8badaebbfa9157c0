package awareness

import (
	"cmp"
	"slices"
	"time"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// Mark is where somebody is, or has edited.
type Mark struct {
	User        string
	Edit        bool          // else it is a cursor or, where it is not empty, a selection
	Age         time.Duration // since it was edited last
	From, To    int           // in code units
	First, Last int           // the lines that they stand in
}

// Area is where people may be in each other's way.
type Area struct {
	From, To    int // in code units
	First, Last int // its lines; no other area has one of them
	Users       []string
	Severity    docsv1.Severity
}

// Between is how severe it is that two marks are where they are: the table stands at docs.proto's Severity. It doesn't matter which comes first.
func Between(a, b Mark) docsv1.Severity { return between(&a, &b) }

func between(a, b *Mark) docsv1.Severity {
	lines := max(0, a.First-b.Last, b.First-a.Last)
	switch age := max(a.Age, b.Age); {
	case a.User == b.User || a.Edit != b.Edit:
		return docsv1.Severity_SEVERITY_UNSPECIFIED
	case a.Edit && age < justNow && lines <= 1, !a.Edit && max(a.From, b.From) < min(a.To, b.To):
		return docsv1.Severity_SEVERITY_HIGH
	case a.Edit && age < afresh && lines <= editLines:
		return docsv1.Severity_SEVERITY_MEDIUM
	case !a.Edit && lines <= nearLines:
		return docsv1.Severity_SEVERITY_LOW
	}
	return docsv1.Severity_SEVERITY_UNSPECIFIED
}

// Areas are made of the marks of which two are in each other's way. What has a line in common is one area. The most severe comes first, and of several
// the first in the document.
func Areas(marks []Mark) []Area {
	marks = slices.Clone(marks)
	slices.SortFunc(marks, func(a, b Mark) int { return cmp.Compare(a.First, b.First) })
	var areas []Area
	in := make([]int, len(marks)) // the number of the area that a mark is in, from 1
	for i := range marks {
		a := &marks[i]
		for j := i + 1; j < len(marks) && marks[j].First-a.Last <= editLines; j++ {
			b := &marks[j]
			severity := between(a, b)
			if severity == docsv1.Severity_SEVERITY_UNSPECIFIED {
				continue
			}
			// Pairs come in the order of their first lines: this one can meet the last area alone, and two areas have no mark in common.
			if n := len(areas); n == 0 || areas[n-1].Last < a.First {
				areas = append(areas, Area{From: a.From, First: a.First})
			}
			x := &areas[len(areas)-1]
			x.From, x.To, x.Last = min(x.From, a.From, b.From), max(x.To, a.To, b.To), max(x.Last, a.Last, b.Last)
			x.Severity = max(x.Severity, severity)
			in[i], in[j] = len(areas), len(areas)
		}
	}
	for i, n := range in {
		if n > 0 {
			areas[n-1].Users = append(areas[n-1].Users, marks[i].User)
		}
	}
	for i := range areas {
		slices.Sort(areas[i].Users)
		areas[i].Users = slices.Compact(areas[i].Users)
	}
	slices.SortFunc(areas, func(a, b Area) int { return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.First, b.First)) })
	return areas
}
