package meshtest

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// postgresStream follows what a client of PostgreSQL sends (the manual's "Message Formats", protocol 3): first a start-up
// packet without a type (and before it perhaps a request for encryption, which looks the same), then messages of one byte of
// type, four of length (its own included) and a body. What is no such stream, it ignores.
type postgresStream struct {
	pending []byte // the beginning of a message that isn't whole, at most maxWatched
	skip    int    // bytes of a large message still to come
	started bool
	foreign bool
}

// maxWatched is the longest message that is looked into; COMMIT is short.
const maxWatched = 256

// The codes in place of a protocol version that ask for encryption; an answer, and then the start-up packet, follows.
const (
	sslRequest    = 80877103
	gssEncRequest = 80877104
)

// commits takes the next bytes of the stream and returns how many COMMITs end in them: as a simple query, or as a statement
// that is prepared.
func (s *postgresStream) commits(b []byte) (found int) {
	if s.foreign {
		return 0
	}
	for len(b) > 0 || len(s.pending) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(b))
			s.skip, b = s.skip-n, b[n:]
			if s.skip > 0 {
				return found
			}
			continue
		}
		s.pending, b = append(s.pending, b...), nil
		head := 5
		if !s.started {
			head = 4
		}
		if len(s.pending) < head {
			return found
		}
		size := int(binary.BigEndian.Uint32(s.pending[head-4:])) + head - 4
		if size < head || size > 1<<30 {
			s.foreign, s.pending = true, nil
			return found
		}
		if size > maxWatched && len(s.pending) < size {
			s.skip, s.pending = size-len(s.pending), s.pending[:0]
			s.started = true
			return found
		}
		if len(s.pending) < size {
			return found
		}
		if message := s.pending[:size]; s.started {
			if isCommit(message[0], message[5:]) {
				found++
			}
		} else if code := startCode(message); code != sslRequest && code != gssEncRequest {
			s.started = true
		}
		s.pending = append(s.pending[:0], s.pending[size:]...)
	}
	return found
}

func startCode(packet []byte) uint32 {
	if len(packet) < 8 {
		return 0
	}
	return binary.BigEndian.Uint32(packet[4:])
}

func isCommit(kind byte, body []byte) bool {
	if kind == 'P' { // Parse: the statement's name comes first
		_, body, _ = bytes.Cut(body, []byte{0})
	} else if kind != 'Q' {
		return false
	}
	text, _, _ := bytes.Cut(body, []byte{0})
	text = bytes.TrimRight(bytes.TrimSpace(text), "; ")
	return strings.EqualFold(string(text), "commit") || strings.EqualFold(string(text), "end")
}
