package gateway

import (
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/mesh/auth"
)

// BenchmarkTunnel sends one body of as many MiB as there are rounds through a route over a socket, there and back again, with calls beside it:
//
//	go test -run '^$' -bench Tunnel -benchtime 10240x
//
// It reports the largest heap and the median and 99th percentile of the calls' time; the control is the same calls alone.
func BenchmarkTunnel(b *testing.B) {
	g, svc := listening(b)
	svc.Set(func(s *testsvc.Service) {
		s.Web = func(w http.ResponseWriter, r *http.Request) {
			buffer := make([]byte, 64<<10)
			if _, err := io.CopyBuffer(struct{ io.Writer }{w}, r.Body, buffer); err != nil {
				b.Error(err)
			}
		}
	})
	now := time.Now()
	token, err := auth.Sign(signingKey, auth.Claims{User: "ada", Workspace: "w", Device: "d", Role: "r", Kind: auth.KindPerson, IssuedAt: now, Expires: now.Add(time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	send := func(path string, body io.Reader, kind string) *http.Response {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+g.Addr()+path, body)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", kind)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		return res
	}
	call := func() time.Duration {
		start := time.Now()
		res := send("/plenum.test.v1.TestService/Hello", strings.NewReader("{}"), "application/json")
		_, _ = io.Copy(io.Discard, res.Body)
		if _ = res.Body.Close(); res.StatusCode != http.StatusOK {
			b.Fatal(res.Status)
		}
		return time.Since(start)
	}
	var alone []time.Duration
	for range 200 {
		alone = append(alone, call())
	}
	var most atomic.Uint64
	done, watched := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var beside []time.Duration
		for {
			select {
			case <-done:
				watched <- beside
				return
			case <-time.After(20 * time.Millisecond):
				beside = append(beside, call())
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapAlloc))
			}
		}
	}()
	b.SetBytes(1 << 20)
	b.ResetTimer()
	size := int64(b.N) << 20
	res := send("/test/x", io.LimitReader(zeros{}, size), "application/octet-stream")
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, res.Body, make([]byte, 64<<10))
	b.StopTimer()
	if _ = res.Body.Close(); err != nil || n != size {
		b.Fatalf("%d of %d bytes: %v", n, size, err)
	}
	close(done)
	beside := <-watched
	report := func(name string, times []time.Duration) {
		if len(times) > 0 {
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), name+"-p50-us")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), name+"-p99-us")
		}
	}
	report("alone", alone)
	report("beside", beside)
	b.ReportMetric(float64(most.Load())/(1<<20), "heap-MiB")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
