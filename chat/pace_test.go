package chat

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// uttered is a message, or another event, of a channel.
type uttered struct {
	at      int64 // offset
	ms      int64
	user    string
	kind    kind
	deleted bool
}

// answers are the median of how long people waited for the next one's message, as a loop over all of them finds it.
func answers(channels [][]uttered, from, to int64, least int) int64 {
	var waits []int64
	for _, channel := range channels {
		users := map[string]bool{}
		channel = slices.DeleteFunc(slices.Clone(channel), func(m uttered) bool { return m.kind != kindMessage || m.deleted || m.ms < from || m.ms >= to })
		for _, m := range channel {
			users[m.user] = true
		}
		if len(users) < least {
			continue
		}
		for i, m := range channel {
			for _, next := range channel[i+1:] {
				if next.user != m.user {
					if wait := next.ms - m.ms; wait <= 24*time.Hour.Milliseconds() {
						waits = append(waits, wait)
					}
					break
				}
			}
		}
	}
	if len(waits) == 0 {
		return 0
	}
	slices.Sort(waits)
	return waits[len(waits)/2]
}

// write puts channels into the database as the log would.
func writeChannels(tb rapid.TB, w *world, workspace string, kinds []chatv1.ChannelKind, channels [][]uttered) {
	err := w.db.Write(w.tb.Context(), func(tx *sql.Tx) error {
		exec := func(text string, args ...any) {
			if _, err := tx.ExecContext(w.tb.Context(), text, args...); err != nil {
				tb.Fatalf("%v", err)
			}
		}
		for i, channel := range channels {
			id := fmt.Sprintf("%s-c%d", workspace, i)
			exec(`INSERT INTO chat_channel (workspace, id, kind, name, topic, purpose, history, posting, archived, creator, created_ms, members, people, sealed)
				VALUES ($1, $2, $3, $2, '', '', 1, 1, false, 'u', 1, 1, '', 0)`, workspace, id, int(kinds[i]))
			exec(`INSERT INTO chat_topic (workspace, topic, partition, epoch, head, count, calls, floor, redacted, position) VALUES ($1, $2, 0, 1, $3, 0, 0, 0, 0, 0)`,
				workspace, "chat.channel/"+id, len(channel))
			for _, m := range channel {
				positions++
				exec(`INSERT INTO chat_log (partition, position, workspace, topic, epoch, "offset", time_ms, mutation, count, calls, user_id, kind, parent)
					VALUES (99, $1, $2, $3, 1, $4, $5, 1, 1, 0, $6, $7, 0)`, positions, workspace, "chat.channel/"+id, m.at, m.ms, m.user, int(m.kind))
				if m.deleted {
					exec(`INSERT INTO chat_message (workspace, channel, at, edits, edited_ms, deleted, pinned, reactions) VALUES ($1, $2, $3, 0, 0, true, 0, 0)`, workspace, id, m.at)
				}
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("%v", err)
	}
}

var positions int64

// TestResponseTimes: the database's answer is that of a loop over all messages.
func TestResponseTimes(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		api := chatv1.NewPaceServiceClient(w.rpc.Pipe("presence"))
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			n++
			workspace := fmt.Sprintf("w%d", n)
			const day = int64(86_400_000)
			var channels [][]uttered
			var kinds, counted = []chatv1.ChannelKind{}, [][]uttered{}
			for range rapid.IntRange(1, 4).Draw(t, "channels") {
				var channel []uttered
				ms := rapid.Int64Range(0, day).Draw(t, "begin")
				for i := range rapid.IntRange(0, 40).Draw(t, "messages") {
					ms += rapid.SampledFrom([]int64{0, 1, 5000, 60_000, 3_600_000, day, day + 1}).Draw(t, "pause")
					channel = append(channel, uttered{
						int64(i + 1), ms, rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "author"),
						rapid.SampledFrom([]kind{kindMessage, kindMessage, kindMessage, kindReply, kindEdit}).Draw(t, "kind"), rapid.IntRange(0, 5).Draw(t, "deleted") == 0,
					})
				}
				kind := rapid.SampledFrom([]chatv1.ChannelKind{1, 2, 3, 4}).Draw(t, "kind of channel")
				if channels, kinds = append(channels, channel), append(kinds, kind); kind <= 2 {
					counted = append(counted, channel)
				}
			}
			writeChannels(t, w, workspace, kinds, channels)
			q := &chatv1.GetResponseTimeRequest{
				Workspace: workspace, FromMs: rapid.Int64Range(0, 3*day).Draw(t, "from"), ToMs: rapid.Int64Range(4*day, 30*day).Draw(t, "to"), MinPeople: uint32(rapid.IntRange(3, 4).Draw(t, "least")),
			}
			res, err := api.GetResponseTime(w.tb.Context(), q)
			if err != nil {
				t.Fatalf("%v", err)
			}
			if want := answers(counted, q.GetFromMs(), q.GetToMs(), int(q.GetMinPeople())); res.GetMedianMs() != want {
				t.Fatalf("%d ms, want %d", res.GetMedianMs(), want)
			}
		})
	})
}

// TestResponseTimesOfPeople: what people really write counts, unless it is deleted, or said among few. Nobody but presence asks, and not for anything.
func TestResponseTimesOfPeople(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		w.settle()
		shared := anna.public("shared")
		anna.add(shared, bob, carl)
		w.settle()
		var posted []int64
		for _, u := range []*user{anna, anna, bob, carl, carl, anna} {
			posted = append(posted, int64(u.send(shared, "so")))
		}
		carl.delete(shared, uint64(posted[3]))
		start := time.Now().UnixMilli()
		for i, at := range posted {
			if err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), `UPDATE chat_log SET time_ms = $1 WHERE topic = $2 AND "offset" = $3`, start+int64(i*i)*1000, "chat.channel/"+shared, at)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		api := chatv1.NewPaceServiceClient(w.rpc.Pipe("presence"))
		ask := func(people uint32, days int64) (int64, error) {
			res, err := api.GetResponseTime(t.Context(), &chatv1.GetResponseTimeRequest{Workspace: "w1", FromMs: start - 1, ToMs: start - 1 + days*86_400_000, MinPeople: people})
			return res.GetMedianMs(), err
		}
		// anna at 0 and 1 s is answered at 4 s, bob then at 16 s by what carl left, and he at 25 s.
		if got := must(ask(3, 2))(t); got != 9000 {
			t.Errorf("%d ms", got)
		}
		if got := must(ask(4, 1))(t); got != 0 {
			t.Errorf("told of three people: %d ms", got)
		}
		carl.delete(shared, uint64(posted[4]))
		if got := must(ask(3, 2))(t); got != 9000 {
			t.Errorf("an answer is computed anew within a minute: %d ms", got)
		}
		if got := must(ask(3, 1))(t); got != 0 {
			t.Errorf("told of two people: %d ms", got)
		}
		_, err := ask(2, 1)
		refused(t, err, "chat.BAD_FIELD")
		_, err = ask(3, 101)
		refused(t, err, "chat.BAD_FIELD")
		_, err = chatv1.NewPaceServiceClient(w.rpc.Pipe("gateway")).GetResponseTime(anna.read(), &chatv1.GetResponseTimeRequest{})
		refused(t, err, "rpc.NO_METHOD")
	})
}

// TestSeek: where times begin in logs is found though rows are missing.
func TestSeek(t *testing.T) {
	w := newWorld(t, meshtest.SQLite(t))
	p := newPace(w.db)
	writeChannels(t, w, "w1", []chatv1.ChannelKind{1, 1}, [][]uttered{{{at: 3, ms: 10, user: "a"}, {at: 4, ms: 10, user: "a"}, {at: 9, ms: 20, user: "a"}}, nil})
	list := []stretch{{"chat.channel/w1-c0", 1, 11}, {"chat.channel/w1-c1", 1, 1}}
	for ms, want := range map[int64]int64{0: 1, 10: 1, 11: 5, 20: 5, 21: 10} {
		if err := w.db.Read(t.Context(), func(tx *sql.Tx) error {
			got, err := p.seek(t.Context(), tx, "w1", list, ms)
			if err == nil && (got[0] != want || got[1] != 1) {
				t.Errorf("%d ms: %v, want %d", ms, got, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestResponseTimesInTime: who waits for others of their workspace, and what takes too long, are told so; other workspaces don't wait with them.
func TestResponseTimesInTime(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		p := newPace(w.db)
		ask := func(workspace string, patience time.Duration) string {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := p.GetResponseTime(ctx, &chatv1.GetResponseTimeRequest{Workspace: workspace, FromMs: 1, ToMs: 2, MinPeople: 3})
			return rpc.FromError(err).GetReason()
		}
		end, err := p.turns.Take(t.Context(), "w1")
		if err != nil {
			t.Fatal(err)
		}
		if got := ask("w1", 20*time.Millisecond); got != "chat.BUSY" {
			t.Errorf("while another one of the workspace is computed: %q", got)
		}
		if got := ask("w2", time.Minute); got != "" {
			t.Errorf("another workspace: %q", got)
		}
		end()
		p.channels = `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT CAST($1 AS text), max(x), CAST($2 AS bigint) FROM n` // without an end
		if got := ask("w1", 100*time.Millisecond); got != "chat.TOO_MUCH" {
			t.Errorf("what takes too long: %q", got)
		}
	})
}
