package gateway

import (
	"context"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"

	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// recorder counts what is reported, by reason, user and address.
type recorder map[string]uint32

func (r recorder) Report(_ context.Context, q *authv1.ReportRequest, _ ...grpc.CallOption) (*authv1.ReportResponse, error) {
	for _, f := range q.GetRefusals() {
		r[f.GetReason()+" "+f.GetWorkspace()+"/"+f.GetUser()+" "+f.GetAddress()] += f.GetCount()
	}
	return &authv1.ReportResponse{}, nil
}

// Every way in puts on record what it refuses, once, and tells the one who tries no more than that.
func TestRefusalsAreReported(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		record := recorder{}
		reporter, err := auth.NewReporter(record, auth.VerifierDeps{})
		s.must(err)
		s.g.deps.Refusals = reporter

		revoked := s.token("bob", 10*time.Minute)
		time.Sleep(time.Second)
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "bob", IssuedBeforeMs: time.Now().UnixMilli()})
		synctest.Wait()
		expired := s.token("carol", -time.Hour)
		forged := s.token("dave", 10*time.Minute) + "x"

		for _, x := range []struct {
			token string
			code  edgev1.Code
		}{
			{forged, edgev1.Code_CODE_TOKEN_REFUSED}, {revoked, edgev1.Code_CODE_TOKEN_REFUSED},
			{expired, edgev1.Code_CODE_TOKEN_EXPIRED}, {"", edgev1.Code_CODE_TOKEN_REFUSED},
		} {
			c := s.connect(nil)
			c.send(hello(x.token))
			if _, code := c.end(); code != websocket.StatusCode(x.code) {
				t.Errorf("Hello: closed with %d, want %d", code, x.code)
			}
			c = s.connect(http.Header{"Authorization": {"Bearer " + x.token}})
			c.send(hello(""))
			if _, code := c.end(); code != websocket.StatusCode(x.code) {
				t.Errorf("header of a WebSocket: closed with %d, want %d", code, x.code)
			}
			c = s.signIn("ada", refresh(x.token))
			if _, code := c.end(); code != websocket.StatusCode(x.code) {
				t.Errorf("Refresh: closed with %d, want %d", code, x.code)
			}
			if res, _ := s.request("POST", "/plenum.test.v1.TestService/Echo", `{}`, "Content-Type", asJSON, "Authorization", "Bearer "+x.token); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("call: %v", res.Status)
			}
		}
		c := s.signIn("ada", refresh(s.token("eve", 10*time.Minute)))
		if _, code := c.end(); code != websocket.StatusCode(edgev1.Code_CODE_TOKEN_REFUSED) {
			t.Errorf("another's token: closed with %d", code)
		}
		_, res, err := websocket.Dial(t.Context(), "ws://plenum.test/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library has
			HTTPClient: s.http(), Subprotocols: []string{wire.ProtoName}, HTTPHeader: http.Header{"Origin": {"https://evil.example"}},
		})
		if err == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("WebSocket of a foreign page: %v", err)
		}
		if res, _ := s.request("OPTIONS", "/plenum.test.v1.TestService/Echo", ``, "Origin", "null"); res.StatusCode != http.StatusForbidden {
			t.Errorf("call of a foreign page: %v", res.Status)
		}
		s.g.deps.Tickets = &redeemer{s: s, err: rpc.Errorf(edgev1.Code_CODE_TOKEN_REFUSED, "auth.ENDED", "It has ended.")}
		if res, _ := s.request("GET", pathEvents+"?ticket=plt_x", ``); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("ticket: %v", res.Status)
		}
		s.signIn("ada", ask(1, "Echo", nil)).close() // nothing to report

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		s.must(reporter.Run(ended)) // reports what waits
		want := recorder{
			"token.forged / 192.0.2.7": 4, "token.revoked w/bob 192.0.2.7": 4, "token.expired w/carol 192.0.2.7": 4,
			"token.foreign w/eve 192.0.2.7": 1, "ticket.refused / 192.0.2.7": 1, "origin.wrong / 192.0.2.7": 2,
		}
		if !maps.Equal(record, want) {
			t.Errorf("on record: %v\nwant: %v", record, want)
		}
	})
}
