package auth

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"

	authv1 "plenum.internal/proto/plenum/auth/v1"
)

// recorder is identity's audit log in memory.
type recorder struct {
	mu       sync.Mutex // guards all below
	away     error
	attempts int
	entries  []*authv1.Refusal
	largest  int // report
}

func (r *recorder) Report(_ context.Context, q *authv1.ReportRequest, _ ...grpc.CallOption) (*authv1.ReportResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	if r.away != nil {
		return nil, r.away
	}
	r.largest = max(r.largest, len(q.GetRefusals()))
	r.entries = append(r.entries, q.GetRefusals()...)
	return &authv1.ReportResponse{}, nil
}

func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = err
}

// take returns the entries since it was last called.
func (r *recorder) take() (out []*authv1.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out, r.entries = r.entries, nil
	return out
}

func sum(entries []*authv1.Refusal) (n int) {
	for _, e := range entries {
		n += int(e.GetCount())
	}
	return n
}

// reporting runs a reporter inside of the test's bubble until stop is called.
func reporting(t *testing.T) (r *Reporter, to *recorder, stop func()) {
	t.Helper()
	to = &recorder{}
	r, err := NewReporter(to, VerifierDeps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return r, to, stop
}

var (
	here  = netip.MustParseAddr("192.0.2.7")
	there = netip.MustParseAddr("192.0.2.8")
)

func TestWhatIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := NewMemory(key1)
		v := start(t, VerifierConfig{}, src)
		r, to, _ := reporting(t)
		refuse := func(token string) error {
			_, err := v.Verify(t.Context(), token)
			if err == nil {
				t.Errorf("%q was accepted", token)
			}
			return err
		}
		aged := claimsNow()
		aged.IssuedAt, aged.Expires = aged.IssuedAt.Add(-time.Hour), aged.Expires.Add(-time.Hour)
		revoked := claimsNow()
		revoked.User = "bob"
		src.Revoke(&authv1.Revocation{Workspace: "w", User: "bob", IssuedBeforeMs: time.Now().UnixMilli() + 1})
		synctest.Wait()
		good, err := v.Verify(t.Context(), sign(t, key1, claimsNow()))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			err  error
			want *authv1.Refusal // nil: nothing
		}{
			{refuse("rubbish"), &authv1.Refusal{Reason: "token.forged"}},
			{refuse(sign(t, newKey("k1", 9), claimsNow())), &authv1.Refusal{Reason: "token.forged"}}, // what it says of its bearer is not believed
			{refuse(sign(t, key1, aged)), &authv1.Refusal{Reason: "token.expired", Workspace: "w", User: "ada"}},
			{refuse(sign(t, key1, revoked)), &authv1.Refusal{Reason: "token.revoked", Workspace: "w", User: "bob"}},
			{Foreign(good), &authv1.Refusal{Reason: "token.foreign", Workspace: "w", User: "ada"}},
			{refuse(""), nil},
			{ErrStale, nil},
			{context.Canceled, nil},
			{nil, nil},
		} {
			r.Token(x.err, here)
			time.Sleep(2 * time.Hour) // forgets
			got := to.take()
			if x.want == nil {
				if len(got) != 0 {
					t.Errorf("%v: reported %v", x.err, got)
				}
				continue
			}
			if len(got) != 1 || got[0].GetReason() != x.want.GetReason() || got[0].GetWorkspace() != x.want.GetWorkspace() ||
				got[0].GetUser() != x.want.GetUser() || got[0].GetAddress() != "192.0.2.7" || got[0].GetCount() != 1 {
				t.Errorf("%v: reported %v, want %v", x.err, got, x.want)
			}
		}
		if !errors.Is(Foreign(good), ErrRefused) {
			t.Error("a foreign token is not refused")
		}

		time.Sleep(reportInterval / 2) // between two reports: what follows goes into one
		r.Origin(netip.MustParseAddr("2001:db8:1:2:3::4"))
		r.Origin(netip.MustParseAddr("2001:db8:1:2:5::6%eth0"))
		r.Origin(netip.MustParseAddr("::ffff:192.0.2.7"))
		r.Origin(netip.Addr{})
		time.Sleep(2 * time.Second)
		got := map[string]uint32{}
		for _, e := range to.take() {
			got[e.GetReason()+" "+e.GetAddress()] = e.GetCount()
		}
		if len(got) != 3 || got["origin.wrong 2001:db8:1:2::/64"] != 2 || got["origin.wrong 192.0.2.7"] != 1 || got["origin.wrong "] != 1 {
			t.Errorf("addresses: %v", got)
		}

		var none *Reporter
		none.Token(ErrRefused, here)
		none.Origin(here)
	})
}

// A day's flood from one address is some dozen entries, and they tell how many there were.
func TestAFloodBecomesFewEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, to, stop := reporting(t)
		begun := time.Now()
		n := 0
		for time.Since(begun) < 24*time.Hour {
			for range 10 {
				r.Token(ErrRefused, here)
				n++
			}
			time.Sleep(5 * time.Second)
		}
		r.Token(&signedError{ErrRevoked, Claims{Workspace: "w", User: "ada"}}, here) // isn't lost among them
		n++
		time.Sleep(2 * time.Second)
		stop()
		got := to.take()
		if len(got) < 10 || len(got) > 40 {
			t.Errorf("%d entries", len(got))
		}
		if sum(got) != n {
			t.Errorf("%d refusals are on record, want %d", sum(got), n)
		}
		if !slices.ContainsFunc(got, func(f *authv1.Refusal) bool { return f.GetReason() == "token.revoked" && f.GetUser() == "ada" }) {
			t.Error("what happened beside the flood is missing")
		}
		first := time.UnixMilli(got[0].GetSinceMs())
		if !first.Equal(begun) || got[0].GetCount() != 10 {
			t.Errorf("the first one stands for %d since %v", got[0].GetCount(), first.Sub(begun))
		}
	})
}

// Ever new addresses, and ever new people, take neither memory nor the log without bound.
func TestEverNewAddressesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, to, stop := reporting(t)
		const minutes, each = 120, 500
		most := 0
		for i := range minutes * 6 {
			for j := range each {
				k := uint32(i*each + j)
				r.Token(ErrRefused, netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)}))
				r.Origin(netip.AddrFrom4([4]byte{byte(rand.N(4)), 1, 2, 3}))
			}
			r.mu.Lock()
			most = max(most, len(r.entries))
			r.mu.Unlock()
			time.Sleep(10 * time.Second)
		}
		stop()
		got := to.take()
		if most > maxEntries {
			t.Errorf("%d entries waited", most)
		}
		if limit := newEntries + minutes*6 + 60; len(got) > limit || len(got) < newEntries {
			t.Errorf("%d entries on record, want at most %d", len(got), limit)
		}
		if want := 2 * minutes * 6 * each; sum(got) != want {
			t.Errorf("%d refusals are on record, want %d", sum(got), want)
		}
		if to.largest > reportBatch {
			t.Errorf("%d in one report", to.largest)
		}
	})
}

func TestMemoryIsBoundedWhateverIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &recorder{away: errors.New("away")}
		r, err := NewReporter(to, VerifierDeps{}) // nobody takes anything out
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for i := range 100_000 {
			now := begun.Add(time.Duration(i) * time.Second)
			r.count(refusal{workspace: "w", user: string(rune('a' + i%20)), reason: reasonExpired, address: netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}).String()}, now)
		}
		if len(r.entries) > maxEntries+1 || len(r.entries) < maxEntries {
			t.Errorf("%d entries", len(r.entries))
		}
		if e := r.entries[refusal{reason: reasonExpired}]; e == nil || e.count < 90_000 {
			t.Errorf("the rest: %+v", e)
		}
	})
}

func TestIdentityIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, to, _ := reporting(t)
		to.fail(errors.New("away"))
		for range 60 {
			r.Token(ErrRefused, here)
			time.Sleep(time.Second)
		}
		if to.attempts > 10 {
			t.Errorf("%d attempts within a minute", to.attempts)
		}
		to.fail(nil)
		time.Sleep(reportRetryMax + time.Second)
		if got := to.take(); len(got) != 1 || got[0].GetCount() != 60 {
			t.Errorf("after a minute: %v", got)
		}

		to.fail(errors.New("away"))
		r.Token(ErrRefused, there)
		time.Sleep(keepUnreported + 5*time.Second)
		if n := testutil.ToFloat64(r.dropped); n != 1 {
			t.Errorf("%v dropped", n)
		}
		to.fail(nil)
		r.Token(ErrRefused, there)
		time.Sleep(reportRetryMax + time.Second)
		if got := to.take(); len(got) != 1 || got[0].GetCount() != 1 {
			t.Errorf("after long: %v", got)
		}
	})
}

func TestWhatWaitsIsReportedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, to, stop := reporting(t)
		r.Token(ErrRefused, here)
		time.Sleep(2 * time.Second)
		for range 5 {
			r.Token(ErrRefused, here) // due in a minute
		}
		stop()
		if got := to.take(); len(got) != 2 || sum(got) != 6 {
			t.Errorf("on record: %v", got)
		}
	})
}
