package ot

// Run is what a Delta does at one place: operations that follow each other without a bare retain among them.
type Run struct {
	At    int   // where it begins, in UTF-16 code units of the document that the Delta is for
	Delta Delta // the operations, from there on
}

// Runs are the places that d changes, in order. They share its operations.
func (d Delta) Runs() (runs []Run) {
	at := 0
	for i := 0; i < len(d.ops); {
		if d.ops[i].bare() {
			at += d.ops[i].n
			i++
			continue
		}
		from, begin := i, at
		for ; i < len(d.ops) && !d.ops[i].bare(); i++ {
			if d.ops[i].action != Insert {
				at += d.ops[i].n
			}
		}
		runs = append(runs, Run{begin, Delta{d.ops[from:i:i], d.normal}})
	}
	return runs
}

// Join is the Delta of runs that lie in order and don't overlap. Of runs in normal form between which something lies it is in normal form, too.
func Join(runs ...Run) Delta {
	n := 0
	for _, r := range runs {
		n += 1 + len(r.Delta.ops)
	}
	d := Delta{make([]Op, 0, n), true}
	at := 0
	for i, r := range runs {
		if gap := r.At - at; gap > 0 {
			d.ops = append(d.ops, Op{action: Retain, n: gap})
		} else if i > 0 {
			d.normal = false
		}
		d.ops = append(d.ops, r.Delta.ops...)
		d.normal = d.normal && r.Delta.normal
		at = r.At + r.Delta.BaseLength()
	}
	return d
}
