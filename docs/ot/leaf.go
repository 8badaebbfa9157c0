package ot

import "slices"

// How large a leaf and a node become. Half a kilobyte moves faster than one more level is looked through.
const (
	maxText = 1 << 10 // bytes of text in a leaf
	maxRuns = 64      // runs in a leaf
	maxKids = 24      // of an inner node
)

// run is a stretch of text of one format, or an embed.
type run struct {
	units int // UTF-16 code units
	bytes int // of the leaf's text; 0 for an embed
	embed *Embed
	attrs *Attributes
}

// joins reports that two runs next to each other are one operation in normal form.
func (r *run) joins(next *run) bool {
	return r.embed == nil && next.embed == nil && r.attrs.Equal(next.attrs)
}

// ascii: then bytes are code units.
func (r *run) ascii() bool { return r.bytes == r.units }

// where is a place in a leaf: run i, so many code units and bytes into it, and the byte of the leaf's text.
type where struct {
	i           int
	units, into int
	at          int
}

// locate finds a place. At the border of two runs it is the start of the second. It never lies in a surrogate pair: check saw to that.
func (n *node) locate(at int) where {
	w := where{}
	for w.i < len(n.runs) && at >= n.runs[w.i].units {
		at -= n.runs[w.i].units
		w.at += n.runs[w.i].bytes
		w.i++
	}
	if at > 0 {
		w.units, w.into = at, at
		if r := &n.runs[w.i]; !r.ascii() {
			w.into, _ = offset(n.text[w.at:w.at+r.bytes], at)
		}
		w.at += w.into
	}
	return w
}

// insert puts an insert of at most maxText/2 bytes into a leaf. Text joins a neighbour of its format.
func (n *node) insert(at int, op Op) {
	w := n.locate(at)
	come := run{units: op.n, bytes: len(op.text), embed: op.embed, attrs: op.attrs}
	into := -1
	switch {
	case w.units > 0:
		if n.runs[w.i].joins(&come) {
			into = w.i
		}
	case w.i > 0 && n.runs[w.i-1].joins(&come):
		into = w.i - 1
	case w.i < len(n.runs) && n.runs[w.i].joins(&come):
		into = w.i
	}
	if into >= 0 {
		n.runs[into].units += come.units
		n.runs[into].bytes += come.bytes
	} else {
		n.runs = slices.Insert(n.runs, n.split(w), come)
		n.sum.runs++
		n.sum.format += come.attrs.size()
	}
	if op.text != "" {
		n.text = insertText(n.text, w.at, op.text)
		if come.bytes != come.units {
			_, pairs := measure(op.text)
			n.sum.pairs += pairs
		}
	} else {
		n.sum.embeds++
	}
	n.sum.units += op.n
}

func insertText(text []byte, at int, s string) []byte {
	n := len(text)
	if n+len(s) > cap(text) {
		text = slices.Grow(text, min(max(len(s), n), maxText))
	}
	text = text[:n+len(s)]
	copy(text[at+len(s):], text[at:n])
	copy(text[at:], s)
	return text
}

// split makes a border between two runs at a place, and returns the index of the run behind it.
func (n *node) split(w where) int {
	if w.units == 0 {
		return w.i
	}
	tail := n.runs[w.i]
	tail.units -= w.units
	tail.bytes -= w.into
	n.runs[w.i].units, n.runs[w.i].bytes = w.units, w.into
	n.runs = slices.Insert(n.runs, w.i+1, tail)
	n.sum.runs++
	n.sum.format += tail.attrs.size()
	return w.i + 1
}

// join makes one run of run i and the next if they are one in normal form.
func (n *node) join(i int) {
	if i < 0 || i+1 >= len(n.runs) || !n.runs[i].joins(&n.runs[i+1]) {
		return
	}
	n.runs[i].units += n.runs[i+1].units
	n.runs[i].bytes += n.runs[i+1].bytes
	n.sum.runs--
	n.sum.format -= n.runs[i].attrs.size()
	n.runs = slices.Delete(n.runs, i+1, i+2)
}

// remove takes out of a leaf what lies between two places.
func (n *node) remove(from, to int) {
	a, b := n.locate(from), n.locate(to)
	if a.i == b.i { // within one run, which stays
		n.runs[a.i].units -= to - from
		n.runs[a.i].bytes -= b.at - a.at
	} else {
		first := a.i
		if a.units > 0 {
			n.runs[a.i].units, n.runs[a.i].bytes = a.units, a.into
			first++
		}
		for _, r := range n.runs[first:b.i] {
			n.sum.runs--
			n.sum.format -= r.attrs.size()
			if r.embed != nil {
				n.sum.embeds--
			}
		}
		if b.units > 0 {
			n.runs[b.i].units -= b.units
			n.runs[b.i].bytes -= b.into
		}
		n.runs = slices.Delete(n.runs, first, b.i)
		n.join(first - 1)
	}
	if n.sum.pairs > 0 {
		_, pairs := measure(n.text[a.at:b.at])
		n.sum.pairs -= pairs
	}
	n.text = slices.Delete(n.text, a.at, b.at)
	n.sum.units -= to - from
}

// change gives the runs of a leaf between two places new formats, and new data to an embed.
func (n *node) change(from, to int, f *formatting) {
	first := n.split(n.locate(from))
	end := n.split(n.locate(to))
	for i := first; i < end; i++ {
		r := &n.runs[i]
		n.sum.format -= r.attrs.size()
		r.attrs = f.over(r.attrs)
		n.sum.format += r.attrs.size()
		if f.embed != nil {
			r.embed = f.embed
		}
	}
	for i := min(end, len(n.runs)-1); i >= first; i-- {
		n.join(i - 1)
	}
}

// halve moves about half of a leaf that is too large into a new one.
func (n *node) halve(o *owner) *node {
	i := len(n.runs) / 2
	if len(n.text) > maxText {
		i = n.split(n.middle())
	}
	right := &node{owner: o, runs: slices.Clone(n.runs[i:])}
	bytes := 0
	for _, r := range n.runs[:i] {
		bytes += r.bytes
	}
	right.text = append(make([]byte, 0, maxText), n.text[bytes:]...)
	n.runs = slices.Delete(n.runs, i, len(n.runs))
	n.text = n.text[:bytes]
	all := n.sum
	right.count()
	n.sum = all.minus(right.sum)
	return right
}

// middle is the border of a character near the middle of a leaf's text.
func (n *node) middle() where {
	w := where{}
	half := len(n.text) / 2
	for n.runs[w.i].bytes <= half-w.at {
		w.at += n.runs[w.i].bytes
		w.i++
	}
	r := &n.runs[w.i]
	end := half
	for end > w.at && n.text[end]&0xC0 == 0x80 {
		end--
	}
	w.into = end - w.at
	w.units = w.into
	if !r.ascii() {
		w.units, _ = measure(n.text[w.at:end])
	}
	w.at = end
	return w
}

// absorb appends another leaf.
func (n *node) absorb(right *node) {
	seam := len(n.runs) - 1
	n.runs = append(n.runs, right.runs...)
	n.text = append(n.text, right.text...)
	n.sum = n.sum.plus(right.sum)
	n.join(seam)
}

// count counts a leaf anew.
func (n *node) count() {
	n.sum = sum{runs: len(n.runs)}
	bytes := 0
	for _, r := range n.runs {
		n.sum.units += r.units
		n.sum.format += r.attrs.size()
		if r.embed != nil {
			n.sum.embeds++
		}
		bytes += r.bytes
	}
	if bytes != n.sum.units-n.sum.embeds {
		_, n.sum.pairs = measure(n.text)
	}
}
