package check

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// kept is a service that has these messages, two on a page.
type kept struct {
	chatv1.ChatServiceClient
	messages []Message
}

func (k kept) History(_ context.Context, in *chatv1.HistoryRequest, _ ...grpc.CallOption) (*chatv1.HistoryResponse, error) {
	out := &chatv1.HistoryResponse{Cursor: &edgev1.Cursor{}}
	for _, m := range k.messages {
		out.Cursor.Offset = m.Offset
		switch {
		case m.Offset <= in.GetAfter():
		case len(out.Messages) == 2:
			out.MoreAfter = true
		default:
			out.Messages = append(out.Messages, &chatv1.Message{Offset: m.Offset, Text: m.Text})
		}
	}
	return out, nil
}

// A comparison that finds nothing wrong where something is would be worth nothing.
func TestCompareFinds(t *testing.T) {
	sent := []Message{{1, "a 0"}, {2, "b 0"}, {3, "a 1"}, {4, "a 2"}, {5, "b 1"}}
	for name, c := range map[string]struct {
		stands, shown []Message
		holes         []string
		want          string
	}{
		"nothing":             {stands: sent, shown: sent},
		"a loss":              {stands: append(sent[:2:2], sent[3:]...), shown: append(sent[:2:2], sent[3:]...), want: `LOST "a 1"`},
		"another place":       {stands: append(sent[:4:4], Message{6, "b 1"}), shown: append(sent[:4:4], Message{6, "b 1"}), want: `LOST "b 1"`},
		"a double":            {stands: append(sent[:5:5], Message{6, "a 0"}), shown: append(sent[:5:5], Message{6, "a 0"}), want: `DOUBLED "a 0"`},
		"another order":       {stands: []Message{{1, "a 1"}, {2, "b 0"}, {3, "a 0"}, {4, "a 2"}, {5, "b 1"}}, want: `REORDERED "a 1"`},
		"a reader that lags":  {stands: sent, shown: sent[:4], want: "MISSING"},
		"a reader with holes": {stands: sent, shown: sent, holes: []string{"3 after 1"}, want: "HOLES"},
		"another one shown":   {stands: sent, shown: append([]Message{{1, "forged"}}, sent[1:]...), want: "DIFFERENT"},
		"more shown":          {stands: sent[:4], shown: sent, want: "DIFFERENT"},
	} {
		t.Run(name, func(t *testing.T) {
			var l Ledger
			for _, m := range sent {
				l.Sent(m.Text[:1], m.Text)
				l.Acknowledged(m.Text, m.Offset, time.Second)
			}
			r := &Reader{Person: &Person{Handle: "reader"}, done: make(chan struct{}), holes: c.holes}
			close(r.done)
			for _, m := range c.shown {
				r.shown, r.offset = append(r.shown, Shown{m, time.Now()}), m.Offset
			}
			v, err := l.Compare(t.Context(), "c", kept{messages: c.stands}, r)
			if err != nil {
				t.Fatal(err)
			}
			found := strings.Join(v.Faults, "\n")
			if c.want == "" {
				if found != "" || v.Acknowledged != 5 || v.Standing != 5 || v.Readers != 1 || v.LongestWait != time.Second {
					t.Errorf("%v\n%s", v, found)
				}
			} else if !strings.Contains(found, c.want) {
				t.Errorf("found %q, want %s", found, c.want)
			}
		})
	}
}
