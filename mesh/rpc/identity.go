package rpc

import (
	"context"
	"crypto/tls"
	"net"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Domain is the suffix of a service's name in its certificate: "chat.plenum.internal".
const Domain = ".plenum.internal"

// Peer returns the identity of the service that calls ("gateway"): the DNS name of its certificate, or the name its pipe was
// opened as. It is empty where the peer has shown none.
func Peer(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	switch a := p.AuthInfo.(type) {
	case pipeInfo:
		return a.as
	case credentials.TLSInfo:
		return certified(a.State)
	}
	return ""
}

// certified returns the service of a verified client certificate. A certificate speaks for one service or for none.
func certified(s tls.ConnectionState) string {
	if len(s.VerifiedChains) == 0 || len(s.PeerCertificates) == 0 {
		return ""
	}
	found := ""
	for _, name := range s.PeerCertificates[0].DNSNames {
		service, ok := strings.CutSuffix(name, Domain)
		if !ok || service == "" || strings.ContainsAny(service, ".*") {
			continue
		}
		if found != "" && found != service {
			return ""
		}
		found = service
	}
	return found
}

// pipeInfo is what a connection within the process proves: the one who opened it said who it is.
type pipeInfo struct {
	credentials.CommonAuthInfo
	as string
}

func (pipeInfo) AuthType() string { return "pipe" }

// pipeConn is the server's end of a pipe.
type pipeConn struct {
	net.Conn
	as string
}

// handshake recognises pipes and leaves every other connection to the credentials below: TLS, or none.
type handshake struct {
	credentials.TransportCredentials
}

func (h handshake) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if p, ok := c.(pipeConn); ok {
		return p, pipeInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, p.as}, nil
	}
	return h.TransportCredentials.ServerHandshake(c)
}

func (h handshake) Clone() credentials.TransportCredentials {
	return handshake{h.TransportCredentials.Clone()}
}
