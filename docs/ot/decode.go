package ot

import "math"

// Parse reads a Delta from JSON: {"ops":[…]}, or the list of operations alone. The operations stay as they came: what is computed from them is in
// normal form, but errors name them by the indices that their sender knows. Attributes that are {} are none.
//
// It is strict: UTF-8 without lone surrogates, escaped or not; each operation has exactly one of insert, retain and delete, and perhaps attributes (not
// with delete); no other key, none twice; lengths are whole numbers from 1 to MaxLength, inserted text isn't empty; an embed is an object that
// isn't empty, and one that is retained has one key, its type; no attribute has a name that is inherited, and nothing is named __proto__. All of it is
// within the limits.
func Parse(data []byte, limits Limits) (Delta, error) {
	if len(data) > limits.OperationBytes {
		return Delta{}, errorf(TooLarge, NoOp, "it takes %d bytes, the limit is %d", len(data), limits.OperationBytes)
	}
	p := parser{scanner: scanner{data: data, op: NoOp, deepest: limits.Depth}, limits: limits}
	err := p.delta()
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return Delta{}, err
	}
	return Delta{ops: p.ops}, nil
}

type parser struct {
	scanner
	limits Limits
	ops    []Op
}

func (p *parser) delta() error {
	if p.accept('[') {
		return p.list(']', p.next)
	}
	if err := p.expect('{', "a delta begins with it"); err != nil {
		return err
	}
	found := false
	err := p.list('}', func() error {
		key, err := p.key()
		switch {
		case err != nil:
			return err
		case key != "ops":
			return p.fail(Malformed, "the key %q is unknown", key)
		case found:
			return p.fail(Malformed, "the key ops comes twice")
		}
		found = true
		if err := p.expect('[', "the operations begin with it"); err != nil {
			return err
		}
		return p.list(']', p.next)
	})
	if err == nil && !found {
		err = p.fail(Malformed, "it has no ops")
	}
	return err
}

// next reads an operation.
func (p *parser) next() error {
	p.op = len(p.ops)
	if p.op >= p.limits.Ops {
		return p.fail(TooLarge, "there are more than %d operations, the limit", p.limits.Ops)
	}
	var op Op
	actions, attributes := 0, false
	if err := p.expect('{', "an operation begins with it"); err != nil {
		return err
	}
	err := p.list('}', func() error {
		key, err := p.key()
		if err != nil {
			return err
		}
		switch key {
		case "insert":
			actions++
			op.action = Insert
			return p.insert(&op)
		case "retain":
			actions++
			op.action = Retain
			return p.retain(&op)
		case "delete":
			actions++
			op.action = Delete
			return p.length(&op)
		case "attributes":
			if attributes {
				return p.fail(Malformed, "the key attributes comes twice")
			}
			attributes = true
			return p.attributes(&op)
		}
		return p.fail(Malformed, "the key %q is unknown", key)
	})
	switch {
	case err != nil:
		return err
	case actions != 1:
		return p.fail(Malformed, "it has to have one of insert, retain and delete, and that once")
	case attributes && op.action == Delete:
		return p.fail(Malformed, "a delete has no attributes")
	}
	p.ops = append(p.ops, op)
	p.op = NoOp
	return nil
}

func (p *parser) insert(op *Op) error {
	if p.peek() == '{' {
		return p.embed(op)
	}
	text, err := p.text()
	if err == nil && text == "" {
		err = p.fail(BadLength, "the inserted text is empty")
	}
	op.text = text
	op.n, _ = measure(text)
	return err
}

func (p *parser) retain(op *Op) error {
	if p.peek() != '{' {
		return p.length(op)
	}
	err := p.embed(op)
	if err == nil && op.embed.kind == "" {
		err = p.fail(Malformed, "a change of an embed has one key, its type")
	}
	return err
}

func (p *parser) length(op *Op) error {
	f, err := p.number("a number")
	if err == nil && (f < 1 || f > MaxLength || f != math.Trunc(f)) {
		err = p.fail(BadLength, "a length is a whole number from 1 to %d", MaxLength)
	}
	op.n = int(f)
	return err
}

func (p *parser) embed(op *Op) error {
	members, err := p.object(p.limits.Depth)
	if err != nil {
		return err
	}
	if len(members) == 0 || len(members) == 1 && members[0].key == "" {
		return p.fail(Malformed, "an embed has a key, its type")
	}
	op.embed, op.n = embedOf(members), 1
	if n := len(op.embed.json); n > p.limits.EmbedBytes {
		return p.fail(TooLarge, "its embed takes %d bytes, the limit is %d", n, p.limits.EmbedBytes)
	}
	return nil
}

func (p *parser) attributes(op *Op) error {
	p.names = !p.limits.Inherited
	members, err := p.object(p.limits.Depth + 1)
	p.names = false
	if err != nil {
		return err
	}
	op.attrs = made(members)
	if n := op.attrs.size(); n > p.limits.AttributeBytes {
		return p.fail(TooLarge, "its attributes take %d bytes, the limit is %d", n, p.limits.AttributeBytes)
	}
	return nil
}
