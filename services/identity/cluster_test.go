package identity_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"plenum.internal/mesh/meshtest"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity"
)

// Two replicas over one database are one service.
func TestTwoReplicas(t *testing.T) {
	url := meshtest.Postgres(t)
	cfg := cheap()
	cfg.Generate, cfg.SetupSecret = false, "a-secret-of-the-cluster-s-configuration"
	a, b := start(t, url, cfg), start(t, url, cfg)
	ctx := t.Context()
	owner := a.owner(t, "acme")
	if _, err := b.people.WhoAmI(owner.read(ctx), &identityv1.WhoAmIRequest{}); err != nil {
		t.Fatalf("a token of one at the other: %v", err)
	}
	// A refresh that is retried at the other replica, and twenty at once at both.
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		all []*identityv1.Session
	)
	for i := range 20 {
		wg.Go(func() {
			s, err := []*env{a, b}[i%2].refresh(ctx, owner.GetRefreshToken(), owner.client.GetClientId())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, s)
		})
	}
	wg.Wait()
	for _, s := range all {
		if !same(s, all[0]) {
			t.Fatal("the replicas gave different answers")
		}
	}
	owner.Session = all[0]
	// A mutation that is retried at the other replica.
	first := ok(a.admin.Invite(owner.write(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER}))(t)
	again := ok(b.admin.Invite(owner.again(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER}))(t)
	if !proto.Equal(first, again) {
		t.Errorf("%v, then %v", first, again)
	}
	// A revocation at one is heeded at the other.
	phone := ok(a.signIn(ctx, "acme", "owner", goodWord, newClient()))(t)
	if _, err := b.verifier.Verify(ctx, phone.GetAccessToken()); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_ = ok(a.sessions.SignOut(ctx, &identityv1.SignOutRequest{RefreshToken: phone.GetRefreshToken()}))(t)
	eventually(t, "the other replica refuses the token", func() bool {
		_, err := b.verifier.Verify(ctx, phone.GetAccessToken())
		return err != nil
	})
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestTheFirstRunEndsWithTheFirstWorkspace(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	ctx := t.Context()
	secret := strings.TrimPrefix(e.service.SetupLink(""), "/#setup=")
	other := ok(e.operator.IssueSetup(ctx, &identityv1.IssueSetupRequest{}))(t).GetSecret()
	_ = ok(e.sessions.SetUp(ctx, &identityv1.SetUpRequest{Secret: other, WorkspaceSlug: "quick", Handle: "ada", Password: goodWord, Client: newClient()}))(t)
	_, err := e.sessions.SetUp(ctx, &identityv1.SetUpRequest{Secret: secret, WorkspaceSlug: "slow", Handle: "eve", Password: goodWord, Client: newClient()})
	refused(t, err, "identity.LINK")
	e.stop()
	e = start(t, e.url, e.cfg)
	if link := e.service.SetupLink(""); link != "" {
		t.Errorf("a restart offers %s", link)
	}
}

// Every method says who may call it: by its exposure, or in Callers.
func TestEveryMethodHasItsCallers(t *testing.T) {
	callers := identity.Callers()
	for _, name := range []protoreflect.FullName{
		"plenum.identity.v1.SessionService", "plenum.identity.v1.PeopleService", "plenum.identity.v1.AdminService", "plenum.identity.v1.OperatorService",
		"plenum.auth.v1.AuthService", "plenum.topic.v1.TopicService",
	} {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
		if err != nil {
			t.Fatal(err)
		}
		methods := d.(protoreflect.ServiceDescriptor).Methods()
		for i := range methods.Len() {
			m := methods.Get(i)
			options := m.Options().(*descriptorpb.MethodOptions)
			edge, _ := proto.GetExtension(options, edgev1.E_Method).(*edgev1.MethodEdge)
			full := "/" + string(name) + "/" + string(m.Name())
			exposed := edge.GetExposure() != edgev1.Exposure_EXPOSURE_UNSPECIFIED
			if exposed == (len(callers[full]) > 0) {
				t.Errorf("%s: exposed %v, callers %v", full, exposed, callers[full])
			}
			if edge.GetExposure() == edgev1.Exposure_EXPOSURE_USER && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN {
				t.Errorf("%s doesn't say whether it changes anything", full)
			}
			delete(callers, full)
		}
	}
	for left := range callers {
		t.Errorf("%s is no method", left)
	}
}

func TestConfigurationSaysWhatToDo(t *testing.T) {
	for want, change := range map[string]func(*identity.Config){
		"openssl rand":        func(c *identity.Config) { c.Key = "" },
		"access_ttl":          func(c *identity.Config) { c.AccessTTL = 0 },
		"refresh_grace":       func(c *identity.Config) { c.Grace = time.Hour },
		"setup_secret":        func(c *identity.Config) { c.SetupSecret = "short" },
		"key_period":          func(c *identity.Config) { c.KeyPeriod = time.Minute },
		"password_memory_kib": func(c *identity.Config) { c.PasswordMemory = 0 },
	} {
		cfg := cheap()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	if cfg := cheap(); cfg.Validate() != nil {
		t.Error(cfg.Validate())
	}
}
