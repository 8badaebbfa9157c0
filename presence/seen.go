package presence

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// When somebody was here last is written down partition by partition, each once an hour, whoever comes or goes meanwhile. So nothing can be told by
// the time at which it changes.
const (
	seenGap      = time.Hour / topic.Partitions
	seenBatch    = 1000             // rows in one statement
	seenPatience = 10 * time.Second // before it is given up until the next hour: who chooses something waits meanwhile
)

// hour is in which hour a time is, since 1970.
func hour(t time.Time) int64 { return t.Unix() / 3600 }

// ListLastSeen tells in which hour people were here last, of whom that is told.
func (s *Server) ListLastSeen(ctx context.Context, q *presencev1.ListLastSeenRequest) (*presencev1.ListLastSeenResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // numbered
	}
	if len(q.GetUsers()) > maxLastSeen {
		return nil, badField("users", "Ask for %d people at most.", maxLastSeen)
	}
	if err := s.awaitMemberships(ctx); err != nil {
		return nil, err
	}
	users := slices.Compact(slices.Sorted(slices.Values(q.GetUsers())))
	rel := sqldb.NewRelation(s.db.Dialect(), "ws text", "usr text")
	var rows [][]any
	for _, user := range s.memberships.visible(personKey{caller.Workspace, caller.User}, users) {
		rows = append(rows, []any{caller.Workspace, user})
	}
	text := `SELECT s.user_id, s.hour FROM ` + rel.SQL() + ` ` + rel.Lookup("INNER", "presence_seen", "s", `s.workspace = k.ws AND s.user_id = k.usr`) + ` ` +
		rel.Lookup("LEFT", "presence_choice", "c", `c.workspace = k.ws AND c.user_id = k.usr`) + ` WHERE c.hide_last_seen IS NOT TRUE ORDER BY s.user_id`
	res := &presencev1.ListLastSeenResponse{}
	return res, each(ctx, s.db.Query, text, rel.Args(rows), func(r *sql.Rows) error {
		var user string
		var hour int64
		err := r.Scan(&user, &hour)
		res.Seen = append(res.Seen, &presencev1.LastSeen{User: user, HourMs: hour * time.Hour.Milliseconds()})
		return err
	})
}

// maxLastSeen is how many people may be asked for at once.
const maxLastSeen = 500

// keepSeen writes down who was here last when, until ctx ends.
func (s *Server) keepSeen(ctx context.Context) {
	tick := time.NewTicker(seenGap)
	defer tick.Stop()
	for n := rand.Uint32N(topic.Partitions); ; n = (n + 1) % topic.Partitions {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := s.writeSeen(ctx, n, time.Now())
		if err == nil && (n == 0 || s.overdue) {
			err = s.purgeSeen(ctx, time.Now())
		}
		if err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "it can't be written down who was here; tried again within the hour", "error", err)
		}
	}
}

// sighting is that somebody was here in an hour.
type sighting struct {
	personKey
	hour int64
}

// writeSeen writes down who of a partition was here since that was done last. Who hides that meanwhile waits.
func (s *Server) writeSeen(ctx context.Context, partition uint32, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, seenPatience)
	defer cancel()
	end, err := s.turn(ctx, partition)
	if err != nil {
		return err
	}
	defer end()
	rel := sqldb.NewRelation(s.db.Dialect(), "ws text", "usr text", "hour bigint")
	for list := range slices.Chunk(s.hub.seenToWrite(partition, now), seenBatch) {
		rows := make([][]any, len(list))
		for i, x := range list {
			rows[i] = []any{x.workspace, x.user, x.hour}
		}
		err := s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // said below
			_, err := tx.ExecContext(ctx, insertSeen(rel), rel.Args(rows)...)
			return err //nolint:wrapcheck // said below
		})
		if err != nil {
			return fmt.Errorf("presence: write who was seen: %w", err)
		}
		s.hub.seenWritten(list)
	}
	return nil
}

// insertSeen is the statement that writes rows down but of who hides it. An hour that is known stays, if it is later.
func insertSeen(rows sqldb.Relation) string {
	return `INSERT INTO presence_seen (workspace, user_id, hour) SELECT k.ws, k.usr, k.hour FROM ` + rows.SQL() + `
		WHERE NOT EXISTS (SELECT 1 FROM presence_choice c WHERE c.workspace = k.ws AND c.user_id = k.usr AND c.hide_last_seen)
		ON CONFLICT (workspace, user_id) DO UPDATE SET hour = excluded.hour WHERE excluded.hour > presence_seen.hour`
}

// purgeSeen forgets who has not come back for too long, and who hides it and was written down all the same while two processes took themselves for
// their home: a portion, and the next one with the next partition.
func (s *Server) purgeSeen(ctx context.Context, now time.Time) error {
	var gone int64
	err := s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // said below
		res, err := tx.ExecContext(ctx, `DELETE FROM presence_seen WHERE (workspace, user_id) IN (SELECT workspace, user_id FROM presence_seen WHERE hour < $1
			UNION SELECT s.workspace, s.user_id FROM presence_choice c JOIN presence_seen s ON s.workspace = c.workspace AND s.user_id = c.user_id WHERE c.hide_last_seen
			LIMIT $2)`, hour(now.Add(-s.cfg.SeenFor)), seenBatch)
		if err != nil {
			return err //nolint:wrapcheck // said below
		}
		gone, err = res.RowsAffected()
		return err //nolint:wrapcheck // likewise
	})
	if err != nil {
		return fmt.Errorf("presence: forget who was seen: %w", err)
	}
	s.overdue = gone == seenBatch
	return nil
}

// setHere takes in whether somebody is told as here.
func (h *hub) setHere(p *person, here bool, now time.Time) {
	if p.here && !here && !p.chosen.hideLastSeen && len(h.lastSeen) < h.cfg.People {
		h.lastSeen[p.key] = hour(now)
	}
	p.here = here
}

// seenToWrite is who of a partition is here, or was since that was written last.
func (h *hub) seenToWrite(partition uint32, now time.Time) (list []sighting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.frozen.IsZero() {
		return nil
	}
	within := func(k personKey) bool { return topic.PartitionOf(k.workspace, k.user) == partition }
	for k, p := range h.people {
		if p.here && !p.chosen.hideLastSeen && within(k) {
			list = append(list, sighting{k, hour(now)})
		}
	}
	for k, hour := range h.lastSeen {
		if p := h.people[k]; (p == nil || !p.here) && within(k) {
			list = append(list, sighting{k, hour})
		}
	}
	slices.SortFunc(list, func(a, b sighting) int { return strings.Compare(a.workspace+"/"+a.user, b.workspace+"/"+b.user) }) // two processes don't wait for each other
	return list
}

// seenWritten takes in that it is.
func (h *hub) seenWritten(list []sighting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range list {
		if h.lastSeen[x.personKey] <= x.hour {
			delete(h.lastSeen, x.personKey)
		}
	}
}
