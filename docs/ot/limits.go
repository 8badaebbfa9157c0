package ot

import "math"

// MaxLength is the longest retain or delete, in code units. JavaScript's bitwise arithmetic ends there.
const MaxLength = 1<<31 - 1

// Limits bound what is taken from others. Each number has to be positive.
type Limits struct {
	OperationBytes int  // JSON of a Delta, as it comes and as it is encoded
	Ops            int  // operations in one Delta
	DocumentUnits  int  // length of a document, in UTF-16 code units
	Embeds         int  // embeds in a document
	EmbedBytes     int  // canonical JSON of one embed
	AttributeBytes int  // canonical JSON of the attributes of one operation, and of one run of a document
	DocumentFormat int  // canonical JSON of the attributes of all runs of a document together, one that lies in two leaves counted twice
	Depth          int  // objects and arrays in one another, in an attribute's value or an embed
	Inherited      bool // attributes may have the names that every object of JavaScript has (inherited)
}

// DefaultLimits are those of the service, unless its operator says otherwise.
func DefaultLimits() Limits {
	return Limits{
		OperationBytes: 1 << 20,
		Ops:            1 << 16,
		DocumentUnits:  2_000_000,
		Embeds:         10_000,
		EmbedBytes:     64 << 10,
		AttributeBytes: 8 << 10,
		DocumentFormat: 32 << 20,
		Depth:          16,
	}
}

// Unlimited is for what was accepted before: a snapshot, and the changes behind it. They have to open even if limits have been lowered since, and
// whatever of a limit depends on how a document lies in memory (DocumentFormat does).
func Unlimited() Limits {
	return Limits{
		OperationBytes: math.MaxInt,
		Ops:            math.MaxInt,
		DocumentUnits:  math.MaxInt,
		Embeds:         math.MaxInt,
		EmbedBytes:     math.MaxInt,
		AttributeBytes: math.MaxInt,
		DocumentFormat: math.MaxInt,
		Depth:          1 << 16,
		Inherited:      true,
	}
}

// Check holds a Delta that was made here, not parsed, against the limits.
func (d Delta) Check(l Limits) error {
	if len(d.ops) > l.Ops {
		return errorf(TooLarge, NoOp, "it has %d operations, the limit is %d", len(d.ops), l.Ops)
	}
	for i, op := range d.ops {
		if op.n > MaxLength {
			return errorf(BadLength, i, "its length is beyond %d", MaxLength)
		}
		if op.attrs != nil {
			if len(op.attrs.json) > l.AttributeBytes {
				return errorf(TooLarge, i, "its attributes take %d bytes, the limit is %d", len(op.attrs.json), l.AttributeBytes)
			}
			if n := depth(op.attrs.json) - 1; n > l.Depth {
				return errorf(TooDeep, i, "its attributes nest %d deep, the limit is %d", n, l.Depth)
			}
			if err := op.attrs.checkNames(i); err != nil && !l.Inherited {
				return err
			}
		}
		if op.embed != nil {
			if len(op.embed.json) > l.EmbedBytes {
				return errorf(TooLarge, i, "its embed takes %d bytes, the limit is %d", len(op.embed.json), l.EmbedBytes)
			}
			if n := depth(op.embed.json); n > l.Depth {
				return errorf(TooDeep, i, "its embed nests %d deep, the limit is %d", n, l.Depth)
			}
		}
	}
	if n := len(d.AppendJSON(nil)); n > l.OperationBytes {
		return errorf(TooLarge, NoOp, "it takes %d bytes, the limit is %d", n, l.OperationBytes)
	}
	return nil
}
