package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	httpv1 "plenum.internal/proto/plenum/http/v1"
)

// site is a server whose HttpService is web.
func site(t *testing.T, web http.HandlerFunc) (s *Server, stop func()) {
	t.Helper()
	return serve(t, ServerConfig{}, ServerDeps{Internal: HTTPCallers()}, same, func(s *Server) {
		h, err := NewHTTPService(echoService, web)
		if err != nil {
			t.Fatal(err)
		}
		httpv1.RegisterHttpServiceServer(s, h)
	})
}

// answer is a response as it came, in parts.
type answer struct {
	heads   []string // "200", or "100"
	header  http.Header
	chunks  []int // their lengths
	body    []byte
	trailer http.Header
	err     error
}

// exchange sends a request and reads the response. A body is sent when it is asked for; send may do it otherwise.
func exchange(ctx context.Context, cc grpc.ClientConnInterface, head *httpv1.RequestHead, body ...string) (a answer) {
	stream, err := httpv1.NewHttpServiceClient(cc).Exchange(ctx)
	if err != nil {
		return answer{err: err}
	}
	if head.GetMethod() == "" {
		head.Method = "GET"
	}
	_ = stream.Send(&httpv1.ExchangeRequest{Part: &httpv1.ExchangeRequest_Head{Head: head}})
	for {
		m, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				a.err = err
			}
			return a
		}
		switch p := m.GetPart().(type) {
		case *httpv1.ExchangeResponse_Head:
			a.heads, a.header = append(a.heads, fmt.Sprint(p.Head.GetStatus())), FromHTTPHeaders(p.Head.GetHeaders())
			if p.Head.GetStatus() == http.StatusContinue {
				for _, c := range body {
					_ = stream.Send(&httpv1.ExchangeRequest{Part: &httpv1.ExchangeRequest_Chunk{Chunk: []byte(c)}})
				}
				_ = stream.CloseSend()
			}
		case *httpv1.ExchangeResponse_Chunk:
			a.chunks, a.body = append(a.chunks, len(p.Chunk)), append(a.body, p.Chunk...)
		case *httpv1.ExchangeResponse_Trailer:
			a.trailer = FromHTTPHeaders(p.Trailer.GetHeaders())
		}
	}
}

// The owner of a route authorises: whatever the gateway lets through.
func TestWhoMayExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := site(t, func(w http.ResponseWriter, r *http.Request) {
			caller, _ := Caller(r.Context())
			_, _ = io.WriteString(w, caller.User+" "+r.RemoteAddr)
		})
		defer stop()
		for name, c := range map[string]struct {
			peer, token, target string
			code                edgev1.Code
			body                string
		}{
			"a user":         {"gateway", token(t, "ada"), "/echo/x", 0, "ada 192.0.2.1:0"},
			"anybody":        {"gateway", "", "/echo/open/x", 0, " 192.0.2.1:0"},
			"known":          {"gateway", token(t, "ada"), "/echo/open/x", 0, "ada 192.0.2.1:0"},
			"no token":       {"gateway", "", "/echo/x", edgev1.Code_CODE_TOKEN_REFUSED, ""},
			"forged":         {"gateway", "x", "/echo/open/x", edgev1.Code_CODE_TOKEN_REFUSED, ""},
			"no route":       {"gateway", token(t, "ada"), "/other/x", edgev1.Code_CODE_NOT_FOUND, ""},
			"another's path": {"gateway", "", "/echo/open/../x", edgev1.Code_CODE_INVALID_ARGUMENT, ""},
			"no path":        {"gateway", "", "echo", edgev1.Code_CODE_INVALID_ARGUMENT, ""},
			"another peer":   {"chat", token(t, "ada"), "/echo/x", edgev1.Code_CODE_NOT_FOUND, ""},
		} {
			ctx := t.Context()
			if c.token != "" {
				ctx = WithToken(ctx, c.token)
			}
			a := exchange(ctx, s.BulkPipe(c.peer), &httpv1.RequestHead{Target: c.target, RemoteAddress: "192.0.2.1"})
			if CodeOf(a.err) != c.code || string(a.body) != c.body {
				t.Errorf("%s: %q %v", name, a.body, a.err)
			}
		}
		stream, err := httpv1.NewHttpServiceClient(s.Pipe("gateway")).Exchange(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(&httpv1.ExchangeRequest{Part: &httpv1.ExchangeRequest_Chunk{}})
		if _, err := stream.Recv(); CodeOf(err) != edgev1.Code_CODE_INVALID_ARGUMENT {
			t.Errorf("no head: %v", err)
		}
	})
}

func TestRoutesOfAnOwner(t *testing.T) {
	for _, owner := range []string{"plenum.nothing.v1.Service", "plenum.auth.v1.AuthService", "plenum.edge.v1.Call", ""} {
		if _, err := NewHTTPService(owner, http.NotFoundHandler()); err == nil {
			t.Errorf("%q has no routes", owner)
		}
	}
}

func TestResponses(t *testing.T) {
	const sentence = "what is written"
	control := http.NewResponseController
	for name, c := range map[string]struct {
		method string
		web    func(w http.ResponseWriter, r *http.Request)
		heads  string
		chunks string
		length string // Content-Length
		kind   string // Content-Type
		fails  bool
	}{
		"nothing":       {"GET", func(http.ResponseWriter, *http.Request) {}, "[200]", "[]", "0", "", false},
		"short":         {"GET", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, sentence) }, "[200]", "[15]", "15", "text/plain; charset=utf-8", false},
		"HEAD":          {"HEAD", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, sentence) }, "[200]", "[]", "15", "", false},
		"of its length": {"HEAD", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "7") }, "[200]", "[]", "7", "", false},
		"not modified":  {"GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304); _, _ = w.Write([]byte("x")) }, "[304]", "[]", "", "", false},
		"typed": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = io.WriteString(w, sentence)
		}, "[200]", "[15]", "15", "image/png", false},
		"second status": {"GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(500) }, "[201]", "[]", "0", "", false},
		"flushed head": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			_ = control(w).Flush()
			_, _ = io.WriteString(w, sentence)
		}, "[200]", "[0 15]", "", "", false},
		"flushed": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			for range 2 {
				_, _ = io.WriteString(w, sentence)
				w.(http.Flusher).Flush()
			}
		}, "[200]", "[15 15]", "", "text/plain; charset=utf-8", false},
		"long": {"GET", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2*HTTPChunk+1)) }, "[200]", "[32760 32760 1]", "", "application/octet-stream", false},
		"copied": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, bytes.NewReader(make([]byte, HTTPChunk+1)))
		}, "[200]", "[32760 1]", "", "application/octet-stream", false},
		"copied in parts": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "30")
			_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader(sentence)})
			_, _ = io.CopyN(w, struct{ io.Reader }{strings.NewReader(sentence)}, 15)
		}, "[200]", "[30]", "30", "text/plain; charset=utf-8", false},
		"too much": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			if _, err := io.WriteString(w, sentence); !errors.Is(err, http.ErrContentLength) {
				panic(err)
			}
			if _, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(sentence)}); !errors.Is(err, http.ErrContentLength) {
				panic(err)
			}
		}, "[200]", "[3]", "3", "text/plain; charset=utf-8", false},
		"too little": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "16")
			_, _ = io.WriteString(w, sentence)
		}, "[200]", "[15]", "16", "text/plain; charset=utf-8", true},
		"hints": {"GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(204) }, "[103 204]", "[]", "", "", false},
		"hijack": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			if _, _, err := control(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
				panic(err)
			}
			w.WriteHeader(http.StatusSwitchingProtocols)
		}, "[501]", "[]", "0", "", false},
		"aborted": {"GET", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "[]", "[]", "", "", true},
		"a bug":   {"GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(1000) }, "[]", "[]", "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, stop := site(t, c.web)
				defer stop()
				a := exchange(t.Context(), s.BulkPipe("gateway"), &httpv1.RequestHead{Method: c.method, Target: "/echo/open/x"})
				if fmt.Sprint(a.heads) != c.heads || a.header.Get("Content-Length") != c.length || a.header.Get("Content-Type") != c.kind || (a.err != nil) != c.fails {
					t.Errorf("%v %v %v", a.heads, a.header, a.err)
				}
				if got := fmt.Sprint(a.chunks); got != c.chunks {
					t.Errorf("chunks %v", got)
				}
			})
		})
	}
}

func TestBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late io.ReadCloser
		s, stop := site(t, func(w http.ResponseWriter, r *http.Request) {
			late = r.Body
			w.Header().Set("Trailer", "X-Sum")
			_ = http.NewResponseController(w).EnableFullDuplex()
			n, err := io.Copy(w, r.Body)
			w.Header().Set("X-Sum", fmt.Sprint(n, err))
			w.Header().Set(http.TrailerPrefix+"X-More", "1")
		})
		defer stop()
		a := exchange(t.Context(), s.BulkPipe("gateway"), &httpv1.RequestHead{Method: "POST", Target: "/echo/open/x", ContentLength: -1}, "ab", "", "c")
		if fmt.Sprint(a.heads) != "[100 200]" || string(a.body) != "abc" || a.trailer.Get("X-Sum") != "3 <nil>" || a.trailer.Get("X-More") != "1" || a.header.Get("X-Sum") != "" || a.err != nil {
			t.Errorf("%+v", a)
		}
		if _, err := late.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("after the end: %v", err)
		}
		a = exchange(t.Context(), s.BulkPipe("gateway"), &httpv1.RequestHead{Method: "POST", Target: "/echo/open/x"})
		if fmt.Sprint(a.heads) != "[200]" || a.trailer.Get("X-Sum") != "0 <nil>" {
			t.Errorf("without a body: %+v", a)
		}
	})
}

// A client that is cut off ends the body with an error, and the request's context.
func TestCutOffBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saw := make(chan error, 3)
		s, stop := site(t, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			saw <- err
			<-r.Context().Done()
			saw <- r.Context().Err()
			_, err = io.Copy(w, strings.NewReader(strings.Repeat("x", 2*HTTPChunk)))
			saw <- err
		})
		defer stop()
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := httpv1.NewHttpServiceClient(s.BulkPipe("gateway")).Exchange(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(&httpv1.ExchangeRequest{Part: &httpv1.ExchangeRequest_Head{Head: &httpv1.RequestHead{Method: "PUT", Target: "/echo/open/x", ContentLength: 10}}})
		_ = stream.Send(&httpv1.ExchangeRequest{Part: &httpv1.ExchangeRequest_Chunk{Chunk: []byte("half")}})
		synctest.Wait()
		cancel()
		if err := <-saw; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the body ended with %v", err)
		}
		if err := <-saw; !errors.Is(err, context.Canceled) {
			t.Errorf("the context with %v", err)
		}
		if err := <-saw; err == nil {
			t.Error("somebody took the answer")
		}
	})
}

// A server that stops gives a request its grace, unlike a stream without an end.
func TestExchangesEndWithGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := site(t, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(DefaultStopGrace - time.Second):
				_, _ = io.WriteString(w, "whole")
			}
		})
		time.AfterFunc(time.Second, stop)
		if a := exchange(t.Context(), s.BulkPipe("gateway"), &httpv1.RequestHead{Target: "/echo/open/x"}); a.err != nil || string(a.body) != "whole" {
			t.Errorf("%+v", a)
		}
	})
}

// Long streams stand on a connection of their own.
func TestPipesOfBulk(t *testing.T) {
	s, _ := site(t, func(http.ResponseWriter, *http.Request) {})
	if s.Pipe("gateway") == s.BulkPipe("gateway") || s.BulkPipe("gateway") != s.BulkPipe("gateway") {
		t.Error("calls and bodies share a connection, or each body has one")
	}
}
