package chat

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/topic/topictest"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// crew are people who write to each other in a few channels, from a process that may be killed.
type crew struct {
	*world
	people   []*user
	channels []string
}

const (
	crewSize     = 6
	crewChannels = 3
)

// newCrew starts chat on a database and makes the people and channels, which are the same each time.
func newCrew(t *testing.T, url string) *crew {
	c := &crew{world: &world{tb: t, identity: newDirectory(), key: newKey(t)}}
	for i := range crewSize {
		c.people = append(c.people, c.person("w1", fmt.Sprint("u", i), plain))
	}
	c.start(url, nil)
	c.settle()
	for i := range crewChannels {
		c.channels = append(c.channels, c.people[0].public(fmt.Sprint("ch", i)))
		for _, u := range c.people[1:] {
			u.join(c.channels[i])
		}
	}
	return c
}

// done is what a killed process has acknowledged: a message, or that a channel was read.
type done struct {
	Person, Channel, Seq int
	Offset               uint64
	Read                 bool
}

// text is what somebody sends as their seq-th: it names a neighbour, each third time.
func (c *crew) text(person, seq int) string {
	if seq%3 == 0 {
		return fmt.Sprintf("%d/%d @u%d", person, seq, (person+1)%crewSize)
	}
	return fmt.Sprintf("%d/%d", person, seq)
}

// work sends, and reads now and then, until it is killed; it prints what was acknowledged.
func (c *crew) work(from [crewSize]int) {
	var mu sync.Mutex // one line at a time
	tell := func(d done) {
		line, err := json.Marshal(d)
		if err != nil {
			panic(err)
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(string(line))
	}
	var wg sync.WaitGroup
	for i, u := range c.people {
		wg.Go(func() {
			u.client = "crew"
			for seq := from[i]; ; seq++ {
				ch := (i + seq) % crewChannels
				u.seq = uint64(seq)
				res, err := c.api.Send(u.again(), &chatv1.SendRequest{Channel: c.channels[ch], Text: c.text(i, seq)})
				if err != nil {
					panic(describe(err))
				}
				tell(done{Person: i, Channel: ch, Seq: seq, Offset: res.GetOffset()})
				if other := (ch + 1) % crewChannels; seq%5 == i%5 {
					r, err := c.api.MarkRead(u.read(), &chatv1.MarkReadRequest{Channel: c.channels[other], Offset: res.GetOffset() / 2})
					if err == nil && r.GetApplied() { // the offset may not be there yet
						tell(done{Person: i, Channel: other, Offset: r.GetMarker().GetOffset(), Read: true})
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestKill: chat is killed in mid-run and started again, some times. What it acknowledged is there, once and in order; what people have of
// channels agrees with a recount from the log.
func TestKill(t *testing.T) {
	if meshtest.IsChild() {
		var from [crewSize]int
		if err := json.Unmarshal([]byte(os.Getenv("CHAT_TEST_FROM")), &from); err != nil {
			t.Fatal(err)
		}
		newCrew(t, os.Getenv("CHAT_TEST_URL")).work(from)
	}
	meshtest.Databases(t, func(t *testing.T, url string) {
		var from [crewSize]int
		for i := range from {
			from[i] = 1
		}
		var all []done
		for round := range 3 {
			start, err := json.Marshal(from)
			if err != nil {
				t.Fatal(err)
			}
			child := meshtest.StartChild(t, "CHAT_TEST_URL="+url, "CHAT_TEST_FROM="+string(start))
			for n := 0; ; n++ {
				line, ok := child.Line()
				if !ok {
					break
				}
				var d done
				if json.Unmarshal([]byte(line), &d) != nil {
					continue // cut off in mid-line: not acknowledged
				}
				if all = append(all, d); !d.Read {
					from[d.Person] = max(from[d.Person], d.Seq+1)
				}
				if n == 60+40*round {
					child.Kill()
				}
			}
			if stderr, _ := child.Wait(); len(all) <= 60*(round+1) {
				t.Fatalf("round %d ended after %d acknowledgements: %s", round, len(all), stderr)
			}
		}
		c := newCrew(t, url)
		c.settle()
		c.check(t, all)
		topictest.Check(t, c.server.log)
	})
}

// check compares what was acknowledged, and what people are shown, with the log.
func (c *crew) check(t *testing.T, all []done) {
	type place struct {
		channel int
		offset  uint64
	}
	at := map[string]place{}
	posted := make([][]posting, crewChannels)
	for ch, id := range c.channels {
		last := map[string]int{}
		for _, r := range c.tail("w1", topicChannel+id, nil) {
			var e chatv1.ChannelEvent
			if err := proto.Unmarshal(r.GetEvent().GetBody(), &e); err != nil {
				t.Fatal(err)
			}
			m := e.GetPosted()
			if m == nil {
				continue
			}
			if old, twice := at[m.GetText()]; twice {
				t.Errorf("%q stands at %v and at %d:%d", m.GetText(), old, ch, r.GetEvent().GetOffset())
			}
			at[m.GetText()] = place{ch, r.GetEvent().GetOffset()}
			var person, seq int
			if _, err := fmt.Sscanf(m.GetText(), "%d/%d", &person, &seq); err != nil {
				t.Fatal(err)
			}
			if seq <= last[m.GetAuthor()] {
				t.Errorf("%q comes behind %d", m.GetText(), last[m.GetAuthor()])
			}
			last[m.GetAuthor()] = seq
			posted[ch] = append(posted[ch], posting{r.GetEvent().GetOffset(), m.GetAuthor(), m.GetMentions().GetUsers()})
		}
	}
	read := map[done]uint64{}
	for _, d := range all {
		if k := (done{Person: d.Person, Channel: d.Channel}); d.Read {
			read[k] = max(read[k], d.Offset)
		} else if got := at[c.text(d.Person, d.Seq)]; got != (place{d.Channel, d.Offset}) {
			t.Errorf("%d/%d was acknowledged at %d:%d and stands at %v", d.Person, d.Seq, d.Channel, d.Offset, got)
		}
	}
	for i, u := range c.people {
		bundle := u.bundle()
		for ch, id := range c.channels {
			mine := u.mine(id)
			marker := mine.GetMarker().GetOffset()
			want, own := recount(posted[ch], u.id, marker)
			if least := max(own, read[done{Person: i, Channel: ch}]); marker < least {
				t.Errorf("%s in %d: the marker is at %d, read is %d", u.handle, ch, marker, least)
			}
			if got := (unread{mine.GetUnread(), mine.GetMentions()}); got != want || shows(t, bundle[id]) != want {
				t.Errorf("%s in %d: %v, bundle %v, the log says %v", u.handle, ch, got, shows(t, bundle[id]), want)
			}
		}
		told, named := map[string]int{}, 0
		for _, e := range u.events() {
			if m := e.GetMention(); m != nil {
				told[fmt.Sprint(m.GetChannel(), m.GetOffset())]++
			}
		}
		for text := range at {
			if strings.HasSuffix(text, "@"+u.handle) {
				named++
			}
		}
		var rows int
		if err := c.db.QueryRow(t.Context(), `SELECT count(*) FROM chat_mention WHERE user_id = $1`, u.id).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if len(told) != named || rows != named {
			t.Errorf("%s was named %d times: %d events, %d rows", u.handle, named, len(told), rows)
		}
		for mention, n := range told {
			if n != 1 {
				t.Errorf("%s was told %d times of %s", u.handle, n, mention)
			}
		}
	}
}

type posting struct {
	offset uint64
	author string
	names  []string
}

// recount counts a person's unread messages and mentions behind a marker, and finds their newest message.
func recount(all []posting, user string, marker uint64) (n unread, own uint64) {
	for _, p := range all {
		if p.author == user {
			own = p.offset
		}
		if p.offset <= marker {
			continue
		}
		n.unread++
		for _, id := range p.names {
			if id == user {
				n.mentions++
			}
		}
	}
	return n, own
}

// TestLostCommit: the connection breaks while a send's COMMIT is under way, before or behind the server. One message, one answer.
func TestLostCommit(t *testing.T) {
	for name, forward := range map[string]bool{"before the server": false, "behind the server": true} {
		t.Run(name, func(t *testing.T) {
			direct, err := url.Parse(meshtest.Postgres(t))
			if err != nil {
				t.Fatal(err)
			}
			proxy := meshtest.StartProxy(t, direct.Host)
			direct.Host = proxy.Addr
			w := newWorld(t, direct.String())
			var people []*user
			for i := range 8 {
				people = append(people, w.person("w1", fmt.Sprint("u", i), plain))
			}
			w.settle()
			ch := people[0].public("general")
			for _, u := range people[1:] {
				u.join(ch)
			}
			w.settle() // from here on nobody commits but those who send, and who derives of it
			var mu sync.Mutex
			answers := map[string]*chatv1.SendResponse{}
			for round := range 5 {
				trap := meshtest.AtCommit(forward, 2)
				proxy.Set(trap)
				var wg sync.WaitGroup
				for _, u := range people {
					wg.Go(func() {
						req := &chatv1.SendRequest{Channel: ch, Text: fmt.Sprint(u.handle, "/", round)}
						first, err := w.api.Send(u.write(), req)
						if err != nil {
							t.Errorf("%s: %v", req.GetText(), describe(err))
							return
						}
						if again, err := w.api.Send(u.again(), req); err != nil || !proto.Equal(first, again) {
							t.Errorf("%s: the retry got %v, %v after %v", req.GetText(), again, err, first)
						}
						mu.Lock()
						defer mu.Unlock()
						answers[req.GetText()] = first
					})
				}
				wg.Wait()
				if trap.Sprung() == 0 {
					t.Fatal("no connection was cut")
				}
			}
			proxy.Set(nil)
			posted := 0
			for i, e := range w.channelEvents("w1", ch) {
				if m := e.GetPosted(); m != nil {
					posted++
					if got := answers[m.GetText()].GetOffset(); got != uint64(i+1) {
						t.Errorf("%s stands at %d and was answered %d", m.GetText(), i+1, got)
					}
				}
			}
			if posted != len(answers) || posted != 5*len(people) {
				t.Errorf("%d messages, %d answers", posted, len(answers))
			}
			w.settle()
			for _, u := range people {
				if got := u.shown(ch); got.unread >= uint64(len(people)) {
					t.Errorf("%s, who wrote in the last round, has %v unread", u.handle, got)
				}
			}
		})
	}
}

// TestOneKeyAtTwoServers: the same call at two processes at once is one message and one answer; another text under its key is refused by both.
func TestOneKeyAtTwoServers(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		other := w.replica(url)
		anna := w.person("w1", "anna", plain)
		w.settle()
		ch := anna.public("general")
		servers := []chatv1.ChatServiceClient{w.api, other.api}
		for i := range 20 {
			ctx := anna.write()
			req := &chatv1.SendRequest{Channel: ch, Text: fmt.Sprint("message ", i)}
			answers := make([]*chatv1.SendResponse, 6)
			var wg sync.WaitGroup
			for j := range answers {
				wg.Go(func() { answers[j] = must(servers[j%2].Send(ctx, req))(t) })
			}
			wg.Wait()
			for _, a := range answers {
				if !proto.Equal(a, answers[0]) {
					t.Fatalf("%v and %v", a, answers[0])
				}
			}
			for _, api := range servers {
				_, err := api.Send(ctx, &chatv1.SendRequest{Channel: ch, Text: "something else"})
				refused(t, err, "topic.KEY_REUSED")
			}
		}
		if n := len(w.channelEvents("w1", ch)); n != 21 {
			t.Fatalf("%d events", n)
		}
	})
}
