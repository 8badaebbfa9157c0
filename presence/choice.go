package presence

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/letters"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// MaxAhead is how far ahead it may lie that something ends which people choose.
const MaxAhead = 366 * 24 * time.Hour

// writeChoice keeps since when somebody is to be seen again whom a choice before it made invisible (6).
const writeChoice = `INSERT INTO presence_choice (workspace, user_id, state, emoji, text, until_ms) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (workspace, user_id) DO UPDATE SET state = excluded.state, emoji = excluded.emoji, text = excluded.text, until_ms = excluded.until_ms,
		shown_ms = CASE WHEN presence_choice.state <> 6 THEN presence_choice.shown_ms
			WHEN presence_choice.until_ms > 0 AND presence_choice.until_ms < $7 THEN presence_choice.until_ms ELSE $7 END`

const (
	choiceBatch = 1000        // people whose choices are read at a time
	choicePause = time.Second // before what failed is tried again
)

// SetStatus writes down what somebody has chosen, and shows it.
func (s *Server) SetStatus(ctx context.Context, q *presencev1.SetStatusRequest) (*presencev1.SetStatusResponse, error) {
	res := &presencev1.SetStatusResponse{}
	const method = presencev1.PresenceService_SetStatus_FullMethodName
	return res, s.atHome(ctx, method, q, res, func(k personKey) error {
		c, err := checkChoice(q)
		if err != nil {
			return err
		}
		return s.write(ctx, k, method, q, func(tx *sql.Tx) error {
			now := time.Now()
			if err := checkUntil(q.GetUntilMs(), now); err != nil { // not of one that was made in time, and is repeated
				return err
			}
			_, err := tx.ExecContext(ctx, writeChoice, k.workspace, k.user, int32(c.state), c.emoji, c.text, q.GetUntilMs(), now.UnixMilli())
			return err //nolint:wrapcheck // the caller says what failed
		})
	})
}

// write writes down what somebody chooses by a call, once, and shows it.
func (s *Server) write(ctx context.Context, k personKey, method string, q proto.Message, do func(tx *sql.Tx) error) error {
	end, err := s.turn(ctx, topic.PartitionOf(k.workspace, k.user)) // of two choices at once the one that is kept is the one that is shown
	if err != nil {
		return err
	}
	defer end()
	var c choice
	err = s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // said below
		if made, err := once(ctx, tx, k, method, q); err != nil {
			return err
		} else if !made {
			if err := do(tx); err != nil {
				return err
			}
		}
		return c.scan(tx.QueryRowContext(ctx, `SELECT `+choiceColumns+` FROM presence_choice c WHERE c.workspace = $1 AND c.user_id = $2`, k.workspace, k.user).Scan)
	})
	if err != nil {
		return fmt.Errorf("presence: write a choice: %w", err)
	}
	s.hub.choose(map[personKey]choice{k: c}, time.Now())
	if s.placement().Home(k.route()).ID != s.peers.Node().ID { // it has moved meanwhile, and the new one may have read what was chosen before
		return errAway
	}
	return nil
}

// turn waits for the turn to write of people of a partition.
func (s *Server) turn(ctx context.Context, partition uint32) (end func(), err error) {
	turn := s.choosing[partition]
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, errAway.Because(ctx.Err())
	}
}

// GetStatus tells somebody what they have chosen, and what others see.
func (s *Server) GetStatus(ctx context.Context, q *presencev1.GetStatusRequest) (*presencev1.GetStatusResponse, error) {
	res := &presencev1.GetStatusResponse{}
	return res, s.atHome(ctx, presencev1.PresenceService_GetStatus_FullMethodName, q, res, func(k personKey) error {
		chosen, err := s.choices(ctx, []personKey{k})
		if err != nil {
			return err
		}
		c := chosen[k].at(time.Now())
		if res.Chosen = c.state; c.emoji != "" || c.text != "" {
			res.Custom = &presencev1.Custom{Emoji: c.emoji, Text: c.text}
		}
		if !c.until.IsZero() {
			res.UntilMs = c.until.UnixMilli()
		}
		if old := s.hub.asOf(); !old.IsZero() { // asked for first: what is seen is of no earlier time
			res.AsOfMs = old.UnixMilli()
		}
		res.Status = s.hub.status(k)
		return nil
	})
}

// asOf is of which time what is told here is, while this process may be taken for dead; zero: of now.
func (h *hub) asOf() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.frozen
}

// checkChoice says what is wrong with what somebody has chosen.
func checkChoice(q *presencev1.SetStatusRequest) (c choice, err error) {
	switch q.GetState() {
	case presencev1.State_STATE_UNSPECIFIED, presencev1.State_STATE_AWAY, presencev1.State_STATE_BUSY, presencev1.State_STATE_DO_NOT_DISTURB,
		presencev1.State_STATE_INVISIBLE:
	default:
		return c, badField("state", "Choose AWAY, BUSY, DO_NOT_DISTURB or INVISIBLE, or nothing.")
	}
	emoji, text := q.GetCustom().GetEmoji(), strings.TrimSpace(q.GetCustom().GetText())
	switch {
	case emoji != "" && !isEmoji(emoji):
		return c, badField("custom.emoji", "Choose one emoji, of at most %d bytes, and say the rest by the text.", MaxEmoji)
	case !isText(text):
		return c, badField("custom.text", "A text has one line of at most %d bytes: letters, digits, blanks, marks and emoji, and no invisible characters.", MaxText)
	case letters.Crowded(text):
		return c, badField("custom.text", "Put at most %d accents on a letter.", letters.MaxMarks)
	}
	c = choice{state: q.GetState(), emoji: emoji, text: text}
	if q.GetUntilMs() != 0 {
		c.until = time.UnixMilli(q.GetUntilMs())
	}
	return c, nil
}

// checkUntil says what is wrong with when something ends, in Unix milliseconds; 0: never.
func checkUntil(ms int64, now time.Time) error {
	switch {
	case ms == 0:
		return nil
	case ms <= now.UnixMilli():
		return badField("until_ms", "It would have ended already.")
	case ms > now.Add(MaxAhead).UnixMilli():
		return badField("until_ms", "Choose a time within a year, or none: then it doesn't end.")
	}
	return nil
}

// choiceColumns are those of presence_choice that make a choice.
const choiceColumns = `c.state, c.emoji, c.text, c.until_ms, c.infer_activity, c.country, c.hide_last_seen, c.shown_ms`

// scan reads a choice by a row's Scan, behind other columns.
func (c *choice) scan(scan func(dest ...any) error, before ...any) error {
	var untilMs, shownMs int64
	err := scan(append(before, &c.state, &c.emoji, &c.text, &untilMs, &c.inferActivity, &c.country, &c.hideLastSeen, &shownMs)...)
	if err == nil && untilMs != 0 {
		c.until = time.UnixMilli(untilMs)
	}
	if shownMs != 0 {
		c.shown = time.UnixMilli(shownMs)
	}
	return err
}

// choices reads what people have chosen.
func (s *Server) choices(ctx context.Context, people []personKey) (map[personKey]choice, error) {
	ctx, span := s.tracer.Start(ctx, "presence.choices")
	defer span.End()
	rel := sqldb.NewRelation(s.db.Dialect(), "ws text", "usr text")
	rows, all := make([][]any, len(people)), make(map[personKey]choice, len(people))
	for i, k := range people {
		rows[i], all[k] = []any{k.workspace, k.user}, choice{}
	}
	text := `SELECT c.workspace, c.user_id, ` + choiceColumns + ` FROM ` + rel.SQL() + ` ` +
		rel.Lookup("INNER", "presence_choice", "c", `c.workspace = k.ws AND c.user_id = k.usr`)
	return all, each(ctx, s.db.Query, text, rel.Args(rows), func(r *sql.Rows) error {
		var k personKey
		var c choice
		err := c.scan(r.Scan, &k.workspace, &k.user)
		all[k] = c
		return err
	})
}

// loadChoices finds out what people have chosen who have just come, until ctx ends.
func (s *Server) loadChoices(ctx context.Context) {
	for {
		select {
		case <-s.hub.loads:
		case <-ctx.Done():
			return
		}
		for people := s.hub.nextLoads(choiceBatch); len(people) > 0; people = s.hub.nextLoads(choiceBatch) {
			chosen, err := s.choices(ctx, people)
			if err == nil {
				s.hub.load(chosen, time.Now())
				continue
			}
			if ctx.Err() == nil {
				s.logger.WarnContext(ctx, "it is not known how people want to be seen; asked again", "people", len(people), "error", err)
			}
			select {
			case <-time.After(choicePause):
			case <-ctx.Done():
				return
			}
		}
	}
}

// nextLoads are people of whom it isn't known what they have chosen.
func (h *hub) nextLoads(most int) (people []personKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k := range h.toLoad {
		if people = append(people, k); len(people) == most {
			break
		}
	}
	return people
}

// load takes in what people had chosen when it was read. Who has chosen meanwhile is known.
func (h *hub) load(chosen map[personKey]choice, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, c := range chosen {
		if p := h.toLoad[k]; p != nil {
			h.setChoice(p, c, now)
		}
	}
	if h.checkSynced() {
		h.decideAll(now)
	}
}

// choose takes in what people choose.
func (h *hub) choose(chosen map[personKey]choice, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, c := range chosen {
		if c.hideLastSeen {
			delete(h.lastSeen, k)
		}
		if p := h.people[k]; p != nil {
			h.setChoice(p, c, now)
		}
	}
}

// setChoice takes in what somebody has chosen. Who becomes invisible leaves; who comes so was never seen.
func (h *hub) setChoice(p *person, c choice, now time.Time) {
	h.cancelLoad(p.key)
	h.accountAll(p, now)
	if p.loaded && p.visibility == shown && c.hides(now) { // else they have at another home, and are seen by what they were as this process was thawed
		p.hide(now)
	}
	if !p.loaded {
		p.visibility = untold
	}
	p.chosen, p.loaded = c, true
	h.decide(p, now)
}
