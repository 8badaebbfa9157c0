package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// HTTP calls unary methods by POST, as the Connect protocol defines it (connectrpc.com/docs/protocol): what is needed before
// there is a token, and by programs that want no connection. It is a grpc.ClientConnInterface. Errors are *Error.
type HTTP struct {
	Server string // "https://plenum.example.com"
	Client *http.Client
	Token  string // empty: none
	// ClientID and Seq number mutations, an Outbox's; nil Seq: the server refuses them.
	ClientID string
	Seq      func() (uint64, error)
}

var _ grpc.ClientConnInterface = (*HTTP)(nil)

// maxReply bounds the answers that are read.
const maxReply = 16 << 20

// Invoke calls a unary method. It is not repeated.
func (h *HTTP) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	in, ok := args.(proto.Message)
	out, ok2 := reply.(proto.Message)
	if !ok || !ok2 {
		return errors.New("client: requests and replies are proto messages")
	}
	body, err := proto.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(h.Server, "/")+"/"+trim(method), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("server %q: write it as https://host or http://host:port", h.Server)
	}
	req.Header.Set("Content-Type", "application/proto")
	req.Header.Set("Connect-Protocol-Version", "1")
	if deadline, ok := ctx.Deadline(); ok {
		req.Header.Set("Connect-Timeout-Ms", strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10))
	}
	if h.Token != "" {
		req.Header.Set("Authorization", "Bearer "+h.Token)
	}
	level, err := idempotency(method)
	if err != nil {
		return err
	}
	if level == descriptorpb.MethodOptions_IDEMPOTENT && h.Seq != nil {
		seq, err := h.Seq()
		if err != nil {
			return err
		}
		req.Header.Set("Plenum-Client-Id", h.ClientID)
		req.Header.Set("Plenum-Client-Seq", strconv.FormatUint(seq, 10))
	}
	client := h.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted { // nothing was sent
			return unreachable(h.Server, err)
		}
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" || level == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
			return unreachable(h.Server, err)
		}
		return connectionLost(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err != nil {
		return connectionLost(err)
	}
	if res.StatusCode != http.StatusOK {
		return connectError(res, data)
	}
	return proto.Unmarshal(data, out)
}

func unreachable(server string, err error) *Error {
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errorf(edgev1.Code_CODE_UNAVAILABLE, "client.UNTRUSTED", "The certificate of %s is not trusted: %v. One of your own is named by SSL_CERT_FILE.", server, untrusted.Err).because(err)
	}
	return errorf(edgev1.Code_CODE_UNAVAILABLE, "client.UNREACHABLE", "%s can't be reached. Check the address, and that Plenum runs there.", server).because(err)
}

func connectionLost(err error) *Error {
	return errorf(edgev1.Code_CODE_OUTCOME_UNKNOWN, "client.CONNECTION_LOST", "The connection was lost before the answer came; it may have taken place.").because(err)
}

// NewStream is not part of the edge protocol.
func (h *HTTP) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errorf(edgev1.Code_CODE_UNSUPPORTED, "client.NO_STREAMS", "The edge has no streaming calls: follow a topic.")
}

// connectError reads the error of the Connect protocol; its detail is Plenum's own.
func connectError(res *http.Response, data []byte) error {
	var e struct {
		Code    string
		Message string
		Details []struct {
			Type  string
			Value string
		}
	}
	if json.Unmarshal(data, &e) == nil {
		for _, d := range e.Details {
			if d.Type != "plenum.edge.v1.Error" {
				continue
			}
			detail := new(edgev1.Error)
			if raw, err := decodeBase64(d.Value); err == nil && proto.Unmarshal(raw, detail) == nil {
				return fault(detail)
			}
		}
	}
	// Not a gateway's word but that of something on the way, which may be gone soon.
	failure := errorf(edgev1.Code_CODE_UNAVAILABLE, "client.HTTP_STATUS", "The server answered %s. Is it a Plenum server?", res.Status)
	failure.status = res.StatusCode
	return failure
}
