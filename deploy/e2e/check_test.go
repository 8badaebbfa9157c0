package e2e

import (
	"strings"
	"testing"
	"time"

	"plenum.internal/deploy/check"
)

// checker: the program for those who kill things from outside says that all is well where it is.
func checker(t *testing.T, s *shape) {
	secret, err := s.cluster.IssueSetup(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	cfg := check.DefaultConfig()
	cfg.Secret, cfg.Gateways, cfg.For = secret, s.gateways, 6*time.Second
	var out strings.Builder
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		time.Sleep(3 * time.Second)
		if err := s.cluster.Kill("gateway-3"); err != nil {
			t.Error(err)
			return
		}
		if err := s.cluster.StartAgain(t.Context(), "gateway-3"); err != nil {
			t.Error(err)
		}
	}()
	v, err := check.Run(t.Context(), cfg, &out)
	<-ended
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Faults) > 0 || v.Gateways != len(s.gateways) || v.Readers != cfg.Devices || v.Acknowledged < 100 || v.Acknowledged != v.Standing {
		t.Errorf("%v %v\n%s", v, v.Faults, out.String())
	}
	t.Log(v)
}
