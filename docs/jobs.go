package docs

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Jobs are what is to be done with documents at a time, without anybody asking: each process looks once a second for those that are due of
// the documents that are placed at it. They stand in SQL, so that none is forgotten; one may be done twice, or by two at a time.

// jobKind names a kind of jobs in docs_job.
type jobKind string

// job does what is due for a document, and says when it is to be done next; the zero time: not before it is asked for again. After an error it
// is done again a little later.
type job func(ctx context.Context, k docKey) (next time.Time, err error)

// lane says of which kinds jobs are, as a condition in SQL. Those of one lane are done in the order in which they are due, and wait for no others.
type lane string

// The lanes: nobody keeps access that they have lost since something else takes long, or is due of many documents.
const (
	accessLane lane = `kind IN ('access', 'container')`
	expiryLane lane = `kind = 'expiry'`
	otherLane  lane = `kind NOT IN ('access', 'container', 'expiry')`
)

const (
	jobGap     = time.Second      // between two looks for what is due
	jobPage    = 200              // of what is due is read at a time
	jobsAtOnce = 4                // are done, of a lane
	jobTime    = time.Minute      // for one
	jobPause   = 10 * time.Second // after an error
)

const askAgain = `ON CONFLICT (workspace, document, kind) DO UPDATE SET asked = docs_job.asked + 1,
	due_ms = CASE WHEN docs_job.due_ms < excluded.due_ms THEN docs_job.due_ms ELSE excluded.due_ms END`

// setJob asks for a job of a document at a time. If it is asked for already, the earlier time counts.
func setJob(ctx context.Context, tx *sql.Tx, k docKey, kind jobKind, due time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO docs_job (workspace, document, kind, due_ms, asked) VALUES ($1, $2, $3, $4, 1) `+askAgain,
		k.workspace, k.id, string(kind), due.UnixMilli())
	if err != nil {
		return fmt.Errorf("docs: ask for a job: %w", err)
	}
	return nil
}

// dueJob is a row of docs_job.
type dueJob struct {
	docKey
	kind  jobKind
	dueMs int64
	asked int64
}

// workJobs does what is due until ctx ends.
func (s *Server) workJobs(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, of := range []lane{accessLane, expiryLane, otherLane} {
		wg.Go(func() { s.workLane(ctx, of) })
	}
}

func (s *Server) workLane(ctx context.Context, of lane) {
	tick := time.NewTicker(jobGap)
	defer tick.Stop()
	for {
		if err := s.doJobs(ctx, of, time.Now()); err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "could not look for what is due; tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// doJobs does what is due of a lane at a time, of the documents that are placed here.
func (s *Server) doJobs(ctx context.Context, of lane, now time.Time) error {
	g := &errgroup.Group{}
	g.SetLimit(jobsAtOnce)
	defer g.Wait() //nolint:errcheck // none returns one
	for behind := (dueJob{dueMs: -1}); ctx.Err() == nil; {
		list, err := s.dueJobs(ctx, of, now, behind)
		if err != nil {
			return err
		}
		for _, j := range list {
			if s.peers.Place(j.route()) == s.peers.Self() {
				g.Go(func() error { s.doJob(ctx, j); return nil })
			}
		}
		if len(list) < jobPage {
			break
		}
		behind = list[len(list)-1]
	}
	return nil
}

// dueJobs reads a page of what is due, behind a row.
func (s *Server) dueJobs(ctx context.Context, of lane, now time.Time, behind dueJob) (list []dueJob, err error) {
	err = each(ctx, s.db.Query, `SELECT workspace, document, kind, due_ms, asked FROM docs_job
		WHERE due_ms <= $1 AND (due_ms, workspace, document, kind) > ($2, $3, $4, $5) AND `+string(of)+` ORDER BY due_ms, workspace, document, kind LIMIT $6`,
		[]any{now.UnixMilli(), behind.dueMs, behind.workspace, behind.id, string(behind.kind), jobPage}, func(r *sql.Rows) error {
			var j dueJob
			err := r.Scan(&j.workspace, &j.id, &j.kind, &j.dueMs, &j.asked)
			list = append(list, j)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("docs: read what is due: %w", err)
	}
	return list, nil
}

// doJob does one job, and writes down that it was done, unless it was asked for meanwhile.
func (s *Server) doJob(ctx context.Context, j dueJob) {
	warn := func(err error) {
		if ctx.Err() == nil {
			s.logger.WarnContext(ctx, "a job failed; tried again", "job", j.kind, "workspace", j.workspace, "document", j.id, "error", err)
		}
	}
	do := s.jobs[j.kind]
	if do == nil { // of a newer version of this service, beside this one
		return
	}
	ctx, cancel := context.WithTimeout(ctx, jobTime)
	defer cancel()
	var next time.Time
	err := s.guarded(j.docKey, func() (err error) { next, err = do(ctx, j.docKey); return err })
	if err != nil {
		warn(err)
		next = time.Now().Add(jobPause)
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) (err error) {
		if next.IsZero() {
			_, err = tx.ExecContext(ctx, `DELETE FROM docs_job WHERE workspace = $1 AND document = $2 AND kind = $3 AND asked = $4`,
				j.workspace, j.id, string(j.kind), j.asked)
		} else {
			_, err = tx.ExecContext(ctx, `UPDATE docs_job SET due_ms = $5 WHERE workspace = $1 AND document = $2 AND kind = $3 AND asked = $4`,
				j.workspace, j.id, string(j.kind), j.asked, next.UnixMilli())
		}
		return err //nolint:wrapcheck // warn says what failed
	})
	if err != nil {
		warn(err)
	}
}
