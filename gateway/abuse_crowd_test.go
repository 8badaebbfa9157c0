package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/gateway/internal/testsvc/testv1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// came is where a client comes from, and by which proxies it says so.
type came struct{ from, forwarded string }

func (s *system) connectFrom(c came) *client {
	s.t.Helper()
	h := http.Header{}
	if c.forwarded != "" {
		h.Set("X-Forwarded-For", c.forwarded)
	}
	return s.connectBy(s.httpFrom(c.from), h)
}

// Sessions of one address are bounded, as proxies that are trusted tell it and nobody else, whether or not they have said Hello.
func TestSessionsOfOneAddress(t *testing.T) {
	const proxy, another = "10.0.0.1", "10.0.0.2"
	for name, x := range map[string]struct{ first, same, other came }{
		"without a proxy":           {came{"198.51.100.1", ""}, came{"198.51.100.1", ""}, came{"198.51.100.2", ""}},
		"by a proxy":                {came{proxy, "198.51.100.1"}, came{another, "198.51.100.1"}, came{proxy, "198.51.100.2"}},
		"by a proxy, and not":       {came{proxy, "198.51.100.1"}, came{"198.51.100.1", ""}, came{proxy, "198.51.100.2"}},
		"by two proxies":            {came{proxy, "198.51.100.1, 10.9.9.9"}, came{proxy, "198.51.100.1"}, came{proxy, "198.51.100.2, 10.9.9.9"}},
		"one that adds ports":       {came{proxy, "198.51.100.1:4711"}, came{proxy, "198.51.100.1:4712"}, came{proxy, "[2001:db8::1]:4711"}},
		"another's word":            {came{"198.51.100.1", "203.0.113.1"}, came{"198.51.100.1", "203.0.113.2"}, came{"198.51.100.2", "203.0.113.1"}},
		"another's word by a proxy": {came{proxy, "203.0.113.1, 198.51.100.1"}, came{proxy, "203.0.113.2, 198.51.100.1"}, came{proxy, "203.0.113.1, 198.51.100.2"}},
		"a proxy's name":            {came{proxy, "10.0.0.5, 198.51.100.1"}, came{proxy, "198.51.100.1"}, came{proxy, "10.0.0.5"}},
		"one IPv6 network":          {came{"2001:db8::1", ""}, came{"2001:db8::ffff:1", ""}, came{"2001:db8:0:1::1", ""}},
		"one IPv6 network, proxied": {came{proxy, "2001:db8::1"}, came{proxy, "2001:db8::2"}, came{proxy, "2001:db8:0:1::1"}},
		"IPv4 in IPv6":              {came{"::ffff:198.51.100.1", ""}, came{"198.51.100.1", ""}, came{"::ffff:198.51.100.2", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			attacked(t, func(c *Config) { c.MaxSessionsAddress, c.Proxies = 2, []string{"10.0.0.0/8"} }, func(t *testing.T, s *system, _ *bystander) {
				stranger, one := s.connectFrom(x.first), s.connectFrom(x.same)
				one.send(hello(s.token("one", time.Minute)))
				if one.next().GetWelcome() == nil {
					t.Fatal("not welcomed")
				}
				last, code := s.connectFrom(x.same).end()
				if e := last.GetGoodbye().GetError(); int(code) != int(edgev1.Code_CODE_OVERLOADED) || e.GetReason() != "edge.ADDRESS_SESSIONS" || e.GetRetryAfterMs() == 0 {
					t.Errorf("the third: %d %v", code, e)
				}
				other := s.connectFrom(x.other)
				other.send(hello(s.token("other", time.Minute)))
				if f := other.next(); f.GetWelcome() == nil {
					t.Errorf("another: %v", f)
				}
				_, _ = stranger.end() // it has no more than the time for Hello
				s.connectFrom(x.first).close()
				one.close()
				other.close()
				synctest.Wait()
				if n := s.g.sessions.Inside(); n != 1 {
					t.Errorf("%d sessions are counted", n)
				}
			})
		})
	}
}

// Streams and polls are sessions, and counted so.
func TestSessionsOfOneAddressByHTTP(t *testing.T) {
	attacked(t, func(c *Config) { c.MaxSessionsAddress = 1 }, func(t *testing.T, s *system, _ *bystander) {
		for _, path := range []string{pathPoll, pathEvents} {
			_, data := s.request("POST", path, `{"hello":{"sessionId":"s"}}`, "Content-Type", asJSON, "Authorization", "Bearer "+s.token("u", time.Minute))
			if !strings.Contains(string(data), "edge.ADDRESS_SESSIONS") {
				t.Errorf("%s: %s", path, data)
			}
		}
		if s.g.sessions.Inside() != 1 || s.metric("sessions_refused_total") != 2 {
			t.Errorf("%d sessions are counted", s.g.sessions.Inside())
		}
	})
}

// Requests that one address has under way are bounded, also those that a proxy brings by one connection; who watches the gateway is answered.
func TestRequestsOfOneAddress(t *testing.T) {
	attacked(t, func(c *Config) { c.MaxRequestsAddress, c.Proxies = 2, []string{"10.0.0.0/8"} }, func(t *testing.T, s *system, b *bystander) {
		slow := func(address string) response {
			res, err := s.httpFrom("10.0.0.1").Do(post(t, hello4s, `{"waitMs":4000}`, "X-Forwarded-For", address))
			s.must(err)
			_ = res.Body.Close()
			return response{res.StatusCode, res.Status, res.Header}
		}
		answers := make(chan response, 3)
		for _, address := range []string{"198.51.100.1", "198.51.100.1", "198.51.100.2"} {
			go func() { answers <- slow(address) }()
		}
		synctest.Wait()
		if res := slow("198.51.100.1"); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "5" {
			t.Errorf("the third: %s, %v", res.Status, res.Header)
		}
		b.undisturbed()
		for range 3 {
			if res := <-answers; res.StatusCode != http.StatusOK {
				t.Errorf("%s", res.Status)
			}
		}
		if res := slow("198.51.100.1"); res.StatusCode != http.StatusOK || s.g.requests.Inside() != 0 {
			t.Errorf("there is room again: %s", res.Status)
		}
	})
	attacked(t, func(c *Config) { c.MaxRequests = 1 }, func(t *testing.T, s *system, _ *bystander) {
		go func() { s.request("POST", hello4s, `{"waitMs":4000}`, "Content-Type", asJSON) }()
		synctest.Wait()
		for path, status := range map[string]int{"/": 503, hello4s: 503, "/livez": 200, "/readyz": 200} {
			if res, _ := s.request("GET", path, ""); res.StatusCode != status {
				t.Errorf("%s: %s", path, res.Status)
			}
		}
		time.Sleep(5 * time.Second)
	})
}

func post(t *testing.T, path, body string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://plenum.test"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", asJSON)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// A storm of sign-ins takes three quarters of the calls that the gateway makes at the same time; who is in has the rest.
func TestStormOfSignIns(t *testing.T) {
	attacked(t, func(c *Config) { c.MaxCalls = 8 }, func(t *testing.T, s *system, b *bystander) {
		const storm = 20
		answers := make(chan response, storm)
		for range storm {
			go func() {
				res, _ := s.request("POST", hello4s, `{"waitMs":4000}`, "Content-Type", asJSON)
				answers <- res
			}()
		}
		synctest.Wait()
		b.undisturbed()
		count := map[int]int{}
		for range storm {
			res := <-answers
			count[res.StatusCode]++
			if after, _ := strconv.Atoi(res.Header.Get("Retry-After")); res.StatusCode == http.StatusServiceUnavailable && after < 1 {
				t.Errorf("refused without a time to come back: %v", res.Header)
			}
		}
		if count[http.StatusOK] != 6 || count[http.StatusServiceUnavailable] != storm-6 {
			t.Errorf("answers: %v", count)
		}
	})
}

// When memory is short nothing new is taken, and is told when to come back; who is in goes on, over the connection and by HTTP, and can
// refresh. It ends when an eighth of the limit is free again.
func TestShedding(t *testing.T) {
	attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
		live, tickets := uint64(0), &redeemer{s: s, user: "u"}
		s.g.deps.Tickets = tickets
		s.g.shedder.limit, s.g.shedder.live = 800, func() uint64 { return live }
		becomes := func(bytes uint64) { live = bytes; time.Sleep(shedEvery) }
		public := func() response {
			res, _ := s.request("POST", hello4s, `{}`, "Content-Type", asJSON)
			return res
		}
		becomes(800)
		s.signIn("u").close()
		for _, bytes := range []uint64{801, 701} { // not less until it is an eighth
			becomes(bytes)
			last, code := s.connect(nil).end()
			if e := last.GetGoodbye().GetError(); int(code) != int(edgev1.Code_CODE_OVERLOADED) || e.GetReason() != "edge.SHEDDING" || e.GetRetryAfterMs() < 5000 {
				t.Errorf("a new session: %d %v", code, e)
			}
			res := public()
			if after, _ := strconv.Atoi(res.Header.Get("Retry-After")); res.StatusCode != http.StatusServiceUnavailable || after < 5 {
				t.Errorf("a call without a token: %s, come back after %d", res.Status, after)
			}
			if res, data := s.request("GET", "/test/open/x", ""); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(data), "edge.SHEDDING") || res.Header.Get("Retry-After") == "" {
				t.Errorf("a route without a token: %s %s", res.Status, data)
			}
			if res, data := s.request("GET", "/test/x", "", "Authorization", "Bearer "+s.token("v", time.Hour)); res.StatusCode != http.StatusNotFound {
				t.Errorf("a route with one: %s %s", res.Status, data) // the service's answer
			}
			r := s.stream(pathEvents+"?ticket=plt_good&want="+room, "", nil)
			if e := r.next().GetGoodbye().GetError(); e.GetReason() != "edge.SHEDDING" {
				t.Errorf("a stream with a ticket: %v", e)
			}
			r.close()
			if tickets.asked > 0 {
				t.Error("identity was asked for somebody who is refused anyway")
			}
			b.undisturbed()
			b.send(refresh(s.token("bystander", 10*time.Minute)))
			if f := b.next(); f.GetRefreshed() == nil {
				t.Errorf("its refresh: %v", f)
			}
			if res, data := s.call("bystander", &testv1.EchoRequest{}); res.StatusCode != http.StatusOK {
				t.Errorf("its call over HTTP: %s %s", res.Status, data)
			}
			if n := s.metric("shedding"); n != 1 {
				t.Errorf("the metric says %v", n)
			}
		}
		s.g.catalog().Method("plenum.test.v1.TestService/Hello").Keeps = true
		if res := public(); res.StatusCode != http.StatusOK {
			t.Errorf("what keeps a session: %s", res.Status)
		}
		becomes(700)
		s.signIn("u").close()
		if n := s.metric("shed_total"); n != 8 || s.metric("shedding") != 0 {
			t.Errorf("%v were refused", n)
		}
	})
}

// What is measured is what the process holds on to, and not its garbage.
func TestLiveBytes(t *testing.T) {
	const much = 64 << 20
	before := liveBytes()
	kept := make([]byte, much)
	heap() // collects
	if n := liveBytes() - before; n < much/2 || n > 2*much {
		t.Errorf("%d bytes for %d", n, much)
	}
	kept[0] = 1
	s := newShedder(0)
	if used, short := s.look(); s.limit != 0 || used == 0 || short {
		t.Errorf("without a limit: %d of %d, %v", used, s.limit, short)
	}
}
