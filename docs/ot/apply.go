package ot

// Apply changes the document as Compose does, or fails and leaves it as it was: with PastEnd, SplitPair, DocumentFull, TooLarge (attributes or an embed
// that grew by composition), EmbedMismatch, NoHandler or HandlerFailed.
//
// Invariant: nothing changes before check has passed, and nothing fails after.
func (d *Document) Apply(change Delta) error {
	embeds, err := d.check(change)
	if err != nil {
		return err
	}
	at := 0
	for _, op := range change.ops {
		switch op.action {
		case Insert:
			op.attrs = d.formats.shared(op.attrs)
			d.insert(at, op)
			at += op.n
		case Delete:
			d.remove(at, at+op.n)
		case Retain:
			if !op.bare() {
				f := formatting{change: op.attrs, known: &d.formats}
				if op.embed != nil {
					f.embed, embeds = embeds[0], embeds[1:]
				}
				d.root = d.root.own(d.owner)
				d.grow(d.root.paint(at, at+op.n, &f, d.owner))
			}
			at += op.n
		}
	}
	return nil
}

// insert puts an insert of any length at a place, in parts that fit a leaf.
func (d *Document) insert(at int, op Op) {
	text, n := op.text, op.n
	for len(text) > maxText/2 {
		end := maxText / 2
		for text[end]&0xC0 == 0x80 {
			end--
		}
		op.text = text[:end]
		op.n, _ = measure(op.text)
		d.put(at, op)
		at, n, text = at+op.n, n-op.n, text[end:]
	}
	op.text, op.n = text, n
	d.put(at, op)
}

func (d *Document) put(at int, op Op) {
	d.root = d.root.own(d.owner)
	d.grow(d.root.put(at, op, d.owner))
}

// grow puts a new root above the old one and what was split off it.
func (d *Document) grow(right *node) {
	if right == nil {
		return
	}
	kids := append(make([]kid, 0, maxKids+1), kid{d.root.sum.units, d.root}, kid{right.sum.units, right})
	d.root = &node{owner: d.owner, sum: d.root.sum.plus(right.sum), kids: kids}
}

func (d *Document) remove(from, to int) {
	if from == 0 && to == d.Len() {
		d.root = &node{owner: d.owner}
		return
	}
	d.root = d.root.own(d.owner)
	d.root.cut(from, to, d.owner)
	for len(d.root.kids) == 1 {
		d.root = d.root.kids[0].node
	}
}
