package gateway

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	httpv1 "plenum.internal/proto/plenum/http/v1"
)

// outcomes is what has become of requests of routes.
func (s *system) outcomes() map[string]float64 {
	families, err := s.registry.Gather()
	s.must(err)
	counts := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "plenum_gateway_exchanges_total" {
			for _, m := range f.GetMetric() {
				counts[m.GetLabel()[0].GetValue()] += m.GetCounter().GetValue()
			}
		}
	}
	return counts
}

// Nobody stays for ever where nothing passes: not who has gone without a word, nor who waits for a service that says no more.
func TestQuietExchanges(t *testing.T) {
	const get, post = "GET /test/open/x HTTP/1.1\r\nHost: plenum.test\r\n\r\n", "POST /test/open/x HTTP/1.1\r\nHost: plenum.test\r\nContent-Length: 10\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		leaves  bool          // though of a body that is not read nobody sees the end
		every   time.Duration // the service says something; 0: never
		ends    time.Duration // 0: not within an hour
	}{
		"a silent answer":         {get, false, 0, quietTime},
		"a body that nobody asks": {post, true, 0, quietTime},
		"a word now and then":     {get, false, quietTime - time.Second, 0},
	} {
		inBubble(t, nil, func(t *testing.T, s *system) {
			s.web(func(w http.ResponseWriter, r *http.Request) {
				control := http.NewResponseController(w)
				for _ = control.Flush(); c.every > 0 && r.Context().Err() == nil; _ = control.Flush() {
					_, _ = io.WriteString(w, "x")
					time.Sleep(c.every)
				}
				<-r.Context().Done()
			})
			conn := s.written(c.request)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // at the end, behind who reads it
			s.must(err)
			begin, over := time.Now(), make(chan time.Duration, 1)
			if c.leaves {
				s.must(conn.Close())
			} else {
				go func() {
					_, _ = io.Copy(io.Discard, res.Body)
					over <- time.Since(begin)
				}()
			}
			time.Sleep(quietTime - time.Second)
			if n := s.metric("exchanges"); n != 1 {
				t.Errorf("%s: %v are under way", name, n)
			}
			time.Sleep(time.Hour - quietTime)
			synctest.Wait()
			if n := s.metric("exchanges"); (n == 0) != (c.ends > 0) {
				t.Errorf("%s: after an hour %v are under way", name, n)
			}
			if c.ends > 0 && !c.leaves {
				select {
				case took := <-over:
					if took != c.ends {
						t.Errorf("%s: it ended after %v", name, took)
					}
				default:
				}
			}
			_ = conn.Close()
			_ = res.Body.Close()
		})
	}
}

// A service that has answered, and takes no more of the body, has as long to go on with it as before.
func TestServiceStopsTakingBehindItsHead(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			_, _ = r.Body.Read(make([]byte, 1))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		begin := time.Now()
		res, err := s.send(t.Context(), s.http(), "POST", testURL, &endless{})
		s.must(err)
		if _, err := io.ReadAll(res.Body); err == nil || time.Since(begin) != serviceTime {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		_ = res.Body.Close()
	})
}

// An answer that nobody takes is given up, also one that comes before the body's end, and one by the gateway itself.
func TestAnswersThatNobodyTakes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		o := &otherwise{Services: s.g.deps.Services}
		s.g.deps.Services = o
		for _, name := range []string{"the service's", "the gateway's"} {
			if name == "the gateway's" {
				o.by(func() (grpc.ClientConnInterface, error) { return nil, away })
			}
			c := s.written("POST /test/open/x HTTP/1.1\r\nHost: plenum.test\r\nContent-Length: 10\r\n\r\n")
			synctest.Wait()
			time.Sleep(progressTime + 2*lingerTime)
			synctest.Wait()
			if n := s.metric("exchanges"); n != 0 {
				t.Errorf("%s: %v are under way", name, n)
			}
			_ = c.Close()
			synctest.Wait()
		}
	})
}

// While revocations can't be followed, requests of routes go on like calls: their tokens last for minutes. What was revoked meanwhile ends
// as soon as it is known.
func TestRoutesWhileRevocationsAreStale(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		s.identity.Silence(true)
		time.Sleep(11 * time.Second)
		token := "Bearer " + s.token("u", time.Minute)
		if res, data := s.request("POST", "/plenum.test.v1.TestService/Echo", `{}`, "Content-Type", asJSON, "Authorization", token); res.StatusCode != 200 {
			t.Errorf("a call: %v %s", res.Status, data)
		}
		res, err := s.send(t.Context(), s.http(), "GET", testURL, nil)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("a route: %v %v", res, err)
		}
		time.Sleep(time.Second)
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "u", IssuedBeforeMs: time.Now().UnixMilli()})
		synctest.Wait()
		if n := s.metric("exchanges"); n != 1 {
			t.Errorf("nobody can know yet, but %v are under way", n)
		}
		s.identity.Silence(false)
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("a part was taken for the whole")
		}
		_ = res.Body.Close()
	})
}

// Each request of a route counts once, by how it ended.
func TestOutcomesOfRoutes(t *testing.T) {
	inBubble(t, func(c *Config) { c.Origins = []string{"https://app.example"} }, func(t *testing.T, s *system) {
		part := func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "a part")
			_ = http.NewResponseController(w).Flush()
		}
		nothing := func(http.ResponseWriter) {}
		get := func(header ...string) *http.Request {
			r, err := http.NewRequestWithContext(t.Context(), "GET", testURL, nil)
			s.must(err)
			r.Header = s.ofUser()
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			return r
		}
		preflight := get("Origin", "https://app.example", "Access-Control-Request-Method", "GET")
		preflight.Method = "OPTIONS"
		for name, c := range map[string]struct {
			web     func(w http.ResponseWriter)
			request *http.Request
			outcome string
		}{
			"served":               {part, get(), "2xx"},
			"the service's own":    {func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) }, get(), "4xx"},
			"refused":              {nothing, get("Authorization", "Bearer x"), "4xx"},
			"a foreign page":       {nothing, get("Origin", "https://evil.example"), "4xx"},
			"a preflight":          {nothing, preflight, "2xx"},
			"a bug":                {func(http.ResponseWriter) { panic("a bug") }, get(), "5xx"},
			"broken off":           {func(w http.ResponseWriter) { part(w); panic(http.ErrAbortHandler) }, get(), "aborted"},
			"broken off at once":   {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, get(), "aborted"},
			"shorter than it said": {func(w http.ResponseWriter) { w.Header().Set("Content-Length", "7"); part(w) }, get(), "aborted"},
		} {
			s.web(func(w http.ResponseWriter, _ *http.Request) { c.web(w) })
			want := s.outcomes()
			want[c.outcome]++
			if res, err := s.http().Do(c.request); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			synctest.Wait()
			if got := s.outcomes(); !maps.Equal(got, want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	})
}

// script is a service that answers an exchange with these parts, whatever it is asked.
type script []*httpv1.ExchangeResponse

func (s script) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return away }

func (s script) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return &scriptStream{rest: s}, nil
}

type scriptStream struct {
	grpc.ClientStream
	rest script
}

func (*scriptStream) SendMsg(any) error { return nil }
func (*scriptStream) CloseSend() error  { return nil }

func (s *scriptStream) RecvMsg(m any) error {
	if len(s.rest) == 0 {
		return io.EOF
	}
	part, _ := m.(*rpc.HTTPPart)
	part.Chunk = s.rest[0].GetChunk()
	proto.Reset(part.Message)
	proto.Merge(part.Message, s.rest[0])
	s.rest = s.rest[1:]
	return nil
}

func headPart(status uint32, header http.Header) *httpv1.ExchangeResponse {
	return &httpv1.ExchangeResponse{Part: &httpv1.ExchangeResponse_Head{Head: &httpv1.ResponseHead{Status: status, Headers: rpc.ToHTTPHeaders(header)}}}
}

func chunkPart(data string) *httpv1.ExchangeResponse {
	return &httpv1.ExchangeResponse{Part: &httpv1.ExchangeResponse_Chunk{Chunk: []byte(data)}}
}

// A service may be another program than ours. What it does wrong is on record as its fault, and nobody takes it for an answer.
func TestServiceThatBreaksTheContract(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		var log bytes.Buffer
		s.g.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		o := &otherwise{Services: s.g.deps.Services}
		s.g.deps.Services = o
		three := http.Header{"Content-Length": {"3"}}
		for name, c := range map[string]struct {
			method string
			parts  script
			status int // 0: none
			logs   string
		}{
			"whole":             {"GET", script{headPart(200, three), chunkPart("abc")}, 200, ""},
			"HEAD":              {"HEAD", script{headPart(200, three)}, 200, ""},
			"not modified":      {"GET", script{headPart(304, three)}, 304, ""},
			"too long":          {"GET", script{headPart(200, three), chunkPart("abc"), chunkPart("d")}, 0, "longer than it said"},
			"too short":         {"GET", script{headPart(200, three), chunkPart("ab")}, 0, "shorter than it said"},
			"a body to nothing": {"GET", script{headPart(204, nil), chunkPart("a")}, 0, "its status has none"},
			"no head":           {"GET", script{chunkPart("a")}, 502, "before its head"},
			"nothing":           {"GET", nil, 502, "shorter"},
		} {
			log.Reset()
			o.by(func() (grpc.ClientConnInterface, error) { return c.parts, nil })
			r, err := http.NewRequestWithContext(t.Context(), c.method, "http://plenum.test/test/open/x", nil)
			s.must(err)
			res, err := s.http().Do(r)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			synctest.Wait()
			if (err == nil) != (c.status > 0) || err == nil && res.StatusCode != c.status {
				t.Errorf("%s: %v %v", name, res, err)
			}
			if got := log.String(); !strings.Contains(got, c.logs) || c.logs == "" && got != "" {
				t.Errorf("%s: on record is %q", name, got)
			}
		}
	})
}
