package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// Ledger is what was sent and what was acknowledged. Its zero value is empty. Every text is to be unique.
type Ledger struct {
	mu      sync.Mutex // guards what follows
	acked   map[string]acknowledgement
	sent    map[string][]string // by sender, in their order
	longest time.Duration
}

type acknowledgement struct {
	offset uint64
	when   time.Time
}

// Sent notes the order in which one sender wrote.
func (l *Ledger) Sent(sender, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sent == nil {
		l.sent = map[string][]string{}
	}
	l.sent[sender] = append(l.sent[sender], text)
}

// Acknowledged notes an answer, and how long the sender waited for it.
func (l *Ledger) Acknowledged(text string, offset uint64, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.acked == nil {
		l.acked = map[string]acknowledgement{}
	}
	l.acked[text] = acknowledgement{offset, time.Now()}
	l.longest = max(l.longest, after)
}

// Offset is where a text was acknowledged to stand; 0: it was not.
func (l *Ledger) Offset(text string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked[text].offset
}

// Counts is how many were sent by named senders, and how many were acknowledged.
func (l *Ledger) Counts() (sent, acknowledged int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, texts := range l.sent {
		sent += len(texts)
	}
	return sent, len(l.acked)
}

// Verdict is the outcome of a comparison.
type Verdict struct {
	Acknowledged int           // messages
	Standing     int           // messages in the history
	Readers      int           // that were shown exactly the history
	Gateways     int           // that were asked for the history and gave the same
	Resets       int           // how often readers were told to read anew
	LongestWait  time.Duration // for an acknowledgement
	LatestShown  time.Duration // from an acknowledgement until a reader was shown the message
	Faults       []string      // what must not be

	history []Message
}

func (v Verdict) String() string {
	return fmt.Sprintf("%d messages acknowledged, %d stand; %d readers and %d gateways agree, after %d resets; longest wait for an acknowledgement %v, shown at most %v after it",
		v.Acknowledged, v.Standing, v.Readers, v.Gateways, v.Resets, v.LongestWait.Round(time.Millisecond), v.LatestShown.Round(time.Millisecond))
}

func (v *Verdict) fault(format string, args ...any) {
	v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
}

// Compare holds a channel's history against the ledger: every acknowledged message is there, once, at its offset, and each sender's in
// the order in which they were sent. And it holds what every reader was shown against the history: all of it, in its order.
// An error means that there was no comparison.
func (l *Ledger) Compare(ctx context.Context, channel string, from chatv1.ChatServiceClient, readers ...*Reader) (Verdict, error) {
	history, cursor, err := History(ctx, from, channel, 0)
	if err != nil {
		return Verdict{}, err
	}
	at := map[string][]uint64{}
	for _, m := range history {
		at[m.Text] = append(at[m.Text], m.Offset)
	}
	l.mu.Lock()
	v := Verdict{Acknowledged: len(l.acked), Standing: len(history), LongestWait: l.longest, history: history}
	for _, text := range slices.Sorted(maps.Keys(l.acked)) {
		if len(at[text]) == 0 || at[text][0] != l.acked[text].offset {
			v.fault("LOST %.40q: acknowledged at %d, stands at %v", text, l.acked[text].offset, at[text])
		}
	}
	for _, text := range slices.Sorted(maps.Keys(at)) {
		if len(at[text]) > 1 {
			v.fault("DOUBLED %.40q: stands at %v", text, at[text])
		}
	}
	for sender, texts := range l.sent {
		last := uint64(0)
		for _, text := range texts {
			if len(at[text]) == 0 {
				continue // not acknowledged, or told above
			}
			if at[text][0] < last {
				v.fault("REORDERED %.40q of %s: stands at %d, before what was sent earlier, at %d", text, sender, at[text][0], last)
			}
			last = at[text][0]
		}
	}
	l.mu.Unlock()
	for _, r := range readers {
		l.compareReader(ctx, &v, r, history, cursor.GetOffset())
	}
	return v, nil
}

func (l *Ledger) compareReader(ctx context.Context, v *Verdict, r *Reader, history []Message, head uint64) {
	if err := r.UpTo(ctx, head); err != nil {
		v.fault("MISSING %v", err)
	}
	shown, _ := r.Seen()
	agrees := len(shown) == len(history)
	if len(shown) > len(history) {
		v.fault("DIFFERENT %s was shown %d messages, and the history has %d", r.Person.Handle, len(shown), len(history))
	}
	for i, m := range history {
		if i >= len(shown) || shown[i].Message != m {
			v.fault("DIFFERENT %s was shown %d messages of %d, and another one in place %d", r.Person.Handle, len(shown), len(history), i+1)
			agrees = false
			break
		}
	}
	l.mu.Lock()
	for _, s := range shown {
		if a, ok := l.acked[s.Text]; ok {
			v.LatestShown = max(v.LatestShown, s.When.Sub(a.when))
		}
	}
	l.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.holes) > 0 {
		v.fault("HOLES %s was shown %v", r.Person.Handle, r.holes)
		agrees = false
	}
	v.Resets += len(r.resets)
	if agrees {
		v.Readers++
	}
}
