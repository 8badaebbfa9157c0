package presence

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// full is a hub to which a gateway tells of so many people, each with one session.
func full(people int) (h *hub, g *gateway, now time.Time) {
	now = time.Unix(1_000_000, 0)
	h = newHub(DefaultConfig(), "presence-1")
	place := placeOf("presence-1")
	h.setPlacement(now, place, []string{"a"}, true)
	g = h.openStream("a", now)
	for from := 0; from < people; from += 1000 {
		h.report(g, opened(from, min(people, from+1000)), now)
	}
	h.report(g, &rosterv1.ReportRequest{Complete: place.Number()}, now)
	answer(h, now)
	return h, g, now
}

func opened(from, to int) *rosterv1.ReportRequest {
	q := &rosterv1.ReportRequest{}
	for i := from; i < to; i++ {
		q.Opened = append(q.Opened, &rosterv1.Connection{
			Number: uint64(i + 1), Workspace: "w", User: fmt.Sprint("user-", i), Session: fmt.Sprintf("3q2-7wEjRWeJq83v%06d", i),
			Agent: "plenum-web/1.4.2 Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		})
	}
	return q
}

func answer(h *hub, now time.Time) {
	for list := h.nextLoads(choiceBatch); len(list) > 0; list = h.nextLoads(choiceBatch) {
		chosen := make(map[personKey]choice, len(list))
		for _, k := range list {
			chosen[k] = choice{}
		}
		h.load(chosen, now)
	}
}

// BenchmarkAgain is what it takes to look at everybody anew, as when a process comes or goes: by itself, and where there are three.
func BenchmarkAgain(b *testing.B) {
	const people = 100_000
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			h, _, now := full(people)
			var all []registry.Node
			for i := range nodes {
				all = append(all, registry.Node{ID: fmt.Sprint("presence-", i+1)})
			}
			h.setPlacement(now, registry.NewPlacement(all), []string{"a"}, true)
			for b.Loop() {
				h.mu.Lock()
				h.decideAll(now)
				h.mu.Unlock()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/people, "ns/person")
		})
	}
}

// BenchmarkSessions is what a session takes of a home's memory.
func BenchmarkSessions(b *testing.B) {
	const sessions = 30_000
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := memory()
		h, _, _ := full(sessions)
		b.ReportMetric(float64(memory()-before)/sessions, "B/session")
		runtime.KeepAlive(h)
	}
}

// BenchmarkDoing is what a session more takes whose person has what they do inferred and told, and an entry of what they have been doing; and what it
// costs to look at them each minute.
func BenchmarkDoing(b *testing.B) {
	const people = 30_000
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		b.StopTimer()
		h, g, now := full(people)
		chosen := map[personKey]choice{}
		for k := range h.people {
			chosen[k] = choice{privacy: privacy{inferActivity: true}}
		}
		h.choose(chosen, now)
		clear(chosen)
		before := memory()
		var took time.Duration
		for range 8 {
			for from := 0; from < people; from += 1000 {
				q := &rosterv1.ReportRequest{}
				for i := from; i < from+1000; i++ {
					q.Deeds = append(q.Deeds, &rosterv1.Deed{Number: uint64(i + 1), Kinds: []edgev1.Doing{edgev1.Doing_DOING_WRITE}})
				}
				b.StartTimer()
				began := time.Now()
				h.report(g, q, now)
				took += time.Since(began)
				b.StopTimer()
			}
			now = now.Add(time.Minute)
			h.report(g, &rosterv1.ReportRequest{}, now)
			b.StartTimer()
			began := time.Now()
			h.tick(now)
			took += time.Since(began)
			b.StopTimer()
		}
		if len(h.past.of) != people {
			b.Fatalf("%d people are told as doing something", len(h.past.of))
		}
		b.ReportMetric(float64(memory()-before)/people, "B/person")
		b.ReportMetric(float64(took.Nanoseconds())/8/people, "ns/minute")
		runtime.KeepAlive(h)
		b.StartTimer()
	}
}

// BenchmarkComing is what a home does for one person who signs in, whose choice is read, and of whom their gateway is told.
func BenchmarkComing(b *testing.B) {
	const people = 12_000
	q := opened(0, people)
	for b.Loop() {
		b.StopTimer()
		h, g, now := full(0)
		b.StartTimer()
		for from := 0; from < people; from += 1000 {
			h.report(g, &rosterv1.ReportRequest{Opened: q.GetOpened()[from : from+1000]}, now)
			answer(h, now)
			for h.answers(g) != nil { // of whom it is told that they may be seen
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/people, "ns/person")
}

// BenchmarkChange is what a change of one person costs whom a hundred look at, with the taking of it.
func BenchmarkChange(b *testing.B) {
	h, g, now := full(1000)
	var all []*watcher
	for range 100 {
		w := newWatcher(0)
		var people []personKey
		for i := range 50 {
			people = append(people, personKey{"w", fmt.Sprint("user-", i)})
		}
		h.watch(w, people)
		h.takeNews(w)
		all = append(all, w)
	}
	taken := 0
	for i := 0; b.Loop(); i++ {
		state := presencev1.State_STATE_BUSY
		if i/50%2 == 0 {
			state = presencev1.State_STATE_AWAY
		}
		h.choose(map[personKey]choice{{"w", fmt.Sprint("user-", i%50)}: {state: state}}, now)
		for _, w := range all {
			list, _ := h.takeNews(w)
			taken += len(list)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(1, taken)), "ns/delivery")
	_ = g
}

// BenchmarkVisible is whom somebody may see of fifty who share one of their fifty channels at best.
func BenchmarkVisible(b *testing.B) {
	m := newMemberships()
	var others []string
	for i := range 1000 {
		user := fmt.Sprint("user-", i)
		for room := range 50 {
			m.join(channelKey{"w", fmt.Sprint("room-", (i*7+room*13)%2000)}, user)
		}
		if i < 50 {
			others = append(others, user)
		}
	}
	for b.Loop() {
		m.visible(personKey{"w", "user-500"}, others)
	}
}

// BenchmarkRoom is a channel of 10,000 that a hundred look at, 50 members each, for a second in which so many members change: what a second costs
// the process, a change of it, and what one who looks is told, encoded.
func BenchmarkRoom(b *testing.B) {
	for _, changes := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(changes), func(b *testing.B) {
			s, all := crowded(10_000)
			var views []*mirrored
			for i := range 100 {
				v := s.open(all[i], &presencev1.Window{Offset: uint32(i) * 50, Limit: 50, Looking: i%2 == 0})
				views = append(views, v)
			}
			s.pass()
			updates, entries, size := 0, 0, 0
			var taking, telling time.Duration
			next := 0
			for b.Loop() {
				for range changes { // every other one goes, or comes back
					next++
					state := presencev1.State_STATE_AWAY
					if next/len(all)%2 == 1 {
						state = presencev1.State_STATE_BUSY
					}
					s.choose(all[next*7%len(all)], state)
				}
				begin := time.Now()
				s.now = s.now.Add(s.cfg.Interval)
				s.updateRooms(s.now)
				taken := time.Now()
				for _, v := range views {
					u := v.update(v.room.frame.Load())
					if u == nil {
						continue
					}
					err := topic.SendView(u, func(res *topicv1.TailResponse) error {
						data, err := proto.Marshal(res)
						size += len(data)
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
					updates, entries = updates+1, entries+len(u.GetEntries())
				}
				taking, telling = taking+taken.Sub(begin), telling+time.Since(taken)
			}
			b.ReportMetric(float64(taking.Microseconds())/float64(b.N), "us/frame")
			b.ReportMetric(float64(taking.Nanoseconds())/float64(b.N*changes), "ns/change")
			b.ReportMetric(float64(telling.Nanoseconds())/float64(max(1, updates)), "ns/update")
			b.ReportMetric(float64(entries)/float64(max(1, updates)), "entries/update")
			b.ReportMetric(float64(size)/float64(max(1, updates)), "B/update")
		})
	}
}

// crowded is a process with a channel of so many members who are here.
func crowded(members int) (s *stage, all []string) {
	s = newStage()
	for i := range members {
		all = append(all, fmt.Sprint("user-", i))
	}
	for from := 0; from < members; from += 1000 {
		s.hub.report(s.gate, opened(from, min(members, from+1000)), s.now)
	}
	answer(s.hub, s.now)
	s.move(all, nil)
	return s, all
}

// BenchmarkFirstFrame is what the first one who looks at a channel of 10,000 costs, in time and memory, for each member.
func BenchmarkFirstFrame(b *testing.B) {
	s, all := crowded(10_000)
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		b.StopTimer()
		before := memory()
		b.StartTimer()
		v := s.open(all[0], &presencev1.Window{Limit: 50})
		s.pass()
		b.StopTimer()
		b.ReportMetric(float64(memory()-before)/float64(len(all)), "B/member")
		s.rooms.leave(v.room, v.window, s.now)
		s.now = s.now.Add(roomLinger)
		s.pass()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/member")
}

// BenchmarkAnalytics is what analytics of 92 days cost of a million records of 5,000 people, with the median of the runs: go test -bench Analytics -benchtime 5x.
func BenchmarkAnalytics(b *testing.B) {
	for engine, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			const records, people, days = 1_000_000, 5000, 92
			p := newCluster(b, url(b)).start("presence-1", "presence-1~1", func(cfg *Config) { cfg.Retention = forAges })
			p.switched(b, "w", "Europe/Berlin")
			to := time.Now().Truncate(time.Hour)
			p.server.clock = func() time.Time { return to.AddDate(0, 0, 3) }
			from := to.Add(-days * 24 * time.Hour)
			random := rand.New(rand.NewPCG(1, 2))
			for done := 0; done < records; done += 10_000 {
				var rows [][]any
				for i := range 10_000 {
					start := from.Add(days * 24 * time.Hour / records * time.Duration(done+i)) // they are written down about in this order
					person := random.IntN(people)
					r := record{
						personKey: personKey{"w", fmt.Sprintf("user-%022d", person)}, session: fmt.Sprintf("3q2-7wEjRWeJq83v%06d", done+i),
						device: presencev1.Device(1 + (person+random.IntN(2))%4), country: "DE", start: start, end: start.Add(time.Duration(random.Int64N(int64(8 * time.Hour)))),
					}
					r.spent[presencev1.State_STATE_ONLINE] = r.end.Sub(r.start) / 2
					r.minutes[1+random.IntN(4)].count = random.Int64N(60)
					rows = append(rows, r.row())
				}
				err := p.server.db.Write(b.Context(), func(tx *sql.Tx) error {
					_, err := tx.ExecContext(b.Context(), p.server.keeping.insert, p.server.keeping.rows.Args(rows)...)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				ctx, cancel := context.WithTimeout(p.in("w", "boss", readAnalytics), 30*time.Second) // the method's
				res, err := p.api().GetAnalytics(ctx, &presencev1.GetAnalyticsRequest{FromMs: from.UnixMilli(), ToMs: to.UnixMilli()})
				if err != nil || res.GetPeople() != people || len(res.GetHours()) != 7*24 {
					b.Fatal(res.GetPeople(), len(res.GetHours()), err)
				}
				cancel()
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds(), "s/median")
		})
	}
}

// BenchmarkViews is what it costs to begin a view of fifty others and to tell it what it begins with, 2,000 over one stream, and what it then holds. The
// processor time is the process's and that of the stream's other end.
func BenchmarkViews(b *testing.B) {
	const people, shown, batch = 2000, 50, 128
	c := newCluster(b, meshtest.SQLite(b))
	tokens := make([]string, people)
	for room := range people / 100 {
		var members []string
		for i := range 100 {
			members = append(members, fmt.Sprint("user-", room*100+i))
		}
		c.chat.move(fmt.Sprint("room-", room), members, nil)
	}
	p := c.start("presence-1", "presence-1~1")
	t := p.report()
	for from := 0; from < people; from += 1000 {
		t.tell(opened(from, from+1000))
	}
	t.complete(p)
	var views []*topicv1.TailBegin
	for i := range people {
		md, _ := metadata.FromOutgoingContext(c.ctx(fmt.Sprint("user-", i)))
		tokens[i] = md["authorization"][0][len("Bearer "):]
		q := &presencev1.People{}
		for n := range shown {
			q.Users = append(q.Users, fmt.Sprint("user-", i/100*100+(i+1+n)%100))
		}
		views = append(views, &topicv1.TailBegin{Id: uint64(i + 1), Token: tokens[i], Tail: &topicv1.TailRequest{Topic: topicPeople, Params: marshalParams(b, q)}})
	}
	client := topicv1.NewTopicServiceClient(p.rpc.Pipe("gateway"))
	held := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		before := held()
		b.StartTimer()
		begin := used()
		ctx, cancel := context.WithCancel(b.Context())
		stream, err := client.TailEach(ctx)
		if err != nil {
			b.Fatal(err)
		}
		for from := 0; from < people; from += batch {
			if err := stream.Send(&topicv1.TailEachRequest{Begins: views[from:min(people, from+batch)]}); err != nil {
				b.Fatal(err)
			}
		}
		for told := 0; told < people; {
			res, err := stream.Recv()
			if err != nil {
				b.Fatal(err)
			}
			for _, part := range res.GetParts() {
				if v := part.GetResponse().GetView(); len(v.GetEntries()) < shown {
					b.Fatal(part)
				}
				told++
			}
		}
		cpu += used() - begin
		b.StopTimer()
		b.ReportMetric(float64(held()-before)/people, "B/view")
		cancel()
		for _, err := stream.Recv(); err == nil; _, err = stream.Recv() {
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N)/people, "cpu-ns/view")
}
