package ctl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"plenum.internal/client"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

type operatorCmd struct {
	Data    string `help:"Data folder of the one program, whose user alone may use it." default:"./data" placeholder:"FOLDER"`
	Address string `help:"In a cluster: where an identity process listens for the others, host:port." placeholder:"HOST:PORT"`
	CA      string `name:"ca" help:"File with the authority of the cluster's certificates." placeholder:"FILE"`
	Cert    string `help:"File with the operator's certificate, operator.plenum.internal." placeholder:"FILE"`
	Key     string `help:"File with the certificate's key." placeholder:"FILE"`

	Setup      operatorSetupCmd      `cmd:"" help:"Make a link by which somebody creates one more workspace and owns it."`
	Workspaces operatorWorkspacesCmd `cmd:"" help:"List the workspaces."`
	ResetOwner operatorResetCmd      `cmd:"" help:"Make a link by which somebody chooses a new password: the sole owner, whom nobody else can help."`
	Audit      operatorAuditCmd      `cmd:"" help:"Read the audit log of a workspace, or the installation's own."`
	Verify     operatorVerifyCmd     `cmd:"" help:"Check that no entry of an audit log was changed or taken out."`
	Keys       operatorKeysCmd       `cmd:"" help:"The keys that sign access tokens."`
}

// operatorSocket is the socket's name in the data folder.
const operatorSocket = "operator.sock"

// maxSocketPath is the longest path that a unix socket can be reached by on Linux, in bytes.
const maxSocketPath = 107

// operator calls identity as the installation's operator: in a cluster by a certificate, else on the socket that the file system guards.
func (e *env) operator(f func(ctx context.Context, o identityv1.OperatorServiceClient) error) error {
	ctx, cancel := context.WithTimeout(e.ctx, operatorTimeout)
	defer cancel()
	dial := e.Operator.socket
	if e.Operator.Address != "" {
		dial = e.Operator.cluster
	}
	conn, err := dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	return client.FromStatus(f(ctx, identityv1.NewOperatorServiceClient(conn)))
}

// operatorTimeout bounds the walk along a long audit log, too.
const operatorTimeout = 2 * time.Minute

func (c *operatorCmd) socket() (*grpc.ClientConn, error) {
	path := filepath.Join(c.Data, operatorSocket)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("no Plenum runs on %s (there is no %s): name its data folder by --data, or in a cluster an identity process by --address", c.Data, path)
	}
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		if len(path) <= maxSocketPath {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		folder, err := os.Open(c.Data) // by way of its descriptor any path is short
		if err != nil {
			return nil, err
		}
		defer folder.Close()
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join("/proc/self/fd", strconv.Itoa(int(folder.Fd())), operatorSocket))
	}
	return grpc.NewClient("passthrough:///identity", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dial))
}

func (c *operatorCmd) cluster() (*grpc.ClientConn, error) {
	if c.CA == "" || c.Cert == "" || c.Key == "" {
		return nil, errors.New("--address goes with --ca, --cert and --key: the operator's certificate is the proof")
	}
	cert, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", c.CA)
	}
	return grpc.NewClient("passthrough:///"+c.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: "identity.plenum.internal",
	})))
}

// origin is the address that links begin with: of this, whoever calls from behind it knows nothing.
func (e *env) origin() (string, error) {
	if e.Server == "" {
		return "", errors.New("by which address do people reach this Plenum? Add --server http://host:port")
	}
	return e.Server, nil
}

type operatorSetupCmd struct {
	TTL time.Duration `name:"ttl" help:"How long it is valid." default:"24h"`
}

func (c *operatorSetupCmd) Run(e *env) error {
	at, err := e.origin()
	if err != nil {
		return err
	}
	return e.operator(func(ctx context.Context, o identityv1.OperatorServiceClient) error {
		res, err := o.IssueSetup(ctx, &identityv1.IssueSetupRequest{TtlMs: uint64(c.TTL.Milliseconds())})
		if err != nil {
			return err
		}
		return e.print(res, "%s", link(at, "setup", res.GetSecret()))
	})
}

type operatorWorkspacesCmd struct{}

func (operatorWorkspacesCmd) Run(e *env) error {
	return e.operator(func(ctx context.Context, o identityv1.OperatorServiceClient) error {
		for page := ""; ; {
			res, err := o.ListWorkspaces(ctx, &identityv1.ListWorkspacesRequest{Page: page})
			if err != nil {
				return err
			}
			for _, w := range res.GetWorkspaces() {
				if err := e.print(w, "%-24s %s  %s", w.GetSlug(), time.UnixMilli(w.GetCreatedMs()).Format("2006-01-02"), clean(w.GetName())); err != nil {
					return err
				}
			}
			if page = res.GetNext(); page == "" {
				return nil
			}
		}
	})
}

type operatorResetCmd struct {
	Workspace string `arg:"" help:"Short name of the workspace."`
	Handle    string `arg:"" help:"Short name of the person."`
}

func (c *operatorResetCmd) Run(e *env) error {
	at, err := e.origin()
	if err != nil {
		return err
	}
	return e.operator(func(ctx context.Context, o identityv1.OperatorServiceClient) error {
		res, err := o.IssueReset(ctx, &identityv1.IssueResetRequest{WorkspaceSlug: c.Workspace, Handle: strings.TrimPrefix(c.Handle, "@")})
		if err != nil {
			return err
		}
		return e.print(res, "%s", link(at, "reset", res.GetSecret()))
	})
}

type operatorAuditCmd struct {
	List operatorAuditListCmd `cmd:"" default:"withargs" help:"Show the newest entries."`
}

type operatorAuditListCmd struct {
	Workspace string `arg:"" optional:"" help:"Short name of the workspace; none: the installation's own log."`
	pageOfAudit
}

func (c *operatorAuditListCmd) Run(e *env) error {
	return e.operator(func(ctx context.Context, o identityv1.OperatorServiceClient) error {
		res, err := o.ListChain(ctx, &identityv1.ListChainRequest{WorkspaceSlug: c.Workspace, Before: c.Before, Limit: c.Limit})
		if err != nil {
			return err
		}
		p := newPeople()
		for _, person := range res.GetPeople() {
			p.add(person)
		}
		return e.auditEntries(p, res.GetEntries())
	})
}

type operatorVerifyCmd struct {
	Workspace string `arg:"" optional:"" help:"Short name of the workspace; none: the installation's own log."`
	anchored
}

func (c *operatorVerifyCmd) Run(e *env) error {
	seq, hash, err := c.anchor()
	if err != nil {
		return err
	}
	return e.operator(func(ctx context.Context, o identityv1.OperatorServiceClient) error {
		res, err := o.VerifyChain(ctx, &identityv1.VerifyChainRequest{WorkspaceSlug: c.Workspace, KnownSeq: seq, KnownHash: hash})
		if err != nil {
			return err
		}
		return e.verified(res)
	})
}

type operatorKeysCmd struct {
	Rotate rotateKeysCmd `cmd:"" help:"Let the next key sign from now on."`
}

type rotateKeysCmd struct {
	Distrust bool `help:"The keys may be known to others: every access token ends within a minute, and clients refresh theirs."`
}

func (c *rotateKeysCmd) Run(e *env) error {
	return e.operator(func(ctx context.Context, o identityv1.OperatorServiceClient) error {
		res, err := o.RotateKeys(ctx, &identityv1.RotateKeysRequest{Distrust: c.Distrust})
		if err != nil {
			return err
		}
		if c.Distrust {
			return e.print(res, "New keys sign. Tokens of the former ones are refused within a minute.")
		}
		return e.print(res, "The next key signs. Tokens of the former one stay good to their end.")
	})
}

// anchored is where an earlier verify came to.
type anchored struct {
	Anchor string `help:"What an earlier verify printed: number:hash. Proves that nothing before it was changed since." placeholder:"ANCHOR"`
}

func (c *anchored) anchor() (seq uint64, hash []byte, err error) {
	if c.Anchor == "" {
		return 0, nil, nil
	}
	number, text, _ := strings.Cut(c.Anchor, ":")
	if seq, err = strconv.ParseUint(number, 10, 64); err == nil {
		hash, err = hex.DecodeString(text)
	}
	if err != nil || len(hash) == 0 {
		return 0, nil, errors.New("the anchor is number:hash, as an earlier verify printed it")
	}
	return seq, hash, nil
}
