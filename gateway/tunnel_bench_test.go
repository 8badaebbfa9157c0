package gateway

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
)

// overTCP is the test service as a process of its own is reached: by one connection for calls, and one for bodies.
type overTCP struct{ calls, bulk *grpc.ClientConn }

func (o overTCP) Watch() ([]registry.Node, <-chan struct{}) {
	return []registry.Node{{ID: "test", Service: "test"}}, nil
}
func (o overTCP) Conn(string, string) (grpc.ClientConnInterface, error) { return o.calls, nil }
func (o overTCP) Bulk(string, string) (grpc.ClientConnInterface, error) { return o.bulk, nil }
func (o overTCP) To(registry.Node) (grpc.ClientConnInterface, error)    { return o.calls, nil }
func (o overTCP) All(string) []grpc.ClientConnInterface                 { return []grpc.ClientConnInterface{o.calls} }

// zeros are so many bytes of a body.
func zeros(n int64) io.Reader { return io.LimitReader(&endless{}, n) }

// transfers starts a gateway on a socket whose service takes and gives bodies as long as they are asked for.
func transfers(tb testing.TB) (g *Gateway) {
	g, svc := listening(tb, func(s *rpc.Server) Services {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		s.Local(l, self)
		var o overTCP
		for _, c := range []**grpc.ClientConn{&o.calls, &o.bulk} {
			if *c, err = rpc.Dial(l.Addr().String(), rpc.ClientConfig{Service: "test"}); err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() { _ = (*c).Close() })
		}
		return o
	})
	svc.Set(func(svc *testsvc.Service) {
		svc.Web = func(w http.ResponseWriter, r *http.Request) {
			if n, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64); err == nil {
				w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
				_, _ = io.Copy(w, zeros(n))
				return
			}
			n, _ := io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
		}
	})
	return g
}

// transfer moves one body of n bytes.
func transfer(ctx context.Context, g *Gateway, direction string, n int64) error {
	method, query, body := http.MethodPut, "", zeros(n)
	if direction == "down" {
		method, query, body = http.MethodGet, "?bytes="+strconv.FormatInt(n, 10), nil
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+g.Addr()+"/test/open/x"+query, body)
	if err != nil {
		return err //nolint:wrapcheck // a test's
	}
	if body != nil {
		r.ContentLength = n
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		return err //nolint:wrapcheck // a test's
	}
	defer res.Body.Close()
	got, err := io.Copy(io.Discard, res.Body)
	if err == nil && direction == "down" && got != n {
		err = io.ErrUnexpectedEOF
	}
	return err //nolint:wrapcheck // a test's
}

// resident is the process's memory in bytes.
func resident() int64 {
	data, _ := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(data)); len(f) > 1 {
		n, _ := strconv.ParseInt(f[1], 10, 64)
		return n * int64(os.Getpagesize())
	}
	return 0
}

// observe follows memory, and how long calls take, until stop is called. All of it, client and service too, is this process's.
func observe(g *Gateway) (stop func() (heap uint64, rss int64, calls []time.Duration)) {
	done, over := make(chan struct{}), make(chan struct{})
	var heap uint64
	var rss int64
	var calls []time.Duration
	go func() {
		defer close(over)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heap, rss = max(heap, m.HeapInuse), max(rss, resident())
			begin := time.Now()
			res, err := client.Post("http://"+g.Addr()+"/plenum.test.v1.TestService/Hello", asJSON, strings.NewReader("{}"))
			if err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				calls = append(calls, time.Since(begin))
			}
		}
	}()
	return func() (uint64, int64, []time.Duration) {
		close(done)
		<-over
		slices.Sort(calls)
		return heap, rss, calls
	}
}

// BenchmarkTunnel moves one body of b.N MiB, over TCP on both sides of the gateway: -benchtime 10240x are 10 GiB. It reports the largest
// heap and resident size of the process meanwhile, and what calls take beside it; none moves nothing.
func BenchmarkTunnel(b *testing.B) {
	for _, direction := range []string{"none", "up", "down"} {
		b.Run(direction, func(b *testing.B) {
			g := transfers(b)
			b.SetBytes(1 << 20)
			stop := observe(g)
			b.ResetTimer()
			if direction == "none" {
				time.Sleep(2 * time.Second)
			} else if err := transfer(b.Context(), g, direction, int64(b.N)<<20); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			heap, rss, calls := stop()
			b.ReportMetric(float64(heap)/(1<<20), "heap-MiB")
			b.ReportMetric(float64(rss)/(1<<20), "rss-MiB")
			if len(calls) > 0 {
				b.ReportMetric(calls[len(calls)/2].Seconds()*1e3, "call-p50-ms")
				b.ReportMetric(calls[len(calls)*99/100].Seconds()*1e3, "call-p99-ms")
			}
		})
	}
}

// The same over sockets, whose buffers hold what is under way when one side has gone: an early answer is seen by a client that sends,
// one that waits to be asked is asked, and who leaves is missed.
func TestTunnelOverSockets(t *testing.T) {
	g, svc := listening(t, byPipes)
	web := func(h http.HandlerFunc) { svc.Set(func(svc *testsvc.Service) { svc.Web = h }) }
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}}
	do := func(ctx context.Context, body io.Reader, expect string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+g.Addr()+"/test/open/x", body)
		if err != nil {
			t.Fatal(err)
		}
		if r.ContentLength = 64 << 20; expect != "" {
			r.Header.Set("Expect", expect)
		}
		return client.Do(r) //nolint:wrapcheck // a test's
	}
	web(func(w http.ResponseWriter, r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 1))
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	unread := &endless{}
	for _, expect := range []string{"", "100-continue"} {
		res, err := do(t.Context(), io.LimitReader(&endless{}, 64<<20), expect)
		if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatalf("early (%s): %v %v", expect, res, err)
		}
		_ = res.Body.Close()
	}
	web(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	res, err := do(t.Context(), io.LimitReader(unread, 64<<20), "100-continue")
	if err != nil || res.StatusCode != http.StatusForbidden || unread.taken.Load() > 0 {
		t.Fatalf("refused: %v %v, after %d bytes", res, err, unread.taken.Load())
	}
	_ = res.Body.Close()
	begun, left := make(chan struct{}), make(chan error)
	web(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		left <- r.Context().Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if res, err = do(ctx, io.LimitReader(&endless{}, 64<<20), ""); err == nil {
		_ = res.Body.Close()
		t.Error("it was answered")
	}
	<-left
}

// A body passes through memory that does not grow with it: 128 MiB each way, four at once.
func TestFlatMemory(t *testing.T) {
	const size, atOnce, most = 32 << 20, 4, 64 << 20
	g := transfers(t)
	stop := observe(g)
	done := make(chan struct{})
	for i := range 2 * atOnce {
		go func() {
			if err := transfer(t.Context(), g, []string{"up", "down"}[i%2], size); err != nil {
				t.Error(err)
			}
			done <- struct{}{}
		}()
	}
	for range 2 * atOnce {
		<-done
	}
	heap, _, _ := stop()
	if heap > most {
		t.Errorf("%d MiB of heap for bodies of %d", heap>>20, 2*atOnce*size>>20)
	}
}
