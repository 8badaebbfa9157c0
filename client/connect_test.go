package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// serve starts a server whose connections all end with the test.
func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *http.Client) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	transport := &http.Transport{DisableKeepAlives: true}
	return server, &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func TestHTTPCall(t *testing.T) {
	detail, err := proto.Marshal(&edgev1.Error{Code: edgev1.Code_CODE_CONFLICT, Reason: "chat.NAME_TAKEN", Message: "Choose another name.", Field: "name", RetryAfterMs: 1500})
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		*http.Request
		body []byte
	}
	requests := make(chan request, 8)
	server, h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- request{r, body}
		switch r.URL.Path {
		case "/plenum.chat.v1.ChatService/Send":
			data, _ := proto.Marshal(&chatv1.SendResponse{Offset: 5})
			_, _ = w.Write(data)
		case "/plenum.chat.v1.ChatService/CreateChannel":
			w.WriteHeader(http.StatusConflict)
			_ = json.NewEncoder(w).Encode(map[string]any{"code": "aborted", "message": "no", "details": []any{
				map[string]string{"type": "plenum.edge.v1.Error", "value": base64.RawStdEncoding.EncodeToString(detail)}}})
		case "/plenum.chat.v1.ChatService/PinMessage":
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			http.Error(w, "nobody here", http.StatusBadGateway)
		}
	})
	c := &HTTP{Server: server.URL + "/", Client: h, Token: "secret", ClientID: "me", Seq: func() (uint64, error) { return 7, nil }}
	chat := chatv1.NewChatServiceClient(c)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	res, err := chat.Send(ctx, &chatv1.SendRequest{Channel: "c", Text: "hello"})
	if err != nil || res.GetOffset() != 5 {
		t.Errorf("%v, %v", res, err)
	}
	got := <-requests
	for name, want := range map[string]string{"Content-Type": "application/proto", "Connect-Protocol-Version": "1", "Authorization": "Bearer secret", "Plenum-Client-Id": "me", "Plenum-Client-Seq": "7"} {
		if got.Header.Get(name) != want {
			t.Errorf("header %s is %q", name, got.Header.Get(name))
		}
	}
	if got.Method != http.MethodPost || got.Header.Get("Connect-Timeout-Ms") == "" || len(got.body) == 0 {
		t.Errorf("%s with %d bytes, timeout %q", got.Method, len(got.body), got.Header.Get("Connect-Timeout-Ms"))
	}
	_, err = chat.CreateChannel(ctx, &chatv1.CreateChannelRequest{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != edgev1.Code_CODE_CONFLICT || e.Reason != "chat.NAME_TAKEN" || e.Message != "Choose another name." || e.Field != "name" || e.RetryAfter != 1500*time.Millisecond {
		t.Errorf("an error with its detail: %#v", err)
	}
	if _, err = chat.PinMessage(ctx, &chatv1.PinMessageRequest{}); CodeOf(err) != edgev1.Code_CODE_OUTCOME_UNKNOWN {
		t.Errorf("a mutation whose connection broke: %v", err)
	}
	if _, err = chat.History(ctx, &chatv1.HistoryRequest{}); CodeOf(err) != edgev1.Code_CODE_UNAVAILABLE {
		t.Errorf("a proxy's error: %v", err)
	}
	for range 3 { // CreateChannel, PinMessage, History
		got = <-requests
	}
	if got.Header.Get("Plenum-Client-Seq") != "" {
		t.Error("a read was numbered")
	}
	server.Close()
	if _, err = chat.Send(ctx, &chatv1.SendRequest{}); CodeOf(err) != edgev1.Code_CODE_UNAVAILABLE || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("nobody listens: %v", err)
	}
}

// identity is the part of a server that an Account needs: each refresh token works once.
type identity struct {
	mu        sync.Mutex
	n         int
	refreshes int
	refuse    *edgev1.Error
}

func (s *identity) session() *identityv1.Session {
	s.n++
	n := string(rune('0' + s.n))
	return &identityv1.Session{AccessToken: "access" + n, AccessTtlMs: 600_000, RefreshToken: "refresh" + n, RefreshTtlMs: 3_600_000,
		Person: &identityv1.Person{Id: "u1", Handle: "ada"}, Workspace: &identityv1.Workspace{Slug: "acme"}}
}

func (s *identity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, _ := io.ReadAll(r.Body)
	var q identityv1.RefreshRequest
	_ = proto.Unmarshal(data, &q)
	if s.refuse != nil || q.GetRefreshToken() != "refresh"+string(rune('0'+s.n)) || q.GetClientId() != "client" {
		refuse := s.refuse
		if refuse == nil {
			refuse = &edgev1.Error{Code: edgev1.Code_CODE_PERMISSION_DENIED, Reason: "identity.SESSION_ENDED"}
		}
		detail, _ := proto.Marshal(refuse)
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]any{"details": []any{map[string]string{"type": "plenum.edge.v1.Error", "value": base64.StdEncoding.EncodeToString(detail)}}})
		return
	}
	s.refreshes++
	data, _ = proto.Marshal(&identityv1.RefreshResponse{Session: s.session()})
	_, _ = w.Write(data)
}

func TestAccount(t *testing.T) {
	s := &identity{}
	server, h := serve(t, s.ServeHTTP)
	path := filepath.Join(t.TempDir(), "profile", "session.json")
	a, err := NewAccount(path, &HTTP{Server: server.URL, Client: h}, "client", s.session())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	b, err := OpenAccount(path, &HTTP{Client: h}) // another program
	if err != nil || b.Server() != server.URL || b.User() != "u1" || b.Handle() != "ada" || b.Workspace() != "acme" {
		t.Fatalf("%+v, %v", b, err)
	}
	token := func(a *Account, stale string) string {
		t.Helper()
		token, err := a.Token(t.Context(), stale)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if got := token(a, ""); got != "access1" || s.refreshes != 0 {
		t.Errorf("%s after %d refreshes: a valid token was replaced", got, s.refreshes)
	}
	// Many need a new one at once, in two programs: the refresh token is spent once, or it would look like theft.
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if got, err := []*Account{a, b}[i%2].Token(t.Context(), "access1"); got != "access2" || err != nil {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
	all.Wait()
	if s.refreshes != 1 {
		t.Errorf("%d refreshes", s.refreshes)
	}
	s.refuse = &edgev1.Error{Code: edgev1.Code_CODE_UNAVAILABLE}
	if _, err := a.Token(t.Context(), "access2"); CodeOf(err) != edgev1.Code_CODE_UNAVAILABLE {
		t.Errorf("while identity is away: %v", err)
	}
	s.refuse = nil
	if got := token(b, "access2"); got != "access3" {
		t.Error(got)
	}
	if got := token(a, "access2"); got != "access3" || s.refreshes != 2 {
		t.Errorf("%s after %d refreshes: the other program's token was not taken", got, s.refreshes)
	}
	if err := a.SignOut(t.Context()); err == nil { // this server refuses it: the file goes nevertheless
		t.Error("SignOut told nothing")
	}
	if _, err := OpenAccount(path, &HTTP{}); !os.IsNotExist(err) {
		t.Errorf("after signing out: %v", err)
	}
}

// The real thing: a WebSocket, its subprotocol, its close codes.
func TestWebSocket(t *testing.T) {
	var subprotocols []string
	server, h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != EdgePath {
			http.NotFound(w, r)
			return
		}
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: subprotocols})
		if err != nil {
			t.Error(err)
			return
		}
		_, data, err := ws.Read(r.Context())
		if err != nil {
			return // it went away
		}
		var m edgev1.ClientMessage
		if err := proto.Unmarshal(data, &m); err != nil || m.GetFrames()[0].GetHello().GetToken() != "token" {
			t.Errorf("%v, %v", &m, err)
		}
		data, _ = proto.Marshal(&edgev1.ServerMessage{Frames: []*edgev1.ServerFrame{welcome()}})
		_ = ws.Write(r.Context(), websocket.MessageBinary, append(data, data...)) // concatenated messages are one
		_ = ws.Close(websocket.StatusCode(edgev1.Code_CODE_DRAINING), "soon again")
	})
	dial := DialWebSocket(h)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := dial(ctx, server.URL); CodeOf(err) != edgev1.Code_CODE_VERSION {
		t.Errorf("a server of another protocol: %v", err)
	}
	subprotocols = []string{"plenum.v1.json", "plenum.v1.proto"}
	conn, err := dial(ctx, server.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Write(ctx, &edgev1.ClientMessage{Frames: []*edgev1.ClientFrame{{Frame: &edgev1.ClientFrame_Hello{Hello: &edgev1.Hello{Token: "token"}}}}}); err != nil {
		t.Fatal(err)
	}
	if m, err := conn.Read(ctx); err != nil || len(m.GetFrames()) != 2 || m.GetFrames()[1].GetWelcome() == nil {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := conn.Read(ctx); CodeOf(err) != edgev1.Code_CODE_DRAINING {
		t.Errorf("the close code: %v", err)
	}
	if _, err := dial(ctx, server.URL+"/elsewhere"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("no gateway there: %v", err)
	}
	if _, err := New(Config{Server: "localhost:8080", Tokens: &tokens{}}); err == nil {
		t.Error("an address without a scheme is taken")
	}
}

// A call to a server that is not trusted has not been sent, and the error says what is wrong.
func TestUntrustedCertificate(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	chat := chatv1.NewChatServiceClient(&HTTP{Server: server.URL, Client: h, ClientID: "me", Seq: func() (uint64, error) { return 1, nil }})
	_, sent := chat.Send(t.Context(), &chatv1.SendRequest{})
	_, dialled := DialWebSocket(h)(t.Context(), server.URL)
	for _, err := range []error{sent, dialled} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != "client.UNTRUSTED" {
			t.Errorf("got %v", err)
		}
	}
}
