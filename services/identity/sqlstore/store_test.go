package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/audit"
	"plenum.internal/services/identity/guess"
	"plenum.internal/services/identity/sqlstore"
)

func open(t *testing.T, url string) (*sqlstore.Store, *sqldb.DB) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	files, err := sqlstore.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	return sqlstore.New(db), db
}

func write(t *testing.T, s *sqlstore.Store, fn func(ctx context.Context, tx sqlstore.Tx) error) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx sqlstore.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func person(workspace, handle string) sqlstore.Person {
	return sqlstore.Person{ID: sqlstore.NewID(), Workspace: workspace, Handle: handle, DisplayName: handle, Role: identityv1.Role_ROLE_MEMBER, Version: 1, CreatedMs: 1, Pseudonym: sqlstore.NewID()}
}

func TestPeople(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		s, _ := open(t, url)
		ctx, r := t.Context(), s.Reads()
		w := sqlstore.Workspace{ID: "w1", Slug: "acme", Name: "Acme", Version: 1, CreatedMs: 7}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			if ok, err := tx.AddWorkspace(ctx, w); !ok || err != nil {
				t.Errorf("added %v, %v", ok, err)
			}
			if ok, err := tx.AddWorkspace(ctx, sqlstore.Workspace{ID: "w2", Slug: "acme"}); ok || err != nil {
				t.Errorf("the slug twice: %v, %v", ok, err)
			}
			return nil
		})
		if got := must(r.WorkspaceBySlug(ctx, "acme"))(t); got != w {
			t.Errorf("%+v, want %+v", got, w)
		}
		w.Name, w.Version, w.WorkspaceSettings = "Acme & Co", 2, sqlstore.WorkspaceSettings{DocumentLinks: true, CollaborationScore: true, PresenceRecords: true, TimeZone: "Europe/Berlin"}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error { return tx.UpdateWorkspace(ctx, w) })
		if got := must(r.Workspace(ctx, "w1"))(t); got != w {
			t.Errorf("%+v, want %+v", got, w)
		}
		if _, err := r.Workspace(ctx, "w2"); !errors.Is(err, sqlstore.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
		ada := person("w1", "ada")
		ada.Role = identityv1.Role_ROLE_OWNER
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(tx.MoveHandle(ctx, "w1", ada.ID, "", "ada"), tx.AddPerson(ctx, ada))
		})
		for _, h := range []string{"bob", "cy", "dee"} {
			p := person("w1", h)
			write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
				return errors.Join(tx.MoveHandle(ctx, "w1", p.ID, "", h), tx.AddPerson(ctx, p))
			})
		}
		other := person("w9", "ada") // the same handle, elsewhere
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(tx.MoveHandle(ctx, "w9", other.ID, "", "ada"), tx.AddPerson(ctx, other))
		})
		if got := must(r.PersonByHandle(ctx, "w1", "ada"))(t); got != ada {
			t.Errorf("%+v, want %+v", got, ada)
		}
		if _, err := r.Person(ctx, "w9", ada.ID); !errors.Is(err, sqlstore.ErrNotFound) {
			t.Errorf("read across workspaces: %v", err)
		}
		if got := must(r.PeopleByID(ctx, "w1", []string{ada.ID, other.ID, "nobody"}))(t); len(got) != 1 || got[0].ID != ada.ID {
			t.Errorf("by id: %+v", got)
		}
		var names []string
		for after := ""; ; {
			page := must(r.People(ctx, "w1", after, 3, false))(t)
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				names, after = append(names, p.Handle), p.Handle
			}
		}
		if !slices.Equal(names, []string{"ada", "bob", "cy", "dee"}) {
			t.Errorf("pages: %v", names)
		}
		if n := must(r.OtherOwners(ctx, "w1", ada.ID))(t); n != 0 {
			t.Errorf("%d other owners", n)
		}
		ada.Handle, ada.Password, ada.TokensAfterMs, ada.DeactivatedMs = "lovelace", "$argon2id$", 5, 6
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(tx.MoveHandle(ctx, "w1", ada.ID, "ada", "lovelace"), tx.UpdatePerson(ctx, ada))
		})
		if got := must(r.Account(ctx, ada.ID))(t); got != ada {
			t.Errorf("%+v, want %+v", got, ada)
		}
		if must(r.HandleTaken(ctx, "w1", "ada"))(t) || !must(r.HandleTaken(ctx, "w1", "lovelace"))(t) || !must(r.HandleTaken(ctx, "w9", "ada"))(t) {
			t.Error("handles were not moved")
		}
		if got := must(r.Pseudonyms(ctx, "w1", []string{ada.Pseudonym, other.Pseudonym, ""}))(t); len(got) != 1 || got[ada.Pseudonym] != ada.ID {
			t.Errorf("pseudonyms: %v", got)
		}
	})
}

func TestGroups(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		s, _ := open(t, url)
		ctx, r := t.Context(), s.Reads()
		g := sqlstore.Group{ID: "g1", Workspace: "w1", Handle: "crew", Name: "Crew", Version: 1}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(tx.AddGroup(ctx, g), tx.AddMember(ctx, "w1", "g1", "b"), tx.AddMember(ctx, "w1", "g1", "a"), tx.AddMember(ctx, "w1", "g1", "a"))
		})
		if got := must(r.Members(ctx, "w1", "g1"))(t); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("members %v", got)
		}
		if got := must(r.GroupsOf(ctx, "w1", "a"))(t); len(got) != 1 || got[0] != g {
			t.Errorf("groups of a: %v", got)
		}
		if got := must(r.GroupsOf(ctx, "w2", "a"))(t); len(got) != 0 {
			t.Errorf("groups of a elsewhere: %v", got)
		}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error { return tx.DeleteGroup(ctx, "w2", "g1") })
		if n := must(r.CountGroups(ctx, "w1"))(t); n != 1 {
			t.Error("deleted from another workspace")
		}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error { return tx.DeleteGroup(ctx, "w1", "g1") })
		if got := must(r.Members(ctx, "w1", "g1"))(t); len(got) != 0 {
			t.Errorf("members of a deleted group: %v", got)
		}
	})
}

func TestOneRefreshOfAGeneration(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		s, _ := open(t, url)
		d := sqlstore.Device{ID: "d1", Workspace: "w1", Person: "p1", ClientHash: "c", Family: "f", Generation: 1, CreatedMs: 1, SeenMs: 1}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error { return tx.PutDevice(ctx, d) })
		var (
			wg  sync.WaitGroup
			won atomic.Int32
		)
		for range 8 {
			wg.Go(func() {
				ok := false
				err := s.Write(t.Context(), func(tx sqlstore.Tx) (err error) {
					ok, err = tx.RotateDevice(t.Context(), "d1", "f", 1, 5)
					return err
				})
				if err != nil {
					t.Error(err)
				}
				if ok {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d refreshes of one generation", won.Load())
		}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			for _, wrong := range [][2]string{{"w2", "p1"}, {"w1", "p2"}} {
				if live, err := tx.RevokeDevice(ctx, wrong[0], wrong[1], "d1", 9, true); live || err != nil {
					t.Errorf("revoked as %v: %v, %v", wrong, live, err)
				}
			}
			if live, err := tx.RevokeDevice(ctx, "w1", "p1", "d1", 9, false); !live || err != nil {
				t.Errorf("revoke: %v, %v", live, err)
			}
			if ok, err := tx.RotateDevice(ctx, "d1", "f", 2, 10); ok || err != nil {
				t.Errorf("a revoked device refreshed: %v, %v", ok, err)
			}
			return nil
		})
		got := must(s.Reads().Device(t.Context(), "d1"))(t)
		if want := (sqlstore.Device{ID: "d1", Workspace: "w1", Person: "p1", ClientHash: "c", Family: "f", Generation: 2, CreatedMs: 1, SeenMs: 5, RotatedMs: 5, RevokedMs: 9}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestLinks(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		s, _ := open(t, url)
		ctx, r := t.Context(), s.Reads()
		for i := range 5 {
			write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
				return tx.AddLink(ctx, sqlstore.Link{ID: fmt.Sprint("l", i), SecretHash: fmt.Sprint("h", i), Workspace: "w1", Role: 3, CreatedMs: int64(i / 2)})
			})
		}
		var seen []string
		at, id := int64(100), ""
		for {
			page := must(r.Links(ctx, "w1", at, id, 2))(t)
			if len(page) == 0 {
				break
			}
			for _, l := range page {
				seen, at, id = append(seen, l.ID), l.CreatedMs, l.ID
			}
		}
		if !slices.Equal(seen, []string{"l4", "l3", "l2", "l1", "l0"}) {
			t.Errorf("pages: %v", seen)
		}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			if _, err := tx.LockLink(ctx, "l0"); err != nil {
				return err
			}
			if err := tx.UseLink(ctx, "l0", "p1", 9); err != nil {
				return err
			}
			for workspace, id := range map[string]string{"w1": "l0", "w2": "l1"} {
				if ok, err := tx.RevokeLink(ctx, workspace, id, 9); ok || err != nil {
					t.Errorf("revoked %s in %s: %v, %v", id, workspace, ok, err)
				}
			}
			return nil
		})
		if l := must(r.LinkBySecret(ctx, "h0"))(t); l.UsedBy != "p1" || l.UsedMs != 9 || l.RevokedMs != 0 {
			t.Errorf("%+v", l)
		}
		arm := func(hash string) (ok bool) {
			write(t, s, func(ctx context.Context, tx sqlstore.Tx) (err error) {
				ok, err = tx.ArmFirstRun(ctx, hash, 1)
				return err
			})
			return ok
		}
		if !arm("first") || !arm("second") {
			t.Error("the first run could not be armed twice")
		}
		if _, err := r.LinkBySecret(ctx, "first"); !errors.Is(err, sqlstore.ErrNotFound) {
			t.Error("the secret of an earlier start still works")
		}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			_, err := tx.AddWorkspace(ctx, sqlstore.Workspace{ID: "w1", Slug: "acme"})
			return err
		})
		if arm("third") {
			t.Error("armed though there is a workspace")
		}
	})
}

func TestResets(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		s, _ := open(t, url)
		ctx, r := t.Context(), s.Reads()
		old := sqlstore.Reset{Person: "p1", Workspace: "w1", SecretHash: "h1", CreatedBy: "p0", ExpiresMs: 10}
		other := sqlstore.Reset{Person: "p2", Workspace: "w1", SecretHash: "h2", CreatedBy: "p0", ExpiresMs: 20}
		anew := old
		anew.SecretHash, anew.ExpiresMs = "h3", 30
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(tx.PutReset(ctx, old), tx.PutReset(ctx, other), tx.PutReset(ctx, anew), tx.UseReset(ctx, "w2", "p1", "c"))
		})
		if _, err := r.ResetBySecret(ctx, "h1"); !errors.Is(err, sqlstore.ErrNotFound) {
			t.Errorf("what was replaced: %v", err)
		}
		if got := must(r.ResetBySecret(ctx, "h3"))(t); got != anew {
			t.Errorf("got %+v", got)
		}
		if _, err := r.ResetOf(ctx, "w2", "p1"); !errors.Is(err, sqlstore.ErrNotFound) {
			t.Errorf("in another workspace: %v", err)
		}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(tx.UseReset(ctx, "w1", "p1", "c"), tx.DropReset(ctx, "w2", "p1"), tx.PruneResets(ctx, 20))
		})
		if got := must(r.ResetOf(ctx, "w1", "p1"))(t); got.UsedBy != "c" {
			t.Errorf("used: %+v", got)
		}
		if _, err := r.ResetOf(ctx, "w1", "p2"); !errors.Is(err, sqlstore.ErrNotFound) {
			t.Errorf("what has expired: %v", err)
		}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error { return tx.DropReset(ctx, "w1", "p1") })
		if _, err := r.ResetOf(ctx, "w1", "p1"); !errors.Is(err, sqlstore.ErrNotFound) {
			t.Errorf("what was dropped: %v", err)
		}
	})
}

func TestGuessesMatchTheLimit(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		s, _ := open(t, url)
		limit := guess.Limit{Burst: 3, Interval: time.Minute}
		now := time.UnixMilli(1_700_000_000_000)
		take := func(at time.Time) (ok bool, retry time.Duration) {
			write(t, s, func(ctx context.Context, tx sqlstore.Tx) (err error) {
				ok, retry, err = tx.TakeGuess(ctx, "a", limit, at)
				return err
			})
			return ok, retry
		}
		tat := time.Time{}
		for i, step := range []time.Duration{0, 0, time.Second, 0, 30 * time.Second, 29 * time.Second, time.Second, 0, 10 * time.Minute, 0} {
			now = now.Add(step)
			next, wantOK, wantRetry := limit.Take(tat, now)
			tat = next
			if ok, retry := take(now); ok != wantOK || retry != wantRetry {
				t.Fatalf("attempt %d: %v after %v, package guess says %v after %v", i, ok, retry, wantOK, wantRetry)
			}
		}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(tx.ReturnGuess(ctx, "a", limit), tx.ReturnGuess(ctx, "a", limit), tx.PruneGuesses(ctx, now.UnixMilli()+1))
		})
		for range 3 {
			if ok, _ := take(now); !ok {
				t.Fatal("what was given back is still counted")
			}
		}
		if ok, _ := take(now); ok {
			t.Fatal("a fourth")
		}
	})
}

// Numbers of the log of revocations and of an audit chain have no holes and appear in order, however many write at once.
func TestConcurrentChains(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		s, _ := open(t, url)
		const n = 40
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				err := s.Write(t.Context(), func(tx sqlstore.Tx) error {
					if err := tx.Revoke(t.Context(), sqlstore.Revocation{TimeMs: int64(i), Workspace: "w", Person: "p", IssuedBeforeMs: 1}); err != nil {
						return err
					}
					return tx.Audit(t.Context(), "", []audit.Entry{{TimeMs: int64(i), Action: "a", Detail: "{}"}, {TimeMs: int64(i), Action: "b"}})
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		seen := int64(0)
		for seen < n && !t.Failed() { // a follower that polls meanwhile
			last := must(s.Reads().LastRevocation(t.Context()))(t)
			for _, r := range must(s.Reads().Revocations(t.Context(), seen, 500))(t) {
				if r.Seq != seen+1 {
					t.Errorf("%d after %d", r.Seq, seen)
				}
				seen = r.Seq
			}
			if seen < last {
				t.Errorf("the counter said %d, yet %d was the last to be seen", last, seen)
			}
		}
		wg.Wait()
		head := must(s.Reads().AuditHead(t.Context(), ""))(t)
		report := must(audit.Verify(s.Reads().AuditUpTo(t.Context(), "", head.Seq), head, audit.Head{}))(t)
		if report.Problem != "" || report.Entries != 2*n {
			t.Errorf("%+v", report)
		}
	})
}

func TestKeys(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		s, _ := open(t, url)
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(
				tx.AddKey(ctx, sqlstore.Key{ID: "k2", Public: []byte{0, 1}, Sealed: []byte{2}, StartsMs: 20, EndsMs: 30, NotAfterMs: 35}),
				tx.AddKey(ctx, sqlstore.Key{ID: "k1", Public: []byte{3}, Sealed: []byte{4}, StartsMs: 10, EndsMs: 20, NotAfterMs: 25}),
			)
		})
		ids := func(at int64) (out []string) {
			for _, k := range must(s.Reads().Keys(t.Context(), at))(t) {
				out = append(out, k.ID)
			}
			return out
		}
		if got := ids(15); !slices.Equal(got, []string{"k1", "k2"}) {
			t.Errorf("at 15: %v", got)
		}
		if got := ids(25); !slices.Equal(got, []string{"k2"}) {
			t.Errorf("at 25: %v", got)
		}
		write(t, s, func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(tx.EndKeys(ctx, 15, 18), tx.PruneKeys(ctx, 18))
		})
		if got := ids(0); len(got) != 0 {
			t.Errorf("after the end: %v", got)
		}
	})
}
