package identity

import (
	"context"
	"crypto/subtle"
	"errors"

	"plenum.internal/mesh/rpc"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/guess"
	"plenum.internal/services/identity/sqlstore"
)

func workspaceProto(w sqlstore.Workspace) *identityv1.Workspace {
	return &identityv1.Workspace{
		Id: w.ID, Slug: w.Slug, Name: w.Name, CreatedMs: w.CreatedMs, Version: uint64(w.Version), DocumentLinks: w.DocumentLinks,
		CollaborationScore: w.CollaborationScore, PresenceRecords: w.PresenceRecords, TimeZone: w.TimeZone,
	}
}

func personProto(p sqlstore.Person) *identityv1.Person {
	return &identityv1.Person{
		Id: p.ID, Handle: p.Handle, DisplayName: p.DisplayName, Role: p.Role, Deactivated: p.DeactivatedMs != 0,
		Version: uint64(p.Version), CreatedMs: p.CreatedMs, Title: p.Title,
	}
}

func groupProto(g sqlstore.Group, members []string) *identityv1.Group {
	return &identityv1.Group{Id: g.ID, Handle: g.Handle, Name: g.Name, Members: members, Version: uint64(g.Version)}
}

func deviceProto(d sqlstore.Device, current string) *identityv1.Device {
	return &identityv1.Device{Id: d.ID, Name: d.Name, Agent: d.Agent, CreatedMs: d.CreatedMs, SeenMs: d.SeenMs, Current: d.ID == current}
}

func invitationProto(l sqlstore.Link) *identityv1.Invitation {
	return &identityv1.Invitation{
		Id: l.ID, Role: l.Role, Note: l.Note, CreatedBy: l.CreatedBy, CreatedMs: l.CreatedMs, ExpiresMs: l.ExpiresMs, UsedBy: l.UsedBy, RevokedMs: l.RevokedMs,
	}
}

func isNotFound(err error) bool { return errors.Is(err, sqlstore.ErrNotFound) }

// sameSecret compares a secret with a stored hash; an empty hash is no secret's.
func sameSecret(hash, secret string) bool {
	return subtle.ConstantTimeCompare([]byte(hash), []byte(sqlstore.Hash(secret))) == 1
}

// clientAddress returns the address of the client behind the call, "" where the caller is a part of the mesh itself.
func clientAddress(ctx context.Context) string {
	if a := rpc.ClientAddress(ctx); a.IsValid() {
		return a.String()
	}
	return ""
}

// sender is whose share of the queue of passwords a call takes.
func sender(ctx context.Context) string {
	address := clientAddress(ctx)
	if address == "" {
		return ""
	}
	return guess.Block(address)
}
