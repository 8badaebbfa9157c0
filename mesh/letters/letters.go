// Package letters says how much may be drawn over one letter of a text that stands in a line among others.
package letters

import "unicode"

// MaxMarks is how many marks one letter has at most: as many as a language needs, and none that scribble over the lines around.
const MaxMarks = 4

// Crowded reports whether a letter of s has more than MaxMarks marks. Those count that are drawn over what is before them (the categories Mn and Me), as
// s has them: what is composed is no mark. Of what shows nothing it doesn't matter how much of it stands between them.
func Crowded(s string) bool {
	marks := 0 // on one letter so far
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > MaxMarks {
				return true
			}
		case unicode.In(r, unicode.Cf, unicode.Cc) && !unicode.In(r, unicode.Prepended_Concatenation_Mark, unicode.White_Space): // what follows is drawn over the same letter
		default:
			marks = 0
		}
	}
	return false
}
