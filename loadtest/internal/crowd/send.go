package crowd

import (
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/edge"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// maxUnacked bounds the mutations of one member that have no answer yet: the server lets 32 calls execute and 32 wait.
const maxUnacked = 32

// channelKind is the kind of topic of a channel.
const channelKind = "chat.channel/"

// Channel is the topic of a channel.
func Channel(id string) string { return channelKind + id }

// send is one mutation, on its way until it is answered for good.
type send struct {
	due    []time.Time // of what it does, in its parts
	seq    uint64
	method string
	body   proto.Message
	// took takes over each answer of what took place, under the member's lock; nil: it says nothing that counts.
	took func(body []byte) error
}

// Send sends a message of about size bytes to a channel; it was due at a time, and depends on context. It doesn't wait.
func (m *Member) Send(channel string, due time.Time, size int, context ...*chatv1.Dependency) {
	took := func(body []byte) error {
		var sent chatv1.SendResponse
		if err := proto.Unmarshal(body, &sent); err != nil {
			return err //nolint:wrapcheck // counted alone
		}
		m.crowd.Acked.Note(Channel(channel), sent.GetOffset())
		if t := m.topics[Channel(channel)]; t != nil {
			t.own = sent.GetOffset()
		}
		return nil
	}
	m.mutate(due, chatv1.ChatService_Send_FullMethodName[1:], took, func(seq uint64) proto.Message {
		text := mark{due, m.number, seq, len(context) > 0}.text(size)
		return &chatv1.SendRequest{Channel: channel, Text: text, Context: context}
	})
}

// Signal tells the others on a topic something that is not kept.
func (m *Member) Signal(topic, key string, body []byte) {
	m.mu.Lock()
	conn := m.conn
	m.mu.Unlock()
	if conn != nil && m.live.Load() {
		_ = conn.Send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Signal{Signal: &edgev1.Signal{Topic: topic, Key: key, Body: body}}}) // may be lost
	}
}

// Mutate makes any other call that takes place once, however often the connection breaks.
func (m *Member) Mutate(due time.Time, method string, body proto.Message) {
	m.mutate(due, method, nil, func(uint64) proto.Message { return body })
}

// mutate makes a call.
func (m *Member) mutate(due time.Time, method string, took func([]byte) error, body func(seq uint64) proto.Message) {
	m.crowd.Offered.Add(1)
	m.mu.Lock()
	if len(m.unacked) >= maxUnacked {
		m.mu.Unlock()
		m.crowd.noRoom(due)
		return
	}
	m.seq++
	s := &send{due: []time.Time{due}, seq: m.seq, method: method, body: body(m.seq), took: took}
	m.unacked = append(m.unacked[:len(m.unacked):len(m.unacked)], s)
	m.mu.Unlock()
	m.transmit(s)
}

// transmit sends a mutation on the connection that there is; the next one sends it again.
func (m *Member) transmit(s *send) {
	m.mu.Lock()
	conn := m.conn
	if conn == nil || !m.live.Load() || !slices.Contains(m.unacked, s) {
		m.mu.Unlock()
		return
	}
	frame, id, err := conn.NewCall(s.method, s.body, s.seq)
	if err == nil {
		m.calls[id] = s
	}
	m.mu.Unlock()
	if err == nil {
		err = conn.Send(frame)
	}
	if err != nil {
		m.crowd.refused(reason(err))
	}
}

func (m *Member) replied(r *edgev1.Reply) {
	m.mu.Lock()
	s := m.calls[r.GetId()]
	delete(m.calls, r.GetId())
	code, why := r.GetError().GetCode(), r.GetError().GetReason()
	if s == nil {
		m.mu.Unlock()
		return
	}
	if code >= 200 && code < 300 { // repeat it
		m.mu.Unlock()
		m.crowd.refused(why)
		time.AfterFunc(max(backoff, time.Duration(r.GetError().GetRetryAfterMs())*time.Millisecond), func() {
			if !m.leaving.Load() {
				m.transmit(s)
			}
		})
		return
	}
	if code == 0 && s.took != nil && s.took(r.GetBody()) != nil {
		code, why = edgev1.Code_CODE_INTERNAL, "an answer that can't be read"
	}
	first := m.over(s, code == 0)
	m.mu.Unlock()
	if first && code != 0 {
		m.crowd.Failed.Add(1)
		m.crowd.refused(why)
	}
}

// over takes a mutation off what is unacknowledged; false: it was answered before. It needs the lock.
func (m *Member) over(s *send, tookPlace bool) bool {
	i := slices.Index(m.unacked, s)
	if i < 0 {
		return false
	}
	m.unacked = append(m.unacked[:i:i], m.unacked[i+1:]...)
	if !tookPlace {
		return true
	}
	m.crowd.Answered.Add(uint64(len(s.due)))
	now := time.Now()
	for _, due := range s.due {
		if m.crowd.counts(due) {
			m.crowd.Ack.Record(m.n, now.Sub(due))
		}
	}
	return true
}

// Own is the member's last message in a topic that was acknowledged; 0: none.
func (m *Member) Own(topic string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.topics[topic]; t != nil {
		return t.own
	}
	return 0
}

// Unacked is how many mutations have no answer yet.
func (m *Member) Unacked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pending())
}

// pending is when all was due that has no answer yet. It needs the lock.
func (m *Member) pending() (due []time.Time) {
	for _, s := range m.unacked {
		due = append(due, s.due...)
	}
	if m.editor != nil {
		due = append(due, m.editor.replica.Waiting()...)
	}
	return due
}

// reason is a short name for an error, so that errors can be counted.
func reason(err error) string {
	if refused, ok := errors.AsType[*edge.Refused](err); ok {
		return refused.Why.GetReason()
	}
	if refused, ok := errors.AsType[*account.Refused](err); ok {
		return refused.Why.GetReason()
	}
	return edge.Reason(err)
}
