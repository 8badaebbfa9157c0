package setup

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chat is a server that makes channels and tells bundles of them.
type chat struct {
	mu      sync.Mutex
	calls   map[string]int      // by client and seq: how often
	members map[string][]string // of channels, by name, with their owner first
	refuse  func(method string, times int) edgev1.Code
	reason  string        // of what is refused
	told    chan struct{} // closed: bundles tell of the channels
}

func serve(t *testing.T) (*chat, *account.API) {
	t.Helper()
	c := &chat{calls: map[string]int{}, members: map[string][]string{}, told: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc(chatv1.ChatService_CreateChannel_FullMethodName, func(w http.ResponseWriter, r *http.Request) {
		var q chatv1.CreateChannelRequest
		c.answer(t, w, r, &q, func(owner string) proto.Message {
			c.members[q.GetName()] = []string{owner}
			return &chatv1.CreateChannelResponse{Channel: q.GetName()}
		})
	})
	mux.HandleFunc(chatv1.ChatService_AddMembers_FullMethodName, func(w http.ResponseWriter, r *http.Request) {
		var q chatv1.AddMembersRequest
		c.answer(t, w, r, &q, func(string) proto.Message {
			c.members[q.GetChannel()] = append(c.members[q.GetChannel()], q.GetUsers()...)
			return &chatv1.AddMembersResponse{}
		})
	})
	documents(t, c, mux)
	mux.HandleFunc("/edge/v1/ws", func(w http.ResponseWriter, r *http.Request) { c.bundle(t, w, r) })
	s := httptest.NewServer(mux)
	api := account.NewAPI([]string{s.URL}, nil)
	t.Cleanup(func() {
		api.Close()
		s.Close()
	})
	return c, api
}

func (c *chat) answer(t *testing.T, w http.ResponseWriter, r *http.Request, q proto.Message, do func(who string) proto.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || proto.Unmarshal(body, q) != nil {
		t.Errorf("%s can't be read: %v", r.URL, err)
	}
	key := r.Header.Get("Plenum-Client-Id") + "/" + r.Header.Get("Plenum-Client-Seq")
	c.calls[key]++
	if c.refuse != nil {
		if code := c.refuse(r.URL.Path, c.calls[key]); code != 0 {
			why, _ := proto.Marshal(&edgev1.Error{Code: code, Reason: c.reason})
			w.WriteHeader(http.StatusTooManyRequests)
			_ = json.NewEncoder(w).Encode(map[string]any{"details": []any{map[string]string{"value": base64.RawStdEncoding.EncodeToString(why)}}})
			return
		}
	}
	data, err := proto.Marshal(do(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
	if err != nil {
		t.Error(err)
	}
	_, _ = w.Write(data)
}

// bundle welcomes somebody, and tells of all channels, one at a time, once they may be told.
func (c *chat) bundle(t *testing.T, w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"plenum.v1.proto"}})
	if err != nil {
		t.Error(err)
		return
	}
	defer ws.CloseNow()
	if _, _, err := ws.Read(r.Context()); err != nil { // Hello
		return
	}
	frames := []*edgev1.ServerFrame{{Frame: &edgev1.ServerFrame_Welcome{Welcome: &edgev1.Welcome{}}}}
	c.mu.Lock()
	for name := range c.members {
		heads := &edgev1.Heads{Heads: []*edgev1.Head{{Topic: "chat.channel/" + name}}}
		frames = append(frames, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Heads{Heads: heads}})
	}
	c.mu.Unlock()
	ctx := ws.CloseRead(r.Context())
	for i, f := range frames {
		if i == 1 {
			select {
			case <-c.told:
			case <-ctx.Done():
				return
			}
		}
		data, err := proto.Marshal(&edgev1.ServerMessage{Frames: []*edgev1.ServerFrame{f}})
		if err != nil {
			t.Error(err)
		}
		if ws.Write(ctx, websocket.MessageBinary, data) != nil {
			return
		}
	}
	<-ctx.Done()
}

func people(n int) (owners []*account.Account, users []string) {
	for i := range n {
		name := fmt.Sprintf("user%d", i)
		owners, users = append(owners, &account.Account{User: name, Access: name}), append(users, name)
	}
	return owners, users
}

// Channels have the members that they are to have, each added once, by its owner; and what is refused for now is repeated under its key.
func TestMake(t *testing.T) {
	c, api := serve(t)
	close(c.told)
	c.refuse = func(_ string, times int) edgev1.Code {
		if times < 3 {
			return edgev1.Code_CODE_UNAVAILABLE
		}
		return 0
	}
	owners, users := people(250)
	plan := []Channel{{Name: "pair", Members: []int{7, 3}}, {Name: "alone", Members: []int{9}}, {Name: "all", Public: true}}
	for i := range users {
		plan[2].Members = append(plan[2].Members, (i+5)%len(users))
	}
	ids, err := New(api, owners).Make(t.Context(), plan, users)
	if err != nil || !slices.Equal(ids, []string{"pair", "alone", "all"}) {
		t.Fatal(ids, err)
	}
	for _, want := range plan {
		got := c.members[want.Name]
		if len(got) != len(want.Members) {
			t.Fatalf("%s has %d members", want.Name, len(got))
		}
		for i, m := range want.Members {
			if got[i] != users[m] {
				t.Errorf("%s: member %d is %s", want.Name, i, got[i])
			}
		}
	}
	for key, times := range c.calls {
		if times != 3 {
			t.Errorf("%s was called %d times", key, times)
		}
	}
	if len(c.calls) != 3+1+3 {
		t.Errorf("%d calls", len(c.calls))
	}
}

// Who was seeded a moment ago may be unknown to chat for another.
func TestNewcomersAreWaitedFor(t *testing.T) {
	c, api := serve(t)
	close(c.told)
	c.reason = unknown
	c.refuse = func(method string, times int) edgev1.Code {
		if method == chatv1.ChatService_AddMembers_FullMethodName && times < 3 {
			return edgev1.Code_CODE_NOT_FOUND
		}
		return 0
	}
	owners, users := people(2)
	if _, err := New(api, owners).Make(t.Context(), []Channel{{Name: "one", Members: []int{0, 1}}}, users); err != nil {
		t.Error(err)
	}
	if n := len(c.members["one"]); n != 2 {
		t.Errorf("%d members", n)
	}
}

// What is refused for good is told at once, with the channel that it belongs to.
func TestMakeFails(t *testing.T) {
	c, api := serve(t)
	owners, users := people(2)
	for method, want := range map[string]string{
		chatv1.ChatService_CreateChannel_FullMethodName: "make channel one", chatv1.ChatService_AddMembers_FullMethodName: "add members to one",
	} {
		clear(c.calls)
		c.refuse = func(called string, _ int) edgev1.Code {
			if called == method {
				return edgev1.Code_CODE_NOT_FOUND
			}
			return 0
		}
		_, err := New(api, owners).Make(t.Context(), []Channel{{Name: "one", Members: []int{0, 1}}}, users)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		for key, times := range c.calls {
			if times != 1 {
				t.Errorf("%s was called %d times", key, times)
			}
		}
	}
	for _, plan := range [][]Channel{{{Name: "empty"}}, make([]Channel, createMost+1)} {
		if _, err := New(api, owners).Make(t.Context(), plan, users); err == nil {
			t.Errorf("%d channels were made", len(plan))
		}
	}
}

// Channels are made when their members have been told, not before; who is never told ends it.
func TestSettle(t *testing.T) {
	c, api := serve(t)
	owners, users := people(3)
	plan := []Channel{{Name: "a", Members: []int{0, 1}}, {Name: "b", Members: []int{1, 2}}, {Name: "c", Members: []int{2, 1}}}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := New(api, owners).Make(ctx, plan, users); err == nil || !strings.Contains(err.Error(), "is not told of a new channel") {
		t.Fatal(err)
	}
	var released atomic.Bool
	time.AfterFunc(100*time.Millisecond, func() {
		released.Store(true)
		close(c.told)
	})
	if _, err := New(api, owners).Make(t.Context(), plan, users); err != nil || !released.Load() {
		t.Errorf("%v, told: %v", err, released.Load())
	}
}

// A bundle tells of other channels too, and of some twice.
func TestWitness(t *testing.T) {
	w := &witness{wanted: map[string]bool{"a": true, "b": true}, all: make(chan struct{})}
	for i, name := range []string{"c", "a", "a", "b", "b"} {
		w.Frame(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Heads{Heads: &edgev1.Heads{Heads: []*edgev1.Head{{Topic: "chat.channel/" + name}}}}})
		select {
		case <-w.all:
			if i < 3 {
				t.Errorf("told of all by %s", name)
			}
		default:
			if i >= 3 {
				t.Errorf("not told of all by %s", name)
			}
		}
	}
}
