// Package place is where the topics of a stream stand: packed it is the id of a server-sent event, by which a client that comes back
// goes on.
package place

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// ErrOther is an id that says nothing of these topics: it can't be read, or belongs to others.
var ErrOther = errors.New("place: the id is of other topics")

// maxID is the longest id that is looked at: as long as the header may be that carries it.
const maxID = 16 << 10

// Set is the cursors of a list of topics. It is not safe for concurrent use.
type Set struct {
	places  map[string]int
	cursors *edgev1.Cursors
}

// New returns a set in which no topic has a cursor. A topic that is named again keeps its place. asked is what is wanted of them besides:
// where they stand means nothing to who wants something else.
func New(topics []string, asked ...[]byte) *Set {
	s := &Set{places: make(map[string]int, len(topics)), cursors: &edgev1.Cursors{}}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, t := range topics {
		if _, known := s.places[t]; !known {
			s.places[t] = len(s.places)
			_, _ = sum.Write([]byte(t + "\n")) // never fails
		}
	}
	for _, a := range asked {
		_, _ = sum.Write(binary.AppendUvarint(nil, uint64(len(a))))
		_, _ = sum.Write(a)
	}
	s.cursors.Topics = sum.Sum32()
	s.cursors.Epochs, s.cursors.Offsets = make([]uint64, len(s.places)), make([]uint64, len(s.places))
	return s
}

// Reach notes how far a topic was told, and reports whether that is news. A topic that is not in the list is none.
func (s *Set) Reach(topic string, epoch, offset uint64) bool {
	i, ok := s.places[topic]
	if !ok || s.cursors.Epochs[i] == epoch && s.cursors.Offsets[i] == offset {
		return false
	}
	s.cursors.Epochs[i], s.cursors.Offsets[i] = epoch, offset
	return true
}

// At is how far a topic was told; nil: it has no cursor.
func (s *Set) At(topic string) *edgev1.Cursor {
	i, ok := s.places[topic]
	if !ok || s.cursors.Epochs[i] == 0 {
		return nil
	}
	return &edgev1.Cursor{Epoch: s.cursors.Epochs[i], Offset: s.cursors.Offsets[i]}
}

// AppendID appends the set as an id.
func (s *Set) AppendID(dst []byte) []byte {
	b, err := proto.Marshal(s.cursors)
	if err != nil {
		panic(err) // numbers always can be
	}
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

// Restore takes over what an id says. After ErrOther the set is as it was.
func (s *Set) Restore(id string) error {
	if len(id) > maxID {
		return ErrOther
	}
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return ErrOther
	}
	var c edgev1.Cursors
	n := len(s.places)
	if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, &c) != nil || c.GetTopics() != s.cursors.GetTopics() || len(c.GetEpochs()) != n || len(c.GetOffsets()) != n {
		return ErrOther
	}
	s.cursors = &c
	return nil
}
