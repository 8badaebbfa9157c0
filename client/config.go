package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Config says where to connect, as whom, and what to keep.
type Config struct {
	// Server is the address of a gateway, "https://plenum.example.com" or "http://127.0.0.1:8080".
	Server string
	// Others are further gateways of the same installation: after each failure the next one is tried. Most installations have
	// one address for all of them, and need none.
	Others []string
	// Tokens gives access tokens; see Account for the usual one.
	Tokens TokenSource
	// Outbox keeps the installation's client_id, its sequence and what waits to be sent. Nil: one in memory, with a client_id
	// of its own, which loses what waits when the process ends.
	Outbox *Outbox
	// SessionID names this run of the program over reconnects. Empty: random.
	SessionID string
	// Agent is told to the server, "mybot/1.0", <= 64 bytes.
	Agent string
	// Dependencies reads the causal context out of an event. Nil: events are not held back. ChatDependencies reads chat's.
	Dependencies func(topic string, event *edgev1.Event) []Dependency
	// Idle is for how long the client's person has done nothing when Run begins, in whole seconds, at most 2^32 - 1 of them. Who has done nothing for
	// long is not seen as here because of it, until they do something by the client. Zero: they are at it.
	Idle time.Duration
	// Dial opens the connection: DialWebSocket, DialEvents, DialPolls, or DialAny where something on the way may let no WebSocket
	// through. Nil: a WebSocket.
	Dial Dialer
	// HTTP is the client for what goes over plain HTTP. Nil: one with a timeout of 30 s.
	HTTP *http.Client
	// Log hears about reconnects. Nil: silence.
	Log *slog.Logger
	// OnState, if set, hears about each change of State, on the client's own goroutine: it must not block.
	OnState func(State)
	// Watch, if set, sees every frame in both directions, on the client's own goroutine: it must not block.
	Watch func(sent bool, frame any)
}

// TokenSource gives access tokens.
type TokenSource interface {
	// Token returns a token that is valid now. A token that equals stale is of no use any more: it expires, or the server
	// refused it. An *Error whose code is not to be repeated ends the client's Run.
	Token(ctx context.Context, stale string) (string, error)
}

// The client's limits and times. The protocol's are told by the server in Welcome.
const (
	dialTimeout   = 15 * time.Second
	welcomeBy     = 10 * time.Second
	silence       = 35 * time.Second // without a word from the server, then Ping
	activeGap     = time.Minute      // between two words that the client's person is at it
	pongBy        = 5 * time.Second
	refreshBefore = 60 * time.Second
	backoffBase   = 500 * time.Millisecond
	backoffMax    = 30 * time.Second
	backoffMost   = 6               // failures that count: with them the ceiling is backoffMax
	backoffGood   = 5 * time.Second // a connection makes one failure good for each
	holdBack      = 2 * time.Second
	maxCalls      = 256      // under way or waiting; one more gets CODE_TOO_MANY_CALLS
	maxBody       = 1 << 20  // bytes of a call's body: what the protocol leaves of a message
	maxWants      = 500      // topics in one Subscribe
	maxFrames     = 64       // in one message
	firstMessage  = 64 << 10 // bytes of the message that begins with Hello
	frameBytes    = 6        // that a frame takes in a message besides its own
	maxFollowed   = 5000     // topics
	pendingBytes  = 4 << 20  // of one topic, waiting for Next; beyond, it is followed again when they are taken
	readLimit     = 8 << 20  // bytes of one message from the server
)

func (cfg *Config) validate() error {
	for _, server := range append([]string{cfg.Server}, cfg.Others...) {
		u, err := url.Parse(server)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fmt.Errorf("server %q: write it as https://host or http://host:port", server)
		}
	}
	if cfg.Tokens == nil {
		return errors.New("client: Tokens is missing; see Account")
	}
	if len(cfg.Agent) > 64 {
		return errors.New("client: Agent is longer than 64 bytes")
	}
	if cfg.Idle < 0 || cfg.Idle/time.Second > math.MaxUint32 {
		return fmt.Errorf("client: Idle is %v: it has to be between 0 and 2^32 - 1 seconds", cfg.Idle)
	}
	if cfg.SessionID == "" {
		cfg.SessionID = NewID()
	}
	if cfg.Outbox == nil {
		cfg.Outbox = newMemoryOutbox()
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 30 * time.Second}
	}
	if cfg.Dial == nil {
		cfg.Dial = DialWebSocket(cfg.HTTP)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// NewID returns 128 random bits in base64url: a client_id or a session_id.
func NewID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(id[:])
}
