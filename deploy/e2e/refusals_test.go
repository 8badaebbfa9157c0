package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"plenum.internal/client"
	"plenum.internal/deploy/check"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// refusalsOnRecord: who administers the workspace sees what was refused, and whose token it was if it was anybody's.
func refusalsOnRecord(t *testing.T, s *shape) {
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	p := s.member(t)
	token, err := p.Account.Token(within(t, patience), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.owner.Admin.RevokeDevices(within(t, patience), &identityv1.RevokeDevicesRequest{UserId: p.ID}); err != nil {
		t.Fatal(err)
	}
	<-p.Ended
	p.Ended <- nil
	for _, gateway := range s.gateways {
		for _, shown := range []string{token, token + "x"} {
			h := &client.HTTP{Server: gateway, Client: plain, Token: shown}
			eventually(t, "every gateway refuses", func(ctx context.Context) error {
				if _, err := identityv1.NewPeopleServiceClient(h).WhoAmI(ctx, &identityv1.WhoAmIRequest{}); check.Code(err) != edgev1.Code_CODE_TOKEN_REFUSED {
					return fmt.Errorf("at %s: code %v", gateway, check.Code(err))
				}
				return nil
			})
		}
		request, err := http.NewRequestWithContext(within(t, patience), http.MethodOptions, gateway+"/plenum.identity.v1.PeopleService/WhoAmI", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", "https://evil.example")
		answer, err := plain.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("a page of another origin: %s", answer.Status)
		}
	}
	eventually(t, "it is on record", func(ctx context.Context) error {
		log, err := s.owner.Admin.ListAudit(ctx, &identityv1.ListAuditRequest{Limit: 200})
		if err != nil {
			return err
		}
		missing := map[string]string{"refused.token.forged": "", "refused.token.revoked": p.ID, "refused.origin.wrong": ""}
		for _, entry := range log.GetEntries() {
			if whose, ok := missing[entry.GetAction()]; ok && whose == entry.GetTargetId() {
				delete(missing, entry.GetAction())
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("missing: %v", missing)
		}
		return nil
	})
	if v, err := s.owner.Admin.VerifyAudit(within(t, patience), &identityv1.VerifyAuditRequest{}); err != nil || !v.GetIntact() {
		t.Errorf("the chain: %v, %v", v, err)
	}
}
