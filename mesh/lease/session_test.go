package lease

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an etcd of one process, with leases that expire by the bubble's clock.
type fake struct {
	mu      sync.Mutex
	away    bool
	lastID  clientv3.LeaseID
	expires map[clientv3.LeaseID]time.Time
	keys    map[string]entry
	grants  int
}

type entry struct {
	value string
	lease clientv3.LeaseID
}

var errAway = errors.New("away")

func newFake() *fake {
	return &fake{expires: map[clientv3.LeaseID]time.Time{}, keys: map[string]entry{}}
}

// enter is the first step of each request: it waits for the caller's patience while etcd is away.
func (f *fake) enter(ctx context.Context) error {
	f.mu.Lock()
	away := f.away
	f.mu.Unlock()
	if away {
		<-ctx.Done()
		return errAway
	}
	return nil
}

func (f *fake) alive(id clientv3.LeaseID) bool {
	at, ok := f.expires[id]
	return ok && time.Now().Before(at)
}

func (f *fake) grant(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error) {
	if err := f.enter(ctx); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grants++
	f.lastID++
	f.expires[f.lastID] = time.Now().Add(ttl)
	return f.lastID, nil
}

func (f *fake) renew(ctx context.Context, id clientv3.LeaseID) (time.Duration, error) {
	if err := f.enter(ctx); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.alive(id) {
		return 0, errGone
	}
	const ttl = 6 * time.Second
	f.expires[id] = time.Now().Add(ttl)
	return ttl, nil
}

func (f *fake) revoke(ctx context.Context, id clientv3.LeaseID) error {
	if err := f.enter(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.expires, id)
	return nil
}

func (f *fake) put(ctx context.Context, id clientv3.LeaseID, key, value string) error {
	if err := f.enter(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.alive(id) {
		return errGone
	}
	f.keys[key] = entry{value, id}
	return nil
}

func (f *fake) remove(ctx context.Context, key string) error {
	if err := f.enter(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, key)
	return nil
}

func (f *fake) expiry(id clientv3.LeaseID) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.expires[id]
}

func (f *fake) setAway(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// get is what another process would see.
func (f *fake) get(key string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, ok := f.keys[key]; ok && f.alive(e.lease) {
		return e.value
	}
	return ""
}

// start runs a session in the bubble until the test ends.
func start(t *testing.T, f *fake) (s *Session, stop func()) {
	t.Helper()
	s, err := newSession(DefaultSessionConfig(), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return s, stop
}

func TestLeaseIsKeptAliveWithItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s, stop := start(t, f)
		s.Put("a", "1")
		<-s.Ready()
		first := s.Current()
		time.Sleep(time.Hour)
		if got := f.get("a"); got != "1" {
			t.Errorf("after an hour, key a = %q", got)
		}
		if s.Current() != first || !first.Valid() {
			t.Error("the lease changed without a reason")
		}
		s.Put("a", "2")
		synctest.Wait()
		if got := f.get("a"); got != "2" {
			t.Errorf("after a change, key a = %q", got)
		}
		s.Delete("a")
		synctest.Wait()
		if got := f.get("a"); got != "" {
			t.Errorf("after Delete, key a = %q", got)
		}
		s.Put("b", "1")
		synctest.Wait()
		stop()
		if got := f.get("b"); got != "" {
			t.Errorf("after the end, key b = %q: the lease was not given back", got)
		}
		if first.Valid() {
			t.Error("the lease is valid after the end of its session")
		}
	})
}

func TestLostLeaseIsRegainedWithItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s, _ := start(t, f)
		s.Put("a", "1")
		first, err := s.Held(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f.setAway(true)
		cut := time.Now()
		<-first.Done()
		if d := time.Since(cut); d > s.ttl {
			t.Errorf("the loss was noticed after %v; the lease had ended after %v", d, s.ttl)
		}
		if f.expiry(first.ID).Before(time.Now()) {
			t.Error("the lease ended in etcd before it ended here")
		}
		if s.Current() != nil {
			t.Error("a lost lease is still the current one")
		}
		s.Put("a", "2") // while away
		time.Sleep(time.Minute)
		f.setAway(false)
		second, err := s.Held(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if second.ID == first.ID || !second.Valid() || first.Valid() {
			t.Errorf("leases %d, then %d", first.ID, second.ID)
		}
		if got := f.get("a"); got != "2" {
			t.Errorf("key a = %q", got)
		}
	})
}

func TestShortAbsenceKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s, _ := start(t, f)
		<-s.Ready()
		first := s.Current()
		for range 20 {
			f.setAway(true)
			time.Sleep(2 * time.Second)
			f.setAway(false)
			time.Sleep(2 * time.Second)
		}
		if s.Current() != first {
			t.Error("absences far below the TTL cost the lease")
		}
	})
}

// A session that is told to change its keys all the time must not forget to renew.
func TestChangesDoNotPostponeRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s, _ := start(t, f)
		<-s.Ready()
		first := s.Current()
		for range 200 {
			s.Put("a", time.Now().String())
			time.Sleep(100 * time.Millisecond)
		}
		if s.Current() != first || !first.Valid() {
			t.Error("the lease was lost")
		}
	})
}

func TestLeaseRevokedByOthersIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s, _ := start(t, f)
		s.Put("a", "1")
		<-s.Ready()
		first := s.Current()
		if err := f.revoke(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		<-first.Done()
		if _, err := s.Held(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := f.get("a"); got != "1" {
			t.Errorf("key a = %q", got)
		}
	})
}

// While etcd is away, a session asks about once a second and not in a loop.
func TestAbsenceIsNotAnsweredByAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		refusing := &refuser{fake: f}
		s, err := newSession(DefaultSessionConfig(), refusing, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if refusing.asked < 30 || refusing.asked > 150 {
			t.Errorf("asked %d times in a minute", refusing.asked)
		}
	})
}

// refuser answers at once, as a closed port does.
type refuser struct {
	*fake
	asked int
}

func (r *refuser) grant(context.Context, time.Duration) (clientv3.LeaseID, error) {
	r.asked++
	return 0, errAway
}

func TestConfigIsChecked(t *testing.T) {
	for _, ttl := range []time.Duration{0, time.Second, 2500 * time.Millisecond} {
		if (SessionConfig{TTL: ttl}).Validate() == nil {
			t.Errorf("TTL %v passes", ttl)
		}
	}
	if err := DefaultSessionConfig().Validate(); err != nil {
		t.Error(err)
	}
	if _, err := Connect(Config{}); err == nil {
		t.Error("no endpoints pass")
	}
	if _, err := Connect(Config{Endpoints: []string{"http://127.0.0.1:1"}, CertFile: "x"}); err == nil {
		t.Error("a certificate without its key passes")
	}
}
