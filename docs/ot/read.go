package ot

// walk visits the runs between two places, in parts where they are cut, with the text of each. It ends when visit returns false. A run is the tree's
// own: visit may keep it until the document changes.
func (n *node) walk(from, to int, visit func(r *run, text []byte) bool) bool {
	if n.leaf() {
		return n.walkRuns(from, to, visit)
	}
	for i := range n.kids {
		k := &n.kids[i]
		if to <= 0 {
			break
		}
		if from < k.units && !k.walk(max(from, 0), min(to, k.units), visit) {
			return false
		}
		from, to = from-k.units, to-k.units
	}
	return true
}

func (n *node) walkRuns(from, to int, visit func(r *run, text []byte) bool) bool {
	start := 0
	for i := range n.runs {
		r := &n.runs[i]
		if to <= 0 {
			break
		}
		if from < r.units {
			text := n.text[start : start+r.bytes]
			part := r
			if from > 0 || to < r.units { // not all of it
				units := min(to, r.units) - max(from, 0)
				text = cutText(text, max(from, 0), units)
				part = &run{units: units, bytes: len(text), embed: r.embed, attrs: r.attrs}
			}
			if !visit(part, text) {
				return false
			}
		}
		from, to = from-r.units, to-r.units
		start += r.bytes
	}
	return true
}

// cutText is what n code units of a text are, from a place on.
func cutText(text []byte, from, n int) []byte {
	start, _ := offset(text, from)
	size, _ := offset(text[start:], n)
	return text[start : start+size]
}

// ops are the inserts between two places, in normal form.
func (d *Document) ops(from, to int) []Op {
	b := sized(min(d.root.sum.runs, to-from))
	d.root.walk(from, to, func(r *run, text []byte) bool {
		b.push(Op{action: Insert, n: r.units, text: string(text), embed: r.embed, attrs: r.attrs})
		return true
	})
	return b.done().ops
}

// cuts reports that a place is within a surrogate pair.
func (n *node) cuts(at int) bool {
	for {
		if n.sum.pairs == 0 || at <= 0 || at >= n.sum.units {
			return false
		}
		if n.leaf() {
			break
		}
		i := 0
		for at >= n.kids[i].units {
			at -= n.kids[i].units
			i++
		}
		n = n.kids[i].node
	}
	start := 0
	for i := range n.runs {
		r := &n.runs[i]
		if at <= r.units {
			if r.embed != nil || r.ascii() {
				return false
			}
			_, whole := offset(n.text[start:start+r.bytes], at)
			return !whole
		}
		at -= r.units
		start += r.bytes
	}
	return false
}

// embed is the one at a place; nil if there is text.
func (d *Document) embed(at int) *Embed {
	var found *Embed
	d.root.walk(at, at+1, func(r *run, _ []byte) bool {
		found = r.embed
		return false
	})
	return found
}

// embedsIn counts those between two places.
func (n *node) embedsIn(from, to int) int {
	from, to = max(from, 0), min(to, n.sum.units)
	if from >= to || n.sum.embeds == 0 {
		return 0
	}
	if from == 0 && to == n.sum.units {
		return n.sum.embeds
	}
	count := 0
	if n.leaf() {
		for i := range n.runs {
			if n.runs[i].embed != nil && from <= 0 && to > 0 {
				count++
			}
			from, to = from-n.runs[i].units, to-n.runs[i].units
		}
		return count
	}
	for i := range n.kids {
		count += n.kids[i].embedsIn(from, to)
		from, to = from-n.kids[i].units, to-n.kids[i].units
	}
	return count
}
