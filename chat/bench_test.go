package chat

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// BenchmarkSend sends into 64 channels by 512 callers at a time, durably, with all that chat derives of it running beside.
// "rpc" is the whole way over gRPC with tokens; "log" leaves gRPC out. cpu-us/send is what generator, chat, what it derives and the
// database's processes computed, which says more than sends/s where others compute on the machine too.
func BenchmarkSend(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		for _, way := range []string{"rpc", "log"} {
			b.Run(name+"/"+way, func(b *testing.B) { benchmarkSend(b, newWorld(b, url(b)), way == "rpc") })
		}
	}
}

func benchmarkSend(b *testing.B, w *world, overRPC bool) {
	const callers, channels = 512, 64
	var users []*user
	for i := range callers {
		users = append(users, w.person("w1", fmt.Sprint("u", i), plain))
	}
	w.settle()
	var ids []string
	for i := range channels {
		ids = append(ids, users[i].public(fmt.Sprint("ch", i)))
	}
	for i := channels; i < callers; i++ {
		users[i].join(ids[i%channels])
	}
	w.settle()
	caller, err := w.caller(users[0])
	if err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	start, used := time.Now(), meshtest.CPU(b)
	for i, u := range users {
		wg.Go(func() {
			c := caller
			c.User = u.id
			for next.Add(1) <= int64(b.N) {
				u.seq++
				req := &chatv1.SendRequest{Channel: ids[i%channels], Text: "Shall we meet at ten, or is it too early for you?"}
				var err error
				if overRPC {
					_, err = w.api.Send(u.again(), req)
				} else {
					err = w.server.log.Mutate(b.Context(), topic.Mutation{
						Workspace: "w1", Route: req.GetChannel(), Key: topic.Key{User: u.id, ClientID: u.client, Seq: u.seq}, Request: req,
						Op: &send{caller: c, req: req},
					}, &chatv1.SendResponse{})
				}
				if err != nil {
					b.Error(rpc.FromError(err))
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "sends/s")
	start = time.Now()
	w.settle()
	b.ReportMetric(time.Since(start).Seconds(), "s-behind")
	b.ReportMetric(float64((meshtest.CPU(b)-used).Microseconds())/float64(b.N), "cpu-us/send")
}
