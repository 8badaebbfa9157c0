package ws

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it; it protects nothing
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// keyGUID is appended to the client's key (RFC 6455, 1.3).
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// ErrHandshake means that a request is no proper opening handshake; it was answered over HTTP.
var ErrHandshake = errors.New("ws: no WebSocket handshake")

// Upgrade answers the opening handshake and takes the connection from the HTTP server, without its deadlines. early is what the client has
// sent already. protocol is the first of ours that the client names, in its spelling; empty: it names none. Who may come, whether
// its Origin is admitted, is the caller's to have asked.
func Upgrade(w http.ResponseWriter, r *http.Request, protocols ...string) (conn net.Conn, early []byte, protocol string, err error) {
	if status, why := fault(w.Header(), r); why != "" {
		http.Error(w, why, status)
		return nil, nil, "", fmt.Errorf("%w: %s", ErrHandshake, why)
	}
	protocol = choose(protocols, r.Header)
	h := w.Header()
	h.Set("Upgrade", "websocket")
	h.Set("Connection", "Upgrade")
	h.Set("Sec-WebSocket-Accept", accept(r.Header.Get("Sec-WebSocket-Key")))
	if protocol != "" {
		h.Set("Sec-WebSocket-Protocol", protocol)
	}
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, "", fmt.Errorf("ws: take the connection: %w", err)
	}
	_ = conn.SetDeadline(time.Time{}) // those of the HTTP server are for requests
	if n := buffered.Reader.Buffered(); n > 0 {
		early = make([]byte, n)
		_, _ = buffered.Read(early) // is in memory
	}
	return conn, early, protocol, nil
}

// fault says what is wrong with a handshake, and how that is told over HTTP.
func fault(answer http.Header, r *http.Request) (status int, why string) {
	keys := r.Header.Values("Sec-WebSocket-Key")
	switch {
	case !r.ProtoAtLeast(1, 1), !names(r.Header, "Connection", "upgrade"), !names(r.Header, "Upgrade", "websocket"):
		answer.Set("Connection", "Upgrade")
		answer.Set("Upgrade", "websocket")
		return http.StatusUpgradeRequired, "this is the address of a WebSocket"
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, "a WebSocket is asked for by GET"
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		answer.Set("Sec-WebSocket-Version", "13")
		return http.StatusBadRequest, "only version 13 of WebSocket is spoken"
	case len(keys) != 1:
		return http.StatusBadRequest, "one Sec-WebSocket-Key is needed"
	}
	if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])); err != nil || len(key) != 16 {
		return http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes in base64"
	}
	return 0, ""
}

// names tells whether a list in a header has a word, in any case.
func names(h http.Header, list, word string) bool {
	for _, line := range h.Values(list) {
		for one := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(one), word) {
				return true
			}
		}
	}
	return false
}

// choose is the first of ours that the client names, as it spells it.
func choose(ours []string, h http.Header) string {
	for _, p := range ours {
		for _, line := range h.Values("Sec-WebSocket-Protocol") {
			for one := range strings.SplitSeq(line, ",") {
				if one = strings.TrimSpace(one); strings.EqualFold(one, p) {
					return one
				}
			}
		}
	}
	return ""
}

func accept(key string) string {
	sum := sha1.Sum([]byte(strings.TrimSpace(key) + keyGUID)) //nolint:gosec // see above
	return base64.StdEncoding.EncodeToString(sum[:])
}
