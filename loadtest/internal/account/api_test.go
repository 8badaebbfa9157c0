package account

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// serve answers one method; the API is closed at the end.
func serve(t *testing.T, answer http.HandlerFunc, locals ...netip.Addr) *API {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	api := NewAPI([]string{s.URL}, locals)
	t.Cleanup(api.Close)
	return api
}

func reply(t *testing.T, w http.ResponseWriter, m proto.Message) {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Error(err)
	}
	_, _ = w.Write(data)
}

func TestRenew(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/plenum.identity.v1.SessionService/Refresh" || r.Header.Get("Content-Type") != "application/proto" {
			t.Errorf("%s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		if a := r.Header.Get("Authorization"); a != "" {
			t.Errorf("a refresh shows an access token: %q", a)
		}
		body, err := io.ReadAll(r.Body)
		var req identityv1.RefreshRequest
		if err != nil || proto.Unmarshal(body, &req) != nil || req.GetRefreshToken() != "old" || req.GetClientId() != "c" {
			t.Errorf("%v: %v", &req, err)
		}
		reply(t, w, &identityv1.RefreshResponse{Session: &identityv1.Session{AccessToken: "access", RefreshToken: "new", AccessTtlMs: 60_000}})
	})
	acc := Account{Refresh: "old", ClientID: "c"}
	before := time.Now()
	if err := api.Renew(t.Context(), &acc); err != nil {
		t.Fatal(err)
	}
	if acc.Access != "access" || acc.Refresh != "new" || acc.Expires.Before(before.Add(time.Minute)) || acc.Expires.After(time.Now().Add(time.Minute)) {
		t.Fatalf("%+v", acc)
	}
}

func TestSignIn(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var req identityv1.SignInRequest
		if proto.Unmarshal(body, &req) != nil || req.GetPassword() != "secret" || req.GetHandle() != "ada" || req.GetWorkspaceSlug() != "acme" {
			t.Errorf("%v", &req)
		}
		reply(t, w, &identityv1.SignInResponse{Session: &identityv1.Session{AccessToken: "access", RefreshToken: "refresh"}})
	})
	acc := Account{Workspace: "acme", Handle: "ada", Password: "secret"}
	if err := api.SignIn(t.Context(), &acc); err != nil || acc.Access != "access" || acc.Refresh != "refresh" {
		t.Fatalf("%+v: %v", acc, err)
	}
}

// A mutation carries its key, and who makes it.
func TestKey(t *testing.T) {
	var h http.Header
	api := serve(t, func(_ http.ResponseWriter, r *http.Request) { h = r.Header })
	err := api.Call(t.Context(), &Account{Access: "token"}, Key{"client", 7}, "s/M", &edgev1.Ping{}, &edgev1.Pong{})
	if err != nil || h.Get("Authorization") != "Bearer token" || h.Get("Plenum-Client-Id") != "client" || h.Get("Plenum-Client-Seq") != "7" {
		t.Fatalf("%v: %v", h, err)
	}
	if err := api.Call(t.Context(), nil, Key{}, "s/M", &edgev1.Ping{}, &edgev1.Pong{}); err != nil || h.Get("Plenum-Client-Seq") != "" {
		t.Fatalf("%v: %v", h, err)
	}
}

// A refusal says why; whatever else comes is an error with its beginning. The account stays as it was.
func TestRefusals(t *testing.T) {
	why, err := proto.Marshal(&edgev1.Error{Code: edgev1.Code_CODE_UNAVAILABLE, Reason: "busy", RetryAfterMs: 250})
	if err != nil {
		t.Fatal(err)
	}
	answer, status := fmt.Sprintf(`{"code":"unavailable","details":[{"value":%q}]}`, base64.RawStdEncoding.EncodeToString(why)), 503
	api := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	})
	acc := Account{Handle: "ada", Refresh: "old"}
	err = api.Renew(t.Context(), &acc)
	if refused, ok := errors.AsType[*Refused](err); !ok || refused.Why.GetReason() != "busy" || refused.Why.GetRetryAfterMs() != 250 {
		t.Errorf("%v", err)
	}
	if !strings.Contains(err.Error(), "@ada") || !strings.Contains(err.Error(), "busy") {
		t.Errorf("%v", err)
	}
	for _, c := range []struct {
		status int
		answer string
	}{{502, "<html>bad gateway"}, {500, `{"details":[{"value":"!"}]}`}, {404, `{"details":[]}`}, {200, "\xff"}} {
		status, answer = c.status, c.answer
		err := api.Renew(t.Context(), &acc)
		if _, ok := errors.AsType[*Refused](err); err == nil || ok {
			t.Errorf("%d %s: %v", status, answer, err)
		}
	}
	if acc.Refresh != "old" {
		t.Errorf("%+v", acc)
	}
}

// Calls come from each source address in turn.
func TestLocals(t *testing.T) {
	var mu sync.Mutex
	from := map[string]int{}
	api := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		host, _, _ := strings.Cut(r.RemoteAddr, ":")
		from[host]++
	}, netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"))
	for range 4 {
		if err := api.Call(t.Context(), nil, Key{}, "s/M", &edgev1.Ping{}, &edgev1.Pong{}); err != nil {
			t.Fatal(err)
		}
	}
	if from["127.0.0.2"] != 2 || from["127.0.0.3"] != 2 {
		t.Fatal(from)
	}
}
