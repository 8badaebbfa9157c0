package docs

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"plenum.internal/mesh/auth"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

var modelSeed = flag.Uint64("docs.seed", 0, "of TestRolesAgainstAModel; 0: another one each time")

// Whatever is granted, to whom, and whoever comes and goes: all ways to a document say of everybody what a model says, which has no SQL, no session
// and no memory.
func TestRolesAgainstAModel(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		seed := *modelSeed
		if seed == 0 {
			seed = rand.Uint64()
		}
		t.Logf("-docs.seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 1))
		users := w.meets(auth.KindPerson, "ada", "bob", "cyn")
		users = append(users, w.meets(auth.KindGuest, "gus")...)
		ada := users[0]
		w.group("team")
		w.channel("general", "ada")
		w.allows(true, 1)
		w.settle()
		doc := ada.create("A text\n")
		granted := map[string]docsv1.Role{}
		in := map[string]map[string]bool{"group/team": {}, "channel/general": {"ada": true}}
		trashed, allowed, version := false, true, uint64(1)
		var links []*docsv1.CreateLinkResponse
		expected := func(u *user) (best docsv1.Role) {
			if u == ada {
				return owner
			}
			if trashed {
				return none
			}
			best = granted[u.id]
			if u.id != "gus" {
				best = max(best, granted[everybody])
			}
			for c, members := range in {
				if members[u.id] && (allowed || c[:5] != aLink) {
					best = max(best, granted[c])
				}
			}
			return best
		}
		for step := range 40 {
			u, did := users[1+r.IntN(3)], ""
			switch r.IntN(9) {
			case 0, 1:
				principal := []string{"bob", "cyn", "gus", everybody, "group/team", "channel/general"}[r.IntN(6)]
				role := docsv1.Role(r.IntN(4))
				if trashed {
					continue
				}
				must(ada.api.SetRole(ada.write(), &docsv1.SetRoleRequest{Document: doc, Principal: principal, Role: role}))(t)
				granted[principal] = role
				did = fmt.Sprint(principal, " becomes ", role)
			case 2, 3:
				c := []string{"group/team", "channel/general"}[r.IntN(2)]
				come := !in[c][u.id]
				switch {
				case c == "group/team" && come:
					w.regroup("team", []string{u.id}, nil)
				case c == "group/team":
					w.regroup("team", nil, []string{u.id})
				case come:
					w.joins("general", u.id)
				default:
					w.leaves("general", u.id)
				}
				in[c][u.id] = come
				did = fmt.Sprint(u.id, " is in ", c, ": ", come)
			case 4:
				if trashed || !allowed || len(links) > 3 {
					continue
				}
				role := docsv1.Role(1 + r.IntN(3))
				l := must(ada.link(doc, role, time.Hour))(t)
				links = append(links, l)
				granted[aLink+l.GetLink()], in[aLink+l.GetLink()] = role, map[string]bool{}
				did = fmt.Sprint("a link for ", role)
			case 5, 6:
				if len(links) == 0 {
					continue
				}
				l := links[r.IntN(len(links))]
				works := !trashed && allowed && granted[aLink+l.GetLink()] > none
				if _, err := u.openLink(doc, l.GetSecret()); (err == nil) != works {
					t.Errorf("%s opens link %s: %v", u.id, l.GetLink(), err)
				}
				if works {
					in[aLink+l.GetLink()][u.id] = true
				}
				did = fmt.Sprint(u.id, " opens a link: ", works)
			case 7:
				if len(links) > 0 && !trashed && r.IntN(2) == 0 {
					l := links[r.IntN(len(links))]
					must(ada.api.SetRole(ada.write(), &docsv1.SetRoleRequest{Document: doc, Principal: aLink + l.GetLink()}))(t)
					granted[aLink+l.GetLink()] = none
					did = "a link is taken back"
					break
				}
				version++
				allowed = !allowed
				w.allows(allowed, version)
				did = fmt.Sprint("links are allowed: ", allowed)
			case 8:
				trashed = !trashed
				must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc, Trashed: trashed}))(t)
				did = fmt.Sprint("in the trash: ", trashed)
			}
			w.settle()
			for _, x := range w.server.sessions() { // what is remembered may be a second old, which is another test's
				_ = x.once(t.Context(), func() error { x.members.forget(); return nil })
			}
			if r.IntN(4) == 0 {
				w.closeNow(doc)
			}
			for _, u := range users {
				if u == ada && trashed {
					continue // an owner still may not edit it
				}
				if got, want := u.role(doc), expected(u); got != want {
					t.Fatalf("step %d, %s: %s is %v, want %v", step, did, u.id, got, want)
				}
			}
		}
	})
}
