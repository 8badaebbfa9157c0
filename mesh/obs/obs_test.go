package obs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func build(t *testing.T, change func(*Config)) (*Obs, *bytes.Buffer) {
	t.Helper()
	cfg, out := DefaultConfig(), &bytes.Buffer{}
	change(&cfg)
	o, err := New(cfg, Deps{Service: "chat", Version: "v1", Out: out})
	if err != nil {
		t.Fatal(err)
	}
	return o, out
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"level":    func(c *Config) { c.Log.Level = "loud" },
		"format":   func(c *Config) { c.Log.Format = "xml" },
		"ratio":    func(c *Config) { c.Trace.Ratio = 1.1 },
		"endpoint": func(c *Config) { c.Trace.Endpoint = "collector:4317" },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := New(cfg, Deps{Service: "chat", Out: io.Discard}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(DefaultConfig(), Deps{}); err == nil {
		t.Error("a process without a name was accepted")
	}
}

func TestLog(t *testing.T) {
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	for format, want := range map[string]string{
		"text": "level=WARN msg=hello service=chat a=1 trace_id=01000000000000000000000000000000",
		"json": `"level":"WARN","msg":"hello","service":"chat","a":1,"trace_id":"01000000000000000000000000000000"`,
	} {
		o, out := build(t, func(c *Config) { c.Log = LogConfig{"warn", format} })
		o.Log.InfoContext(ctx, "silent")
		o.Log.With("a", 1).WarnContext(ctx, "hello")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "silent") {
			t.Errorf("%s: %s", format, out)
		}
	}
}

func TestTracingIsOffUnlessConfigured(t *testing.T) {
	if o, _ := build(t, func(*Config) {}); o.Tracer != nil {
		t.Error("on")
	}
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := build(t, func(*Config) {})
		ready, failing := make(chan struct{}), errors.New("secret detail")
		var db error
		o.ReadyWhen("start", ready)
		o.Check("database", func(context.Context) error { return db })
		h := o.Handler()
		expect := func(live, status int, verbose string) {
			t.Helper()
			time.Sleep(checkPause)
			if code, _ := get(t, h, "/livez"); code != live {
				t.Errorf("livez: %d", code)
			}
			if code, text := get(t, h, "/readyz"); code != status || text != verbose {
				t.Errorf("readyz: %d %q, want %d %q", code, text, status, verbose)
			}
			if code, text := get(t, http.HandlerFunc(o.Readyz), "/"); code != status || strings.Contains(text, "secret") {
				t.Errorf("public readyz: %d %q", code, text)
			}
		}
		expect(200, 503, "start: not ready yet\ndatabase: ok\n")
		close(ready)
		expect(200, 200, "start: ok\ndatabase: ok\nready\n")
		db = failing
		expect(200, 503, "start: ok\ndatabase: secret detail\n")
		db = nil
		expect(200, 200, "start: ok\ndatabase: ok\nready\n")

		free, runs := make(chan struct{}), 0
		o.Check("hangs", func(context.Context) error { runs++; <-free; return nil })
		for range 3 {
			start := time.Now()
			expect(200, 503, "start: ok\ndatabase: ok\nhangs: no answer\n")
			if took := time.Since(start); took > 3*checkTimeout {
				t.Errorf("took %v", took)
			}
		}
		close(free)
		synctest.Wait()
		expect(200, 200, "start: ok\ndatabase: ok\nhangs: ok\nready\n")
		if runs != 2 {
			t.Errorf("a hanging test was begun %d times", runs-1)
		}
	})
}

func TestManyProbesCostOneTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := build(t, func(*Config) {})
		runs := 0
		o.Check("database", func(context.Context) error { runs++; time.Sleep(100 * time.Millisecond); return nil })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if code, _ := get(t, http.HandlerFunc(o.Readyz), "/"); code != 200 {
					t.Errorf("status %d", code)
				}
			})
		}
		wg.Wait()
		if runs != 1 {
			t.Errorf("%d tests", runs)
		}
	})
}

func run(t *testing.T, o *Obs) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	<-o.Ready()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestListener(t *testing.T) {
	o, _ := build(t, func(c *Config) { c.Listen = "127.0.0.1:0" })
	stop := run(t, o)
	defer stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{
		"/metrics": `plenum_build_info{service="chat",version="v1"} 1`, "/livez": "ok", "/readyz": "ready",
		"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile", "/": "404",
	} {
		r, err := client.Get("http://" + o.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if !strings.Contains(string(body), want) {
			t.Errorf("%s: %.200s", path, body)
		}
	}
	second, _ := build(t, func(c *Config) { c.Listen = o.Addr() })
	if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a port in use: %v", err)
	}
}

func TestWithoutListener(t *testing.T) {
	o, _ := build(t, func(*Config) {})
	run(t, o)()
	if o.Addr() != "" {
		t.Errorf("listens at %s", o.Addr())
	}
}

// collector is an OTLP collector that keeps the names of the spans.
type collector struct {
	collectorv1.UnimplementedTraceServiceServer
	spans chan string
}

func (c collector) Export(_ context.Context, r *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	for _, x := range r.GetResourceSpans() {
		for _, y := range x.GetScopeSpans() {
			for _, s := range y.GetSpans() {
				c.spans <- s.GetName()
			}
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func TestTracesReachTheCollector(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, server := collector{spans: make(chan string, 1)}, grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	o, out := build(t, func(c *Config) { c.Trace = TraceConfig{"http://" + l.Addr().String(), 1} })
	stop := run(t, o)
	_, span := o.Tracer.Tracer("test").Start(t.Context(), "work")
	span.End()
	stop() // sends what is left
	server.Stop()
	<-served
	select {
	case name := <-c.spans:
		if name != "work" {
			t.Errorf("got %q", name)
		}
	default:
		t.Errorf("no span arrived; logged: %s", out)
	}
}

func TestACollectorThatIsAwayCostsTracesOnly(t *testing.T) {
	o, _ := build(t, func(c *Config) { c.Trace = TraceConfig{"http://127.0.0.1:1", 1} })
	stop := run(t, o)
	_, span := o.Tracer.Tracer("test").Start(t.Context(), "work")
	span.End()
	stop()
}
