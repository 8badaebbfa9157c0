package sqlstore

import "context"

// Device is a row of identity_device.
type Device struct {
	ID, Workspace, Person, ClientHash, Name, Agent string
	CreatedMs, SeenMs                              int64
	Family                                         string
	Generation, RotatedMs, RevokedMs               int64
	Wipe                                           bool
}

const deviceColumns = "id, workspace, person, client_hash, name, agent, created_ms, seen_ms, family, generation, rotated_ms, revoked_ms, wipe"

func scanDevice(s scanner, d *Device) error {
	var wipe int
	err := s.Scan(&d.ID, &d.Workspace, &d.Person, &d.ClientHash, &d.Name, &d.Agent, &d.CreatedMs, &d.SeenMs, &d.Family, &d.Generation, &d.RotatedMs, &d.RevokedMs, &wipe)
	d.Wipe = wipe != 0
	return err
}

// Device returns a device of whichever workspace, for a bearer of its refresh token.
func (r Reads) Device(ctx context.Context, id string) (Device, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+deviceColumns+" FROM identity_device WHERE id = $1", id), scanDevice, "device")
}

// DeviceOfClient returns the device that a client is for an account, revoked or not.
func (r Reads) DeviceOfClient(ctx context.Context, workspace, person, clientHash string) (Device, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+deviceColumns+" FROM identity_device WHERE workspace = $1 AND person = $2 AND client_hash = $3",
		workspace, person, clientHash), scanDevice, "device")
}

// Devices returns the devices that a person is signed in on, newest use first.
func (r Reads) Devices(ctx context.Context, workspace, person string, limit int) ([]Device, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+deviceColumns+` FROM identity_device WHERE workspace = $1 AND person = $2 AND revoked_ms = 0
		ORDER BY seen_ms DESC, id LIMIT $3`, workspace, person, limit)
	return list(rows, err, scanDevice, "devices")
}

// PutDevice inserts a device in the place of the one that the same client was before.
func (t Tx) PutDevice(ctx context.Context, d Device) error {
	if _, err := t.exec(ctx, "replace device", "DELETE FROM identity_device WHERE workspace = $1 AND person = $2 AND client_hash = $3", d.Workspace, d.Person, d.ClientHash); err != nil {
		return err
	}
	_, err := t.exec(ctx, "add device", "INSERT INTO identity_device ("+deviceColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
		d.ID, d.Workspace, d.Person, d.ClientHash, d.Name, d.Agent, d.CreatedMs, d.SeenMs, d.Family, d.Generation, d.RotatedMs, d.RevokedMs, flag(d.Wipe))
	return err
}

// RotateDevice spends the refresh token of a generation. It reports false if that was spent before, or the device is revoked.
func (t Tx) RotateDevice(ctx context.Context, id, family string, generation, nowMs int64) (bool, error) {
	n, err := t.exec(ctx, "rotate device", `UPDATE identity_device SET generation = generation + 1, rotated_ms = $4, seen_ms = $4
		WHERE id = $1 AND family = $2 AND generation = $3 AND revoked_ms = 0`, id, family, generation, nowMs)
	return n > 0, err
}

// RevokeDevice revokes one device of a person, and reports whether it was live before. wipe also marks one that was revoked.
func (t Tx) RevokeDevice(ctx context.Context, workspace, person, id string, nowMs int64, wipe bool) (bool, error) {
	n, err := t.exec(ctx, "revoke device", "UPDATE identity_device SET revoked_ms = $4 WHERE workspace = $1 AND person = $2 AND id = $3 AND revoked_ms = 0", workspace, person, id, nowMs)
	if err == nil && wipe {
		_, err = t.exec(ctx, "mark device", "UPDATE identity_device SET wipe = 1 WHERE workspace = $1 AND person = $2 AND id = $3", workspace, person, id)
	}
	return n > 0, err
}

// RevokeDevices revokes all devices of a person but one (empty: all).
func (t Tx) RevokeDevices(ctx context.Context, workspace, person, but string, nowMs int64, wipe bool) error {
	_, err := t.exec(ctx, "revoke devices", `UPDATE identity_device SET revoked_ms = CASE WHEN revoked_ms = 0 THEN $4 ELSE revoked_ms END,
		wipe = CASE WHEN $5 = 1 THEN 1 ELSE wipe END WHERE workspace = $1 AND person = $2 AND id <> $3`, workspace, person, but, nowMs, flag(wipe))
	return err
}

// PruneDevices forgets devices that were not seen since a time.
func (t Tx) PruneDevices(ctx context.Context, beforeMs int64) error {
	_, err := t.exec(ctx, "prune devices", "DELETE FROM identity_device WHERE seen_ms < $1 AND family <> ''", beforeMs)
	return err
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
