package docs

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// blame is who wrote what: a document of the same length as the one that it tells of, in which each code unit is an x with a mark for who
// inserted it. So it costs what the edits cost, and neighbours of one mark are one range.
type blame struct {
	mu      sync.Mutex // guards content against several who read
	content *ot.Document
	marks   []mark
	formats map[mark]*ot.Attributes // of each mark: its index
}

// mark is who inserted something, and in which minute.
type mark struct {
	user     string
	minuteMs int64
}

const markName = "mark"

func newBlame(list []*docsv1.BlameRange) (*blame, error) {
	b := &blame{formats: map[mark]*ot.Attributes{}}
	var start ot.Builder
	for _, r := range list {
		a, err := b.mark(mark{r.GetUser(), r.GetTimeMs()})
		if err != nil {
			return nil, err
		}
		start.Insert(strings.Repeat("x", int(r.GetLength())), a)
	}
	content, err := start.Delta()
	if err == nil {
		b.content, err = ot.NewDocument(content, ot.Unlimited(), nil)
	}
	if err != nil {
		return nil, fmt.Errorf("make a blame: %w", err)
	}
	return b, nil
}

func (b *blame) mark(m mark) (*ot.Attributes, error) {
	if a := b.formats[m]; a != nil {
		return a, nil
	}
	a, err := ot.NewAttributes(map[string]ot.Value{markName: ot.Number(float64(len(b.marks)))})
	if err != nil {
		return nil, fmt.Errorf("make a mark: %w", err)
	}
	b.marks, b.formats[m] = append(b.marks, m), a
	return a, nil
}

func (b *blame) marked(a *ot.Attributes) (mark, error) {
	v, _ := a.Get(markName)
	i, err := strconv.Atoi(v.JSON())
	if err != nil || i >= len(b.marks) {
		return mark{}, fmt.Errorf("docs: no mark: %s", a.JSON())
	}
	return b.marks[i], nil
}

// add goes over an event.
func (b *blame) add(e event) error {
	if e.edit.Count() == 0 {
		return nil
	}
	a, err := b.mark(mark{cmp.Or(e.credited, e.author), e.timeMs - e.timeMs%time.Minute.Milliseconds()})
	if err != nil {
		return err
	}
	var edit ot.Builder
	for _, op := range e.edit.Ops() {
		switch op.Action() {
		case ot.Insert:
			edit.Insert(strings.Repeat("x", op.Len()), a)
		case ot.Retain:
			edit.Retain(op.Len(), nil)
		case ot.Delete:
			edit.Delete(op.Len())
		}
	}
	delta, err := edit.Delta()
	if err == nil {
		err = b.content.Apply(delta)
	}
	return err //nolint:wrapcheck // the caller's
}

// ranges are what stands behind a place, at most so many. It may be called by several at a time.
func (b *blame) ranges(after, most int) (list []*docsv1.BlameRange, more bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const step = 64 << 10 // code units
	var last *ot.Attributes
	for length := b.content.Len(); after < length; after += step {
		part, err := b.content.Slice(after, min(after+step, length))
		if err != nil {
			return nil, false, fmt.Errorf("docs: read blame: %w", err)
		}
		for _, op := range part.Ops() {
			if n := len(list); n > 0 && op.Attributes().Equal(last) {
				list[n-1].Length += uint32(op.Len())
				continue
			}
			if len(list) == most {
				return list, true, nil
			}
			last = op.Attributes()
			m, err := b.marked(last)
			if err != nil {
				return nil, false, err
			}
			list = append(list, &docsv1.BlameRange{Length: uint32(op.Len()), User: m.user, TimeMs: m.minuteMs})
		}
	}
	return list, false, nil
}
