package ot

import "bytes"

// Lines are the numbers of the lines, from 0, in which places stand that ascend, in UTF-16 code units; one beyond the end stands in the last line. A line ends
// with "\n". It costs a look at all that stands before the last place.
func (d *Document) Lines(places []int) []int {
	lines := make([]int, len(places))
	line, from := 0, 0
	for i, place := range places {
		place = min(max(place, 0), d.Len())
		if d.Cuts(place) {
			place--
		}
		d.root.walk(from, place, func(r *run, text []byte) bool {
			if r.embed == nil {
				line += bytes.Count(text, newline)
			}
			return true
		})
		lines[i], from = line, place
	}
	return lines
}

var newline = []byte{'\n'}
