package client

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func enqueue(t *testing.T, c *Client, text string) Pending {
	t.Helper()
	p, err := c.Enqueue(chatv1.ChatService_Send_FullMethodName, &chatv1.SendRequest{Channel: "c", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func textOf(t *testing.T, c *edgev1.Call) string {
	t.Helper()
	var m chatv1.SendRequest
	if err := proto.Unmarshal(c.GetBody(), &m); err != nil {
		t.Fatal(err)
	}
	return m.GetText()
}

// What a service does with a call of the outbox.
const (
	answers    = iota
	isAway     // 200, not done
	isUnsure   // 201, done
	refuses    // for good
	breaksOff  // the connection ends, not done
	breaksDone // the connection ends, done
	outcomes
)

// service is a gateway and a service behind it as the protocol has them: lanes keep order, keys take place once.
type service struct {
	script []int
	delays []int    // before an answer, in ms
	done   []string // in the order in which it took place
	keys   map[uint64]*edgev1.ServerFrame
}

// serve plays one connection until it ends.
func (s *service) serve(t *testing.T, p *peer) {
	var blocked uint64 // the lane waits for this client_seq
	for {
		f := p.frame()
		if f == nil {
			return
		}
		call := f.GetCall()
		if call == nil {
			continue
		}
		if call.GetLane() == 0 {
			t.Error("a call of the outbox has no lane")
		}
		if blocked != 0 && call.GetClientSeq() != blocked {
			if len(s.delays) > 0 {
				time.Sleep(time.Duration(s.delays[0]) * time.Millisecond)
				s.delays = s.delays[1:]
			}
			p.send(failed(call.GetId(), edgev1.Code_CODE_UNAVAILABLE, 0))
			continue
		}
		what := answers
		if len(s.script) > 0 {
			what, s.script = s.script[0], s.script[1:]
		}
		if s.keys[call.GetClientSeq()] == nil && (what == answers || what == isUnsure || what == breaksDone) {
			s.done = append(s.done, textOf(t, call))
			s.keys[call.GetClientSeq()] = replied(0, &chatv1.SendResponse{Offset: uint64(len(s.done))})
		}
		answer := proto.CloneOf(s.keys[call.GetClientSeq()])
		if answer != nil {
			answer.GetReply().Id = call.GetId()
		}
		if what == refuses && answer == nil {
			answer = failed(call.GetId(), edgev1.Code_CODE_FAILED_PRECONDITION, 0)
		}
		if len(s.delays) > 0 {
			time.Sleep(time.Duration(s.delays[0]) * time.Millisecond)
			s.delays = s.delays[1:]
		}
		switch what {
		case isAway:
			blocked = call.GetClientSeq()
			answer = failed(call.GetId(), edgev1.Code_CODE_UNAVAILABLE, 0)
		case isUnsure:
			blocked = call.GetClientSeq()
			answer = failed(call.GetId(), edgev1.Code_CODE_OUTCOME_UNKNOWN, 0)
		case breaksOff, breaksDone:
			p.cut()
			return
		default:
			blocked = 0
		}
		p.send(answer)
	}
}

// Whatever fails on the way: what was enqueued takes place once, in order, and each entry gets its own answer.
func TestOutboxKeepsOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		script := rapid.SliceOfN(rapid.IntRange(0, outcomes-1), 0, 30).Draw(r, "script")
		delays := rapid.SliceOfN(rapid.IntRange(0, 1500), 0, 60).Draw(r, "delays")
		n := rapid.IntRange(1, 40).Draw(r, "messages")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 300), n, n).Draw(r, "pauses")
		synctest.Test(t, func(t *testing.T) {
			f := start(t, nil)
			s := &service{script: script, delays: slices.Clone(delays), keys: map[uint64]*edgev1.ServerFrame{}}
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case p := <-f.accepted:
						p.send(welcome())
						s.serve(t, p)
					case <-stop:
						return
					}
				}
			}()
			var all []Pending
			for i, pause := range pauses {
				time.Sleep(time.Duration(pause) * time.Millisecond)
				all = append(all, enqueue(t, f.client, strconv.Itoa(i)))
			}
			var want []string
			for i, p := range all {
				var answer chatv1.SendResponse
				switch err := p.Wait(t.Context(), &answer); {
				case err == nil:
					if want = append(want, strconv.Itoa(i)); answer.GetOffset() != uint64(len(want)) {
						t.Errorf("message %d got the answer %d, and is the %d. that took place", i, answer.GetOffset(), len(want))
					}
				case CodeOf(err) != edgev1.Code_CODE_FAILED_PRECONDITION:
					t.Errorf("message %d: %v", i, err)
				}
			}
			if !slices.Equal(s.done, want) {
				t.Errorf("took place: %v; answered: %v", s.done, want)
			}
			if f.client.State().Waiting != 0 {
				t.Error("something still waits")
			}
			close(stop)
			f.setDown(errors.New("over"))
			f.client.stop()
			<-stopped
		})
		if t.Failed() {
			r.FailNow()
		}
	})
}

// stop ends the session as a signed-out one ends.
func (c *Client) stop() {
	_ = c.do(context.Background(), func(s *session) {
		if s.link != nil {
			s.link.close()
		}
	})
}

// Written offline, sent by the next run of the program, in order; what is known to have taken place is not sent again.
func TestOutboxSurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox")
	synctest.Test(t, func(t *testing.T) {
		o := open(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		e := &edge{accepted: make(chan *peer), down: errors.New("no network")}
		c, err := New(Config{Server: "http://edge", Tokens: &tokens{}, Dial: e.dial, Outbox: o})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error)
		go func() { ran <- c.Run(ctx) }()
		seen, unseen := enqueue(t, c, "seen"), enqueue(t, c, "unseen")
		e.setDown(nil)
		p := <-e.accepted
		p.send(welcome())
		sub, err := c.Follow(t.Context(), topicA)
		if err != nil {
			t.Fatal(err)
		}
		for id := uint32(0); id == 0; {
			id = p.frame().GetSubscribe().GetId()
			if id != 0 {
				p.send(subscribedTo(id, &edgev1.Subscription{Topic: topicA, Start: &edgev1.Cursor{Epoch: 1}}))
			}
		}
		run := eventsOf(topicA, 1)
		run.GetEvents().Events[0].Mutation = Mutation(o.ClientID(), seen.Seq())
		p.send(run)
		<-seen.Accepted() // by its event; its answer never comes
		if _, err := sub.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-ran
		select {
		case <-unseen.Accepted():
			t.Error("the other one is accepted, too")
		case <-seen.Done():
			t.Error("it has an answer")
		default:
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := open(t, path)
		defer o.Close()
		before := o.Pending()
		if len(before) != 1 || before[0].Method() != "plenum.chat.v1.ChatService/Send" {
			t.Fatalf("%d entries wait", len(before))
		}
		f := start(t, func(cfg *Config) { cfg.Outbox = o })
		later := enqueue(t, f.client, "later")
		p := f.login(t)
		for i, want := range []string{"unseen", "later"} {
			call := expect[*edgev1.ClientFrame_Call](t, p).Call
			if got := textOf(t, call); got != want {
				t.Errorf("sent %q, not %q", got, want)
			}
			p.send(replied(call.GetId(), &chatv1.SendResponse{Offset: uint64(i + 1)}))
		}
		for i, p := range []Pending{before[0], later} {
			var answer chatv1.SendResponse
			if err := p.Wait(t.Context(), &answer); err != nil || answer.GetOffset() != uint64(i+1) {
				t.Errorf("entry %d: %v, %v", i, &answer, err)
			}
		}
		if o.Len() != 0 {
			t.Errorf("%d entries wait", o.Len())
		}
	})
}

// Servers keep keys for 35 days: what is older than 30 is not sent.
func TestOutboxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newMemoryOutbox()
		body, err := proto.Marshal(&chatv1.SendRequest{Channel: "c", Text: "young"})
		if err != nil {
			t.Fatal(err)
		}
		var old []Pending
		for range outboxWindow + 5 {
			e, err := o.put("plenum.chat.v1.ChatService/Send", nil, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			old = append(old, Pending{e})
		}
		time.Sleep(OutboxAge - time.Hour)
		if _, err := o.put("plenum.chat.v1.ChatService/Send", body, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		f := start(t, func(cfg *Config) { cfg.Outbox = o })
		p := f.login(t)
		if got := textOf(t, expect[*edgev1.ClientFrame_Call](t, p).Call); got != "young" {
			t.Errorf("sent %q", got)
		}
		for _, e := range old {
			if err := e.Wait(t.Context(), nil); CodeOf(err) != edgev1.Code_CODE_FAILED_PRECONDITION {
				t.Error(err)
			}
		}
	})
}

// The contract's example: the first 8 bytes of SHA-256("client/7").
func TestMutation(t *testing.T) {
	if got := Mutation("client", 7); got != 0x8226863869a270a4 {
		t.Errorf("%#x", got)
	}
}
