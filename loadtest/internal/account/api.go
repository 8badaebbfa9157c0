package account

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

const (
	answerBytes = 8 << 20
	idleConns   = 256
)

// API makes unary calls over HTTP (PROTOCOL.md section 3). Safe for concurrent use.
type API struct {
	addresses []string
	clients   []*http.Client // by source address
	next      atomic.Uint64
}

// NewAPI spreads the calls over gateways and source addresses; without locals the system chooses.
func NewAPI(addresses []string, locals []netip.Addr) *API {
	a := &API{addresses: addresses}
	if len(locals) == 0 {
		locals = []netip.Addr{{}}
	}
	for _, l := range locals {
		d := &net.Dialer{}
		if l.IsValid() {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(l, 0))
		}
		a.clients = append(a.clients, &http.Client{Transport: &http.Transport{
			DialContext: d.DialContext, MaxIdleConnsPerHost: idleConns, IdleConnTimeout: time.Minute, DisableCompression: true,
		}})
	}
	return a
}

// Address is one of the gateways, in turn.
func (a *API) Address() string { return a.addresses[int(a.next.Add(1))%len(a.addresses)] }

// Close gives back idle connections.
func (a *API) Close() {
	for _, c := range a.clients {
		c.CloseIdleConnections()
	}
}

// Refused is an answer that is an error.
type Refused struct{ Why *edgev1.Error }

// Error implements error.
func (r *Refused) Error() string {
	return fmt.Sprintf("%d %s: %s", r.Why.GetCode(), r.Why.GetReason(), r.Why.GetMessage())
}

// Key names a mutation; the zero value is none.
type Key struct {
	ClientID string
	Seq      uint64
}

// Call is one request, with the account's access token if there is an account.
func (a *API) Call(ctx context.Context, by *Account, key Key, method string, req, resp proto.Message) error {
	body, err := proto.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	n := a.next.Add(1)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.addresses[n%uint64(len(a.addresses))]+"/"+method, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	r.Header.Set("Content-Type", "application/proto")
	if by != nil {
		r.Header.Set("Authorization", "Bearer "+by.Access)
	}
	if key.Seq != 0 {
		r.Header.Set("Plenum-Client-Id", key.ClientID)
		r.Header.Set("Plenum-Client-Seq", strconv.FormatUint(key.Seq, 10))
	}
	answer, err := a.clients[n%uint64(len(a.clients))].Do(r)
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, answerBytes))
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("call %s: %w", method, refusal(answer.Status, data))
	}
	if err := proto.Unmarshal(data, resp); err != nil {
		return fmt.Errorf("call %s: decode the answer: %w", method, err)
	}
	return nil
}

func refusal(status string, data []byte) error {
	var e struct {
		Details []struct{ Value string }
	}
	if json.Unmarshal(data, &e) == nil && len(e.Details) > 0 {
		raw, err := base64.RawStdEncoding.DecodeString(e.Details[0].Value)
		why := &edgev1.Error{}
		if err == nil && proto.Unmarshal(raw, why) == nil {
			return &Refused{why}
		}
	}
	return fmt.Errorf("%s: %.200s", status, data)
}

// Renew gets a new access token for the account, and takes over its next refresh token.
func (a *API) Renew(ctx context.Context, acc *Account) error {
	var resp identityv1.RefreshResponse
	req := &identityv1.RefreshRequest{RefreshToken: acc.Refresh, ClientId: acc.ClientID}
	if err := a.Call(ctx, nil, Key{}, identityv1.SessionService_Refresh_FullMethodName[1:], req, &resp); err != nil {
		return fmt.Errorf("refresh @%s: %w", acc.Handle, err)
	}
	acc.take(resp.GetSession())
	return nil
}

// SignIn gets tokens by the account's password.
func (a *API) SignIn(ctx context.Context, acc *Account) error {
	var resp identityv1.SignInResponse
	req := &identityv1.SignInRequest{
		WorkspaceSlug: acc.Workspace, Handle: acc.Handle, Password: acc.Password,
		Client: &identityv1.Client{ClientId: acc.ClientID, Name: "load test", Agent: "plenum-loadtest"},
	}
	if err := a.Call(ctx, nil, Key{}, identityv1.SessionService_SignIn_FullMethodName[1:], req, &resp); err != nil {
		return fmt.Errorf("sign @%s in: %w", acc.Handle, err)
	}
	acc.take(resp.GetSession())
	return nil
}

func (acc *Account) take(s *identityv1.Session) {
	acc.Access, acc.Refresh = s.GetAccessToken(), s.GetRefreshToken()
	acc.Expires = time.Now().Add(time.Duration(s.GetAccessTtlMs()) * time.Millisecond)
}
