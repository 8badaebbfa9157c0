package ot

// check finds out whether a change can be applied, and what becomes of the embeds that it changes, in their order.
func (d *Document) check(change Delta) ([]*Embed, error) {
	var embeds []*Embed
	at, size := 0, d.Len()
	grown := sum{} // at the most: runs that will join are counted apart
	for i, op := range change.ops {
		if op.action == Insert {
			grown.units += op.n
			grown.format += op.attrs.size()
			if op.embed != nil {
				grown.embeds++
			}
			continue
		}
		from := at
		if at += op.n; at > size {
			return nil, errorf(PastEnd, i, "it goes to %d, the document ends at %d", at, size)
		}
		if d.root.cuts(at) {
			return nil, splitPair(i)
		}
		if op.action == Delete {
			grown.units -= op.n
			grown.embeds -= d.root.embedsIn(from, at)
			continue
		}
		if op.attrs != nil {
			more, err := d.checkFormat(from, at, op.attrs, i)
			if err != nil {
				return nil, err
			}
			grown.format += more
		}
		if op.embed != nil {
			e, err := d.checkEmbed(from, op.embed, i)
			if err != nil {
				return nil, err
			}
			embeds = append(embeds, e)
		}
	}
	return embeds, d.checkGrowth(grown)
}

// checkFormat bounds the attributes of the runs between two places once more were set; it returns by how many bytes all together grow.
func (d *Document) checkFormat(from, to int, attrs *Attributes, op int) (int, error) {
	f := formatting{change: attrs}
	grown, largest := 0, 0
	d.root.walk(from, to, func(r *run, _ []byte) bool {
		n := f.over(r.attrs).size()
		grown += n - r.attrs.size()
		largest = max(largest, n)
		return largest <= d.limits.AttributeBytes
	})
	if largest > d.limits.AttributeBytes {
		return 0, errorf(TooLarge, op, "the attributes there would take %d bytes, the limit is %d", largest, d.limits.AttributeBytes)
	}
	return grown + 2*attrs.size(), nil // a run at each end may be cut in two
}

func (d *Document) checkEmbed(at int, change *Embed, op int) (*Embed, error) {
	e, err := d.embeds.over(d.embed(at), change, false, op)
	if err != nil {
		return nil, err
	}
	if n := len(e.json); n > d.limits.EmbedBytes {
		return nil, errorf(TooLarge, op, "the embed would take %d bytes, the limit is %d", n, d.limits.EmbedBytes)
	}
	if n := depth(e.json); n > d.limits.Depth {
		return nil, errorf(TooDeep, op, "the embed would nest %d deep, the limit is %d", n, d.limits.Depth)
	}
	return e, nil
}

// checkGrowth holds the document to its limits. One that is over them, since they were lowered, can still be made smaller.
func (d *Document) checkGrowth(grown sum) error {
	after := d.root.sum.plus(grown)
	switch {
	case grown.units > 0 && after.units > d.limits.DocumentUnits:
		return errorf(DocumentFull, NoOp, "it would make the document %d long, the limit is %d", after.units, d.limits.DocumentUnits)
	case grown.embeds > 0 && after.embeds > d.limits.Embeds:
		return errorf(DocumentFull, NoOp, "it would make the document have %d embeds, the limit is %d", after.embeds, d.limits.Embeds)
	case grown.format > 0 && after.format > d.limits.DocumentFormat:
		return errorf(DocumentFull, NoOp, "it would make the document's attributes take %d bytes, the limit is %d", after.format, d.limits.DocumentFormat)
	}
	return nil
}
