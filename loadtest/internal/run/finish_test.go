package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/peers"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// identity answers refreshes. The token "bad" is refused while "slow" is under way.
func identity(t *testing.T) string {
	t.Helper()
	arrived := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var req identityv1.RefreshRequest
		if err := proto.Unmarshal(body, &req); err != nil {
			t.Error(err)
		}
		switch req.GetRefreshToken() {
		case "bad":
			<-arrived
			http.Error(w, "spent", http.StatusUnauthorized)
			return
		case "slow":
			close(arrived)
			select {
			case <-r.Context().Done(): // given up
			case <-time.After(50 * time.Millisecond):
			}
		}
		data, err := proto.Marshal(&identityv1.RefreshResponse{Session: &identityv1.Session{
			AccessToken: "access", RefreshToken: "next " + req.GetRefreshToken(), AccessTtlMs: 3_600_000,
		}})
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func accounts(t *testing.T, refresh ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts.jsonl")
	var all []account.Account
	for _, r := range refresh {
		all = append(all, account.Account{User: "user " + r, ClientID: "client", Refresh: r})
	}
	if err := account.Save(path, all); err != nil {
		t.Fatal(err)
	}
	return path
}

// group is two processes that run f, which gets its group.
func group(t *testing.T, f func(*peers.Group)) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		var plan int
		g, err := peers.Join(t.Context(), l.Addr().String(), "secret", &plan)
		if err != nil {
			t.Error(err)
			return
		}
		defer g.Close()
		f(g)
	})
	g, err := peers.Lead(t.Context(), l, "secret", 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	f(g)
	wg.Wait()
}

// Two processes share the accounts, add up what they found, and leave a file with the newest tokens.
func TestTwoProcesses(t *testing.T) {
	o := valid()
	o.Address = []string{identity(t)}
	o.Accounts = accounts(t, "a", "b", "c", "d")
	o.PID = []int{os.Getpid()}
	o.Processes, o.Connections = 2, 3
	begin := time.Now()
	results := make([]*Result, 2)
	group(t, func(g *peers.Group) {
		r, err := New(t.Context(), o, g, io.Discard)
		if err != nil {
			t.Error(err)
			return
		}
		if r.AllAccounts() != 3 || len(r.Accounts) != 2-g.Index || len(r.PID) != 1-g.Index || r.Accounts[0].Access != "access" {
			t.Errorf("process %d has %d of %d accounts and watches %v", g.Index, len(r.Accounts), r.AllAccounts(), r.PID)
		}
		res, err := r.Play(t.Context(), func(ctx context.Context, r *Run) error { return two(ctx, r, begin) }, "two", nil)
		if err != nil {
			t.Error(err)
		}
		results[g.Index] = res
	})
	res := results[0]
	if res == nil || results[1] != nil {
		t.Fatal(results)
	}
	if f := res.Findings; f.Events != 30 || f.Lost != 1 || f.Clean() {
		t.Errorf("%+v", f)
	}
	if res.Measured != 4 || len(res.Problems) != 3 || !strings.Contains(res.Problems[0], "3 of 3 connections") || res.Problems[1] != "process 1: hurt" || !strings.Contains(res.Problems[2], "Lost:1") {
		t.Errorf("%v measured, %q", res.Measured, res.Problems)
	}
	figures := map[string]float64{}
	for _, f := range res.Figures {
		figures[f.Name] = f.Value
	}
	for name, want := range map[string]float64{
		"mutations offered": 30, "mutations that took place": 15, "events taken by clients": 15, "server processor time": 2,
		"deliveries per core and second": 30, "connections lost": 2, "server memory": 1,
	} {
		if figures[name] != want {
			t.Errorf("%s: %v, want %v", name, figures[name], want)
		}
	}
	for _, l := range res.Latency {
		if want := map[string]int64{"ack": 4}[l.Name]; l.Count != want || len(l.Bars) > 4 {
			t.Errorf("%s: %+v", l.Name, l)
		}
	}
	if len(res.Programs) != 1 || !strings.HasPrefix(res.Programs[0], "run.test (") {
		t.Errorf("%q", res.Programs)
	}
	if all, err := account.Load(o.Accounts); err != nil || all[0].Refresh != "next a" || all[2].Refresh != "next c" || all[3].Refresh != "d" {
		t.Errorf("%+v: %v", all, err)
	}
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(res); err != nil || strings.Contains(out.String(), "next a") {
		t.Errorf("the result can't be shown, or holds tokens: %v", err)
	}
}

// two is a scenario of made-up counts: process 0 has seen 10 of what process 1 has seen 20 of.
func two(_ context.Context, r *Run, begin time.Time) error {
	r.Crowd = r.NewCrowd()
	n := uint64(10 * (1 + r.Peers.Index))
	r.Crowd.Counts.Events.Add(n)
	r.Crowd.Dropped.Add(1)
	r.Crowd.Ack.Record(0, time.Millisecond)
	r.Crowd.Ack.Record(1, time.Duration(n)*time.Millisecond)
	if r.Peers.Index == 1 {
		r.Crowd.Counts.Lost.Add(1)
		r.Fail("hurt")
	}
	r.since = begin
	r.ends[0] = end{At: begin}
	r.ends[1] = end{At: begin.Add(4 * time.Second), Offered: 4 * n, Answered: 2 * n, Events: 2 * n}
	if r.Peers.Index == 0 {
		r.ends[1].Usage.CPU, r.ends[1].Usage.Resident = 2*time.Second, 1<<20
	}
	return nil
}

// What is spent is saved, though others are refused meanwhile.
func TestRefusedAccount(t *testing.T) {
	o := valid()
	o.Address = []string{identity(t)}
	o.Accounts = accounts(t, "slow", "bad")
	r, err := New(t.Context(), o, peers.Alone(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "spent") {
		t.Fatalf("%v: %v", r, err)
	}
	if all, err := account.Load(o.Accounts); err != nil || all[0].Refresh != "next slow" || all[1].Refresh != "bad" {
		t.Errorf("%+v: %v", all, err)
	}
	o.Accounts = "none"
	if _, err := New(t.Context(), o, peers.Alone(), io.Discard); err == nil {
		t.Error("accounts came from a file that is not there")
	}
}

// A token that outlasts the run is used again; one that would end within it is renewed.
func TestTokenReserve(t *testing.T) {
	o := valid()
	o.Address = []string{identity(t)}
	o.Duration = 5 * time.Minute
	o.Accounts = accounts(t, "long", "short")
	all, err := account.Load(o.Accounts)
	if err != nil {
		t.Fatal(err)
	}
	all[0].Expires, all[1].Expires = time.Now().Add(8*time.Minute), time.Now().Add(4*time.Minute)
	if err := account.Save(o.Accounts, all); err != nil {
		t.Fatal(err)
	}
	r, err := New(t.Context(), o, peers.Alone(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer r.API.Close()
	if r.Accounts[0].Refresh != "long" || r.Accounts[1].Refresh != "next short" {
		t.Errorf("%+v %+v", r.Accounts[0], r.Accounts[1])
	}
}

// What did not take place makes a run fail, whatever is shown of what did.
func TestVerdict(t *testing.T) {
	r := &Run{Options: Options{Connections: 3}}
	for counter, bad := range map[string]uint64{
		ConnectedAtEnd: 2, "sends without room": 1, "sends refused": 1, "sends without an answer": 1, "topics not open": 1,
	} {
		good := uint64(0)
		if counter == ConnectedAtEnd {
			good = 3
		}
		if r.verdict(counter, bad, 0) == "" || r.verdict(counter, good, 0) != "" {
			t.Errorf("%s: %q of %d, %q of %d", counter, r.verdict(counter, bad, 0), bad, r.verdict(counter, good, 0), good)
		}
	}
	if why := r.verdict("connections lost", 5, 0); why != "" {
		t.Error(why) // who comes back has lost nothing
	}
}

// A run that fails on its way leaves a file with the tokens that are good.
func TestFailureKeepsAccounts(t *testing.T) {
	o := valid()
	o.Address = []string{identity(t)}
	o.Accounts = accounts(t, "a")
	r, err := New(t.Context(), o, peers.Alone(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = r.Play(ctx, func(ctx context.Context, r *Run) error {
		r.Accounts[0].Refresh = "renewed on the way"
		cancel()
		return ctx.Err()
	}, "none", nil)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if all, err := account.Load(o.Accounts); err != nil || all[0].Refresh != "renewed on the way" {
		t.Errorf("%+v: %v", all, err)
	}
}
