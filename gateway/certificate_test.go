package gateway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/gateway/internal/ws"
)

// pair is a certificate for plenum.test and its key, as PEM.
type pair struct{ cert, key []byte }

func newPair(t *testing.T, serial int64) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"plenum.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour * time.Duration(serial)),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// encrypted runs a test with a system that speaks TLS, and the files of its certificate, whose serial number is 1.
func encrypted(t *testing.T, test func(t *testing.T, s *system, files TLS, p pair)) {
	t.Helper()
	encryptedWith(t, nil, test)
}

func encryptedWith(t *testing.T, change func(*Config), test func(t *testing.T, s *system, files TLS, p pair)) {
	t.Helper()
	dir := t.TempDir()
	files := TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		write(t, files.Cert, p.cert)
		write(t, files.Key, p.key)
		test(t, newSystem(t, func(c *Config) {
			if c.TLS = files; change != nil {
				change(c)
			}
		}), files, p)
		time.Sleep(10 * time.Second) // a pipe holds nothing: who ends TLS waits 5 s for somebody to read that
	})
}

// https is a client that trusts a certificate, and speaks what cfg says.
func (s *system) https(p pair, cfg *tls.Config) *http.Client {
	cfg.RootCAs = x509.NewCertPool()
	cfg.RootCAs.AppendCertsFromPEM(p.cert)
	return &http.Client{Transport: &http.Transport{DialContext: s.dial, TLSClientConfig: cfg, ForceAttemptHTTP2: len(cfg.NextProtos) > 0, DisableKeepAlives: true}}
}

// page is how a page came.
type page struct {
	status, http int
	tls          uint16
	hsts         string
}

// fetch asks for a page that every gateway has.
func fetch(client *http.Client, url string) (a page, err error) {
	res, err := client.Get(url)
	if err != nil {
		return a, fmt.Errorf("get: %w", err)
	}
	a = page{status: res.StatusCode, http: res.ProtoMajor, hsts: res.Header.Get("Strict-Transport-Security")}
	if res.TLS != nil {
		a.tls = res.TLS.Version
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return a, res.Body.Close()
}

func TestSessionOverTLS(t *testing.T) {
	encrypted(t, func(t *testing.T, s *system, _ TLS, p pair) {
		conn, _, err := websocket.Dial(t.Context(), "wss://plenum.test/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library has
			HTTPClient: s.https(p, &tls.Config{}), Subprotocols: []string{wire.ProtoName}, HTTPHeader: http.Header{"Origin": {"https://plenum.test"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := &client{s: s, ws: conn}
		c.send(hello(s.token("u", 10*time.Minute)), ask(1, "Echo", &testv1.EchoRequest{Text: "x"}), subscribe(2, events(room)))
		if c.next().GetWelcome() == nil {
			t.Fatal("no welcome")
		}
		var answer testv1.EchoResponse
		if e := c.reply(1, &answer); e != nil || answer.GetText() != "x" {
			t.Errorf("%v, %v", &answer, e)
		}
		if c.subscribed()[room].GetError() != nil {
			t.Fatal("not subscribed")
		}
		time.AfterFunc(2*writeTime, func() { s.svc.Append("w", room, "later", nil) }) // behind the deadline of what is written first
		s.svc.Append("w", room, "said", nil)
		if got := c.texts(room, 2); got[0] != "said" || got[1] != "later" {
			t.Errorf("it got %q", got)
		}
		if n := s.metric("sessions"); n != 1 {
			t.Errorf("%v sessions", n)
		}
		c.close()
		synctest.Wait()
		if n := s.metric("sessions"); n != 0 {
			t.Errorf("%v sessions after the end", n)
		}
	})
}

func TestSpokenTLS(t *testing.T) {
	encrypted(t, func(t *testing.T, s *system, _ TLS, p pair) {
		get := func(cfg *tls.Config) (page, error) {
			return fetch(s.https(p, cfg), "https://plenum.test/livez")
		}
		res, err := get(&tls.Config{NextProtos: []string{"h2"}})
		if err != nil || res.http != 2 || res.tls != tls.VersionTLS13 || res.hsts == "" {
			t.Errorf("%v, %v", res, err)
		}
		if res, err := get(&tls.Config{MaxVersion: tls.VersionTLS12}); err != nil || res.http != 1 {
			t.Errorf("TLS 1.2: %v, %v", res, err)
		}
		if _, err := get(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
			t.Error("TLS 1.1 is spoken")
		}
		if _, err := get(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}); err == nil {
			t.Error("CBC is spoken")
		}
		if plain, err := fetch(s.http(), "http://plenum.test/livez"); err != nil || plain.status != http.StatusBadRequest {
			t.Errorf("without TLS: %v, %v", plain, err)
		}
	})
}

// A client that begins TLS and says no more is gone with the time for headers.
func TestStuckHandshake(t *testing.T) {
	encrypted(t, func(t *testing.T, s *system, _ TLS, _ pair) {
		conn, err := s.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte{22, 3, 1}); err != nil { // a record begins
			t.Fatal(err)
		}
		begun := time.Now()
		_, err = conn.Read(make([]byte, 1))
		if took := time.Since(begun); err == nil || took > headerTime {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestNewCertificate(t *testing.T) {
	encrypted(t, func(t *testing.T, s *system, files TLS, old pair) {
		serial := func(p pair) int64 {
			var conn *tls.Conn
			client := s.https(p, &tls.Config{})
			client.Transport.(*http.Transport).DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				raw, err := s.dial(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				conn = tls.Client(raw, &tls.Config{ServerName: "plenum.test", RootCAs: client.Transport.(*http.Transport).TLSClientConfig.RootCAs})
				return conn, conn.HandshakeContext(ctx)
			}
			if _, err := fetch(client, "https://plenum.test/livez"); err != nil {
				t.Fatal(err)
			}
			return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		}
		ends := s.metric("certificate_ends_seconds")
		fresh := newPair(t, 2)
		write(t, files.Cert, fresh.cert)
		time.Sleep(rereadEvery + time.Second)
		if n := serial(old); n != 1 {
			t.Errorf("serves number %d, whose key has not come", n)
		}
		write(t, files.Key, fresh.key)
		time.Sleep(rereadEvery + time.Second)
		if n := serial(fresh); n != 2 {
			t.Errorf("still serves number %d", n)
		}
		if now := s.metric("certificate_ends_seconds"); now != ends+3600 {
			t.Errorf("the metric tells %v after %v", now, ends)
		}
	})
}

func TestUnusableCertificate(t *testing.T) {
	cfg := DefaultConfig()
	cfg.TLS = TLS{Cert: "cert.pem"}
	if err := cfg.Validate(); err == nil {
		t.Error("a certificate without a key is a configuration")
	}
	if _, err := openCertificate(TLS{Cert: "nowhere/cert.pem", Key: "nowhere/key.pem"}, nil, nil); err == nil {
		t.Error("it starts without the files")
	}
}

// TLS says that it ends, and waits for 5 s until a client has taken that. Who is killed is not waited for.
func TestKillOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		cert, err := tls.X509KeyPair(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := net.Pipe()
		server := tls.Server(ours, &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true})
		client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
		go func() { _ = client.Handshake() }()
		if err := server.Handshake(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var conn ws.Conn
		conn.Begin(server, nil)
		begun := time.Now()
		conn.Kill()
		if took := time.Since(begun); took > 0 {
			t.Errorf("it took %v", took)
		}
		_ = theirs.Close()
	})
}
