// Package audit is the hash chain of an append-only audit log: pure functions of its entries.
package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
)

// HashBytes is the length of a link of the chain.
const HashBytes = sha256.Size

// Entry is one place in the chain.
//
// Invariant: Hash covers Digest, never Detail or Salt, and Actor and Target are pseudonyms: a person's data can be erased
// (detail and salt emptied, pseudonym unlinked from the account) and the chain still holds.
type Entry struct {
	Seq    uint64 // from 1, without holes
	TimeMs int64
	Action string
	Actor  string // pseudonym; empty: nobody signed in
	Target string
	Digest []byte // HMAC-SHA-256 of Detail with Salt
	Salt   []byte // 16 random bytes; empty once erased
	Detail string // JSON; empty once erased
	Hash   []byte
}

// Head is the last entry's place and hash; the zero Head stands before the first entry.
type Head struct {
	Seq  uint64
	Hash []byte
}

// Next completes an entry that follows head: number, salt, digest and hash. It returns the new head.
func Next(head Head, e *Entry) Head {
	e.Seq = head.Seq + 1
	e.Salt = make([]byte, 16)
	_, _ = rand.Read(e.Salt) // never fails since Go 1.24
	e.Digest = digest(e.Salt, e.Detail)
	e.Hash = hash(head.Hash, e)
	return Head{e.Seq, e.Hash}
}

func digest(salt []byte, detail string) []byte {
	m := hmac.New(sha256.New, salt)
	m.Write([]byte(detail))
	return m.Sum(nil)
}

// hash is the formula of model.proto's AuditEntry.
func hash(previous []byte, e *Entry) []byte {
	h := sha256.New()
	field := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		h.Write(b)
	}
	field(previous)
	field(binary.BigEndian.AppendUint64(nil, e.Seq))
	field(binary.BigEndian.AppendUint64(nil, uint64(e.TimeMs)))
	field([]byte(e.Action))
	field([]byte(e.Actor))
	field([]byte(e.Target))
	field(e.Digest)
	return h.Sum(nil)
}

// Report is the outcome of a walk.
type Report struct {
	Entries uint64 // walked, up to the broken one
	Head    Head   // of the last entry that fits
	Broken  uint64 // first entry that does not fit; 0: none
	Problem string // empty: intact
}

// Verify walks all entries in order and compares the end with the recorded head, and with an anchor that was kept outside
// (zero: none). Without an anchor it can't notice a chain that was rewritten as a whole, head included.
func Verify(entries iter.Seq2[Entry, error], recorded, anchor Head) (Report, error) {
	var r Report
	broken := func(seq uint64, format string, args ...any) Report {
		r.Broken, r.Problem = seq, fmt.Sprintf(format, args...)
		return r
	}
	for e, err := range entries {
		if err != nil {
			return r, err
		}
		r.Entries++
		switch {
		case e.Seq != r.Head.Seq+1:
			return broken(r.Head.Seq+1, "entry %d: missing, the next one is %d", r.Head.Seq+1, e.Seq), nil
		case !bytes.Equal(e.Hash, hash(r.Head.Hash, &e)):
			return broken(e.Seq, "entry %d: its hash does not fit its content", e.Seq), nil
		case (len(e.Salt) > 0 || e.Detail != "") && !bytes.Equal(e.Digest, digest(e.Salt, e.Detail)):
			return broken(e.Seq, "entry %d: its detail was changed", e.Seq), nil
		case e.Seq == anchor.Seq && !bytes.Equal(e.Hash, anchor.Hash):
			return broken(e.Seq, "entry %d: not the entry that was known", e.Seq), nil
		}
		r.Head = Head{e.Seq, e.Hash}
	}
	switch {
	case r.Head.Seq < recorded.Seq:
		return broken(r.Head.Seq+1, "entry %d: missing, the log was cut off; it had %d entries", r.Head.Seq+1, recorded.Seq), nil
	case r.Head.Seq > recorded.Seq || !bytes.Equal(r.Head.Hash, recorded.Hash):
		return broken(r.Head.Seq, "entry %d: not the recorded end of the log", r.Head.Seq), nil
	case r.Head.Seq < anchor.Seq:
		return broken(r.Head.Seq+1, "entry %d: missing, entry %d was known", r.Head.Seq+1, anchor.Seq), nil
	}
	return r, nil
}
