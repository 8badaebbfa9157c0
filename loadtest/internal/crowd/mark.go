package crowd

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// mark stands in the text of each message of a load test: when the message was due, who sends it, its number, and whether it depends
// on others.
type mark struct {
	due       time.Time
	publisher uint32
	seq       uint64
	depends   bool
}

const (
	magic    = "~lt" // and a letter
	alone    = 'a'
	depends  = 'd'
	rawBytes = 8 + 4 + 8
	// MarkBytes is the shortest text.
	MarkBytes = len(magic) + 1 + 2*rawBytes
)

// text is a message of about size bytes.
func (m mark) text(size int) string {
	var raw [rawBytes]byte
	binary.BigEndian.PutUint64(raw[:], uint64(m.due.UnixNano()))
	binary.BigEndian.PutUint32(raw[8:], m.publisher)
	binary.BigEndian.PutUint64(raw[12:], m.seq)
	kind := alone
	if m.depends {
		kind = depends
	}
	text := magic + string(kind) + hex.EncodeToString(raw[:])
	if pad := size - len(text); pad > 0 {
		text += strings.Repeat(".", pad)
	}
	return text
}

// findMark looks for a mark in an encoded event.
func findMark(body []byte) (mark, bool) {
	at := bytes.Index(body, []byte(magic))
	if at < 0 || len(body) < at+MarkBytes {
		return mark{}, false
	}
	var raw [rawBytes]byte
	if _, err := hex.Decode(raw[:], body[at+len(magic)+1:at+MarkBytes]); err != nil {
		return mark{}, false
	}
	return mark{
		due:       time.Unix(0, int64(binary.BigEndian.Uint64(raw[:]))),
		publisher: binary.BigEndian.Uint32(raw[8:]), seq: binary.BigEndian.Uint64(raw[12:]), depends: body[at+len(magic)] == depends,
	}, true
}
