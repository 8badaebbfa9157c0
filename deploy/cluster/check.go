package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"plenum.internal/deploy/check"
	"plenum.internal/mesh/rpc"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// operator is the service identity of whoever runs the installation.
const operator = "operator"

// IssueSetup makes a secret for the set-up of one more workspace.
func (c *Cluster) IssueSetup(ctx context.Context) (secret string, err error) {
	err = c.asOperator(func(api identityv1.OperatorServiceClient) error {
		answer, err := api.IssueSetup(ctx, &identityv1.IssueSetupRequest{})
		secret = answer.GetSecret()
		return err
	})
	return secret, err
}

// deserted tells that there is no workspace yet.
func (c *Cluster) deserted(ctx context.Context) (yes bool, err error) {
	err = c.asOperator(func(api identityv1.OperatorServiceClient) error {
		answer, err := api.ListWorkspaces(ctx, &identityv1.ListWorkspacesRequest{})
		yes = len(answer.GetWorkspaces()) == 0
		return err
	})
	return yes, err
}

// asOperator calls the first identity process that answers.
func (c *Cluster) asOperator(call func(identityv1.OperatorServiceClient) error) error {
	f := c.files(operator)
	var errs []error
	for i := range c.cfg.Replicas {
		conn, err := rpc.Dial(c.cfg.IP(kindIdentity, i+1)+":"+portRPC, rpc.ClientConfig{
			Service: "identity", TLS: rpc.TLSConfig{Cert: f.Cert, Key: f.Key, CA: f.CA},
		})
		if err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		err = call(identityv1.NewOperatorServiceClient(conn))
		_ = conn.Close()
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("cluster: no identity answers: %w", errors.Join(errs...))
}

// check has clients write and read in a workspace of its own while somebody else kills processes.
func (c *Cluster) check(ctx context.Context, cfg check.Config, out io.Writer) error {
	if !slices.ContainsFunc(c.order, c.Running) {
		return fmt.Errorf("cluster: nothing runs in %s: start it first (cluster up)", c.cfg.Dir)
	}
	var err error
	if cfg.Secret, err = c.IssueSetup(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "The check makes a workspace of its own. The link of the first set-up is void from then on; `cluster operator setup` prints another.")
	for _, address := range c.Addresses() {
		cfg.Gateways = append(cfg.Gateways, "http://"+address)
	}
	return verdict(ctx, cfg, out)
}

// checkAt checks any Plenum, the one binary for instance, in the workspace that a set-up link makes.
func checkAt(ctx context.Context, link string, cfg check.Config, out io.Writer) error {
	server, secret, ok := strings.Cut(link, "/#setup=")
	if !ok {
		return fmt.Errorf("cluster: %q is no set-up link: it ends with /#setup=…, in quotes", link)
	}
	cfg.Gateways, cfg.Secret = []string{server}, secret
	return verdict(ctx, cfg, out)
}

// verdict runs a check; its error says that something is wrong.
func verdict(ctx context.Context, cfg check.Config, out io.Writer) error {
	v, err := check.Run(ctx, cfg, out)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, v)
	for _, fault := range v.Faults {
		fmt.Fprintln(out, fault)
	}
	if n := len(v.Faults); n > 0 {
		return fmt.Errorf("cluster: the check found %d faults", n)
	}
	fmt.Fprintln(out, "Nothing that was acknowledged is lost, doubled or out of order.")
	return nil
}
