package awareness

import (
	"regexp"
	"strings"

	"google.golang.org/protobuf/proto"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// SignalKey is the key of the signals by which people tell where they are.
const SignalKey = "presence"

// Signal is what somebody's session tells: where it is, or that it has left.
type Signal struct {
	From string // user and session, as the gateway has set them
	*docsv1.Presence
}

// User is whose signal it is.
func (s Signal) User() string {
	user, _, _ := strings.Cut(s.From, "/")
	return user
}

const (
	maxPublication = 8 << 10 // bytes of what is read at all
	maxSignals     = 4       // in one publication, as a topic has keys
)

var senders = regexp.MustCompile(`^[A-Za-z0-9_-]{1,26}/[A-Za-z0-9_=-]{1,64}$`)

// Parse reads what a gateway has published: the signals that tell where somebody is. What is malformed or beyond a limit is left out, as
// signals may be lost.
func Parse(data []byte) (told []Signal) {
	var p topicv1.Publication
	if len(data) > maxPublication || proto.Unmarshal(data, &p) != nil || len(p.GetSignals()) > maxSignals {
		return nil
	}
	for _, s := range p.GetSignals() {
		if s.GetKey() != SignalKey || len(s.GetBody()) > MaxSignal || !senders.MatchString(s.GetFrom()) {
			continue
		}
		m := &docsv1.Presence{}
		if proto.Unmarshal(s.GetBody(), m) == nil {
			told = append(told, Signal{s.GetFrom(), m})
		}
	}
	return told
}
