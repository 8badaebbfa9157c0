package chat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Bounds of what one answer of PaceService takes.
const (
	paceAtOnce   = 2                // computed at the same time, of different workspaces
	paceDays     = 100              // the time asked for
	paceChannels = 5000             // those with the most events; of others nothing counts
	paceEvents   = 1_000_000        // that are read; what lies before the newest of them counts for nothing
	paceMessages = 200_000          // of these, that count, the newest
	paceTime     = 15 * time.Second // for all of it
	paceAge      = time.Minute      // how long an answer is given again
	paceAnswers  = 256              // that are remembered
)

// What presence is answered.
var (
	errPaceBusy = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "chat.BUSY", "Response times are being computed for others. Try again shortly.")
	errPaceSlow = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "chat.TOO_MUCH", "That is too much to be computed in time. Ask for fewer days.")
)

// pace is the PaceService.
type pace struct {
	chatv1.UnimplementedPaceServiceServer
	db                            *sqldb.DB
	topics, marks                 sqldb.Relation
	channels, timeAt, medianReply string
	turns                         *rpc.Turns // by workspace

	mu      sync.Mutex // guards all below
	answers map[paceKey]paceAnswer
}

// paceKey is what was asked, paceAnswer what was answered.
type (
	paceKey struct {
		workspace string
		from, to  int64
		people    uint32
	}
	paceAnswer struct {
		at       time.Time
		medianMs int64
	}
)

// stretch is where in a channel's log a time lies: from an offset to before another one.
type stretch struct {
	topic    string
	from, to int64
}

func newPace(db *sqldb.DB) *pace {
	p := &pace{
		db: db, turns: rpc.NewTurns(paceAtOnce), answers: map[paceKey]paceAnswer{},
		topics: sqldb.NewRelation(db.Dialect(), "topic text", "low bigint", "high bigint"), marks: sqldb.NewRelation(db.Dialect(), "i bigint", "topic text", "at bigint"),
	}
	marked, ranged := len(p.marks.Args(nil)), len(p.topics.Args(nil))
	at := func(n int) string { return "$" + strconv.Itoa(n) }
	p.channels = `SELECT t.topic, t.floor, t.head FROM chat_channel c JOIN chat_topic t ON t.workspace = c.workspace AND t.topic = 'chat.channel/' || c.id
		WHERE c.workspace = $1 AND c.kind IN (1, 2) ORDER BY t.head DESC LIMIT $2`
	p.timeAt = `SELECT k.i, (SELECT l.time_ms FROM chat_log l WHERE l.workspace = ` + at(marked+1) + ` AND l.topic = k.topic AND l."offset" >= k.at ORDER BY l."offset" LIMIT 1)
		FROM ` + p.marks.SQL()
	// Of each message, the next one of somebody else is the next whose author isn't the one's before it.
	p.medianReply = `WITH said AS MATERIALIZED (
			SELECT l.topic, l."offset" AS at, l.user_id, l.time_ms FROM ` + p.topics.SQL() + `
			JOIN chat_log l ON l.workspace = ` + at(ranged+1) + ` AND l.topic = k.topic AND l."offset" >= k.low AND l."offset" < k.high
			WHERE l.kind = 1 AND l.time_ms >= ` + at(ranged+2) + ` AND l.time_ms < ` + at(ranged+3) + ` AND NOT EXISTS (SELECT 1 FROM chat_message m
				WHERE m.workspace = l.workspace AND m.channel = substr(l.topic, 14) AND m.at = l."offset" AND m.deleted)
			ORDER BY l.time_ms DESC LIMIT ` + at(ranged+4) + `),
		lively AS (SELECT topic FROM said GROUP BY topic HAVING count(DISTINCT user_id) >= ` + at(ranged+5) + `),
		turns AS (SELECT said.topic, at, time_ms, CASE WHEN user_id <> lag(user_id) OVER (PARTITION BY said.topic ORDER BY at) THEN time_ms END AS taken
			FROM said JOIN lively ON lively.topic = said.topic),
		waits AS (SELECT min(taken) OVER (PARTITION BY topic ORDER BY at DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - time_ms AS ms FROM turns),
		sorted AS (SELECT ms, row_number() OVER (ORDER BY ms) - 1 AS place, count(*) OVER () AS n FROM waits WHERE ms BETWEEN 0 AND 86400000)
		SELECT ms FROM sorted WHERE place = n / 2`
	return p
}

// GetResponseTime answers how fast people answer.
func (p *pace) GetResponseTime(ctx context.Context, q *chatv1.GetResponseTimeRequest) (*chatv1.GetResponseTimeResponse, error) {
	switch {
	case q.GetToMs() <= q.GetFromMs() || q.GetToMs()-q.GetFromMs() > paceDays*24*time.Hour.Milliseconds():
		return nil, badField("to_ms", "Ask for at most %d days.", paceDays)
	case q.GetMinPeople() < 3:
		return nil, badField("min_people", "Ask for channels in which at least 3 people write.")
	}
	k := paceKey{q.GetWorkspace(), q.GetFromMs(), q.GetToMs(), q.GetMinPeople()}
	ctx, cancel := context.WithTimeout(ctx, paceTime)
	defer cancel()
	end, err := p.turns.Take(ctx, k.workspace)
	if err != nil {
		return nil, errPaceBusy.Because(err)
	}
	defer end()
	if a, known := p.remembered(k, time.Now()); known {
		return &chatv1.GetResponseTimeResponse{MedianMs: a.medianMs}, nil
	}
	a := paceAnswer{at: time.Now()}
	if err := p.db.Read(ctx, func(tx *sql.Tx) (err error) {
		a.medianMs, err = p.median(ctx, tx, k)
		return err
	}); err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, errPaceSlow.Because(err)
	} else if err != nil {
		return nil, fmt.Errorf("chat: compute response times: %w", err)
	}
	p.remember(k, a)
	return &chatv1.GetResponseTimeResponse{MedianMs: a.medianMs}, nil
}

func (p *pace) remembered(k paceKey, now time.Time) (paceAnswer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, known := p.answers[k]
	return a, known && now.Sub(a.at) < paceAge
}

func (p *pace) remember(k paceKey, a paceAnswer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for old, was := range p.answers {
		if len(p.answers) >= paceAnswers || a.at.Sub(was.at) >= paceAge {
			delete(p.answers, old)
		}
	}
	p.answers[k] = a
}

func (p *pace) median(ctx context.Context, tx *sql.Tx, k paceKey) (int64, error) {
	list, err := p.find(ctx, tx, k)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	var rows [][]any
	for _, s := range list {
		rows = append(rows, []any{s.topic, s.from, s.to})
	}
	var medianMs int64
	args := append(p.topics.Args(rows), k.workspace, k.from, k.to, int64(paceMessages), int64(k.people))
	err = each(ctx, tx.QueryContext, p.medianReply, args, func(r *sql.Rows) error { return r.Scan(&medianMs) })
	return medianMs, err
}

// find returns where in the logs of channels a time lies, or the end of it, where there is too much.
func (p *pace) find(ctx context.Context, tx *sql.Tx, k paceKey) (list []stretch, err error) {
	err = each(ctx, tx.QueryContext, p.channels, []any{k.workspace, paceChannels}, func(r *sql.Rows) error {
		var s stretch
		err := r.Scan(&s.topic, &s.from, &s.to)
		s.from, s.to = s.from+1, s.to+1
		list = append(list, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	ends, err := p.seek(ctx, tx, k.workspace, list, k.to)
	if err != nil {
		return nil, err
	}
	for i, end := range ends {
		list[i].to = end
	}
	for from := k.from; ; from = k.to - (k.to-from)/2 {
		begins, err := p.seek(ctx, tx, k.workspace, list, from)
		if err != nil {
			return nil, err
		}
		events := int64(0)
		for i, begin := range begins {
			list[i].from = begin
			events += list[i].to - begin
		}
		if events <= paceEvents || k.to-from <= 1 {
			return list, nil
		}
	}
}

// seek returns the first offset of each of some stretches that is not before a time, by halving them: later events have later times.
func (p *pace) seek(ctx context.Context, tx *sql.Tx, workspace string, list []stretch, ms int64) ([]int64, error) {
	low, high := make([]int64, len(list)), make([]int64, len(list))
	for i, s := range list {
		low[i], high[i] = s.from, s.to
	}
	for {
		var rows [][]any
		for i, s := range list {
			if low[i] < high[i] {
				rows = append(rows, []any{int64(i), s.topic, (low[i] + high[i]) / 2})
			}
		}
		if len(rows) == 0 {
			return low, nil
		}
		err := each(ctx, tx.QueryContext, p.timeAt, append(p.marks.Args(rows), workspace), func(r *sql.Rows) error {
			var i int
			var at sql.NullInt64
			if err := r.Scan(&i, &at); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			if middle := (low[i] + high[i]) / 2; !at.Valid || at.Int64 >= ms {
				high[i] = middle
			} else {
				low[i] = middle + 1
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
}
