package ot

import "fmt"

// Verify holds the tree to its invariants.
func (d *Document) Verify() error {
	_, err := d.root.verify(true)
	return err
}

// Leaves counts the leaves, for tests of how full they are.
func (d *Document) Leaves() int { return d.root.leaves() }

func (n *node) leaves() int {
	count := 0
	for _, k := range n.kids {
		count += k.leaves()
	}
	return max(count, 1)
}

// verify returns the height.
func (n *node) verify(root bool) (int, error) {
	if n.leaf() {
		return 0, n.verifyLeaf(root)
	}
	if len(n.kids) < 1 || root && len(n.kids) < 2 || len(n.kids) > maxKids || n.runs != nil || n.text != nil {
		return 0, fmt.Errorf("an inner node with %d kids", len(n.kids))
	}
	s, height := sum{}, -1
	for i, k := range n.kids {
		h, err := k.verify(false)
		if err != nil {
			return 0, err
		}
		if height >= 0 && h != height {
			return 0, fmt.Errorf("leaves %d and %d below", h, height)
		}
		if k.units != k.sum.units || k.units == 0 {
			return 0, fmt.Errorf("kid %d has %d, noted are %d", i, k.sum.units, k.units)
		}
		height = h
		s = s.plus(k.sum)
	}
	if s != n.sum {
		return 0, fmt.Errorf("the sum is %v, noted is %v", s, n.sum)
	}
	return height + 1, nil
}

func (n *node) verifyLeaf(root bool) error {
	if len(n.text) > maxText || len(n.runs) > maxRuns || len(n.runs) == 0 && !root {
		return fmt.Errorf("a leaf with %d bytes, %d runs", len(n.text), len(n.runs))
	}
	at := 0
	for i, r := range n.runs {
		units, _ := measure(n.text[at : at+r.bytes])
		if at += r.bytes; r.embed != nil {
			units++
		}
		if units != r.units || units == 0 || r.embed != nil && r.bytes != 0 {
			return fmt.Errorf("run %d has %d, noted are %d", i, units, r.units)
		}
		if i > 0 && n.runs[i-1].joins(&n.runs[i]) {
			return fmt.Errorf("runs %d and %d are one", i-1, i)
		}
	}
	noted := n.sum
	c := node{runs: n.runs, text: n.text}
	if c.count(); c.sum != noted || at != len(n.text) {
		return fmt.Errorf("a leaf's sum is %v, noted is %v", c.sum, noted)
	}
	return nil
}
