// Package policy is the table of what each role may do in its workspace.
package policy

import (
	"plenum.internal/mesh/auth"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// Permission is a word in the claims of an access token. The words are append-only; services ask for them by auth.Caller.May.
type Permission string

// The permissions; model.proto says what each allows.
const (
	Post           Permission = "chat.post"
	MentionAll     Permission = "chat.mention_all"
	EditOwn        Permission = "chat.edit_own"
	DeleteOthers   Permission = "chat.delete_others"
	CreateChannel  Permission = "chat.create_channel"
	ManageChannels Permission = "chat.manage_channels"
	CreateDocument Permission = "docs.create"
	ManageFolders  Permission = "docs.manage"
	ReadAnalytics  Permission = "analytics.read"
	Directory      Permission = "identity.directory"
	Invite         Permission = "identity.invite"
	Manage         Permission = "identity.manage"
	Own            Permission = "identity.own"
)

// roles is a set of identityv1.Role, one bit each.
type roles uint

const (
	owner   roles = 1 << identityv1.Role_ROLE_OWNER
	admin   roles = 1 << identityv1.Role_ROLE_ADMIN
	member  roles = 1 << identityv1.Role_ROLE_MEMBER
	guest   roles = 1 << identityv1.Role_ROLE_GUEST
	service roles = 1 << identityv1.Role_ROLE_SERVICE
)

// matrix is the policy: the only place that says which role may do what.
var matrix = [...]struct {
	permission Permission
	may        roles
}{
	{Post, owner | admin | member | guest | service},
	{MentionAll, owner | admin | member},
	{EditOwn, owner | admin | member | guest | service},
	{DeleteOthers, owner | admin},
	{CreateChannel, owner | admin | member},
	{ManageChannels, owner | admin},
	{CreateDocument, owner | admin | member},
	{ManageFolders, owner | admin},
	{ReadAnalytics, owner | admin},
	{Directory, owner | admin | member | service},
	{Invite, owner | admin},
	{Manage, owner | admin},
	{Own, owner},
}

// May reports whether the role has the permission.
func May(role identityv1.Role, p Permission) bool {
	for _, row := range matrix {
		if row.permission == p {
			return row.may&(1<<role) != 0
		}
	}
	return false
}

// Of returns the permissions of a role, in the order of the table, as they stand in its tokens.
func Of(role identityv1.Role) []string {
	var out []string
	for _, row := range matrix {
		if row.may&(1<<role) != 0 {
			out = append(out, string(row.permission))
		}
	}
	return out
}

// MayHandle reports whether the actor may administer somebody of the target role: change, deactivate, sign out, or make one.
// Owners are handled by owners alone.
func MayHandle(actor, target identityv1.Role) bool {
	if target == identityv1.Role_ROLE_OWNER {
		return May(actor, Own)
	}
	return May(actor, Manage)
}

// Name returns the role as claims and people write it: "owner".
func Name(role identityv1.Role) string {
	switch role {
	case identityv1.Role_ROLE_OWNER:
		return "owner"
	case identityv1.Role_ROLE_ADMIN:
		return "admin"
	case identityv1.Role_ROLE_MEMBER:
		return "member"
	case identityv1.Role_ROLE_GUEST:
		return "guest"
	case identityv1.Role_ROLE_SERVICE:
		return "service"
	default:
		return ""
	}
}

// Kind returns the kind of account that a role stands for in tokens.
func Kind(role identityv1.Role) auth.Kind {
	switch role {
	case identityv1.Role_ROLE_GUEST:
		return auth.KindGuest
	case identityv1.Role_ROLE_SERVICE:
		return auth.KindService
	default:
		return auth.KindPerson
	}
}
