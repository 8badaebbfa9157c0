package policy_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/policy"
)

var roles = []identityv1.Role{
	identityv1.Role_ROLE_OWNER, identityv1.Role_ROLE_ADMIN, identityv1.Role_ROLE_MEMBER, identityv1.Role_ROLE_GUEST, identityv1.Role_ROLE_SERVICE,
}

// The table that client authors read, in model.proto, is the table that the code decides by.
func TestMatrixIsTheOneInTheContract(t *testing.T) {
	src, err := os.ReadFile("../../../proto/plenum/identity/v1/model.proto")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^//   ([a-z]+\.[a-z_]+)((?: +(?:yes|-)){5})`).FindAllStringSubmatch(string(src), -1)
	var seen []string
	for _, row := range rows {
		seen = append(seen, row[1])
		for i, cell := range strings.Fields(row[2]) {
			if got := policy.May(roles[i], policy.Permission(row[1])); got != (cell == "yes") {
				t.Errorf("%s for %s: the code says %v, the contract %q", row[1], policy.Name(roles[i]), got, cell)
			}
		}
	}
	if !slices.Equal(seen, policy.Of(identityv1.Role_ROLE_OWNER)) {
		t.Errorf("the contract lists %v, the code %v", seen, policy.Of(identityv1.Role_ROLE_OWNER))
	}
}

func TestNobodyHandlesAHigherRole(t *testing.T) {
	for _, actor := range roles {
		for _, target := range roles {
			want := actor == identityv1.Role_ROLE_OWNER || actor == identityv1.Role_ROLE_ADMIN && target != identityv1.Role_ROLE_OWNER
			if got := policy.MayHandle(actor, target); got != want {
				t.Errorf("%s handles %s: %v, want %v", policy.Name(actor), policy.Name(target), got, want)
			}
		}
	}
}

func TestUnknownRoleMayNothing(t *testing.T) {
	for _, role := range []identityv1.Role{0, 17} {
		if p := policy.Of(role); len(p) != 0 {
			t.Errorf("role %d may %v", role, p)
		}
	}
	if policy.May(identityv1.Role_ROLE_OWNER, "chat.unheard_of") {
		t.Error("an unknown permission was granted")
	}
}
