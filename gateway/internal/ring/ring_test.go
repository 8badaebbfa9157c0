package ring

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func record(at uint64, redacts ...uint64) *topicv1.Record {
	return &topicv1.Record{Epoch: 1, Event: &edgev1.Event{Offset: at, Body: fmt.Appendf(nil, "body %d", at)}, Redacts: redacts}
}

func offsets(records []*topicv1.Record) (out []uint64) {
	for _, r := range records {
		out = append(out, r.GetEvent().GetOffset())
	}
	return out
}

// Any loss, order and doubling of publications, mended by reads that may be old when they arrive, ends in exactly the log's
// sequence; what was redacted never shows a body; and Since answers exactly what the log has, from its floor on.
func TestAnyDeliveryEndsInTheLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []*topicv1.Record // offset i+1
		gone, floor := map[uint64]bool{}, uint64(0)
		read := func(after, upto uint64) (out []*topicv1.Record) { // as the service would answer now
			for _, rec := range log {
				if at := rec.GetEvent().GetOffset(); at > after && at <= upto {
					out = append(out, proto.CloneOf(rec))
				}
			}
			return out
		}
		lowest := ^uint64(0)
		limits := Limits{Count: rapid.IntRange(1, 12).Draw(t, "count"), Bytes: rapid.IntRange(100, 2000).Draw(t, "bytes"), Early: rapid.IntRange(1, 4).Draw(t, "early")}
		r := New(1, 0, limits, func() uint64 { return lowest })
		var seen, flying []*topicv1.Record
		type answer struct {
			after   uint64
			records []*topicv1.Record
		}
		var reads []answer
		check := func(fresh []*topicv1.Record) {
			for _, rec := range fresh {
				if at := rec.GetEvent().GetOffset(); r.Head() == uint64(len(log)) && gone[at] && len(rec.GetEvent().GetBody()) > 0 {
					t.Fatalf("the redacted body of %d came out", rec.GetEvent().GetOffset())
				}
			}
			seen = append(seen, fresh...)
		}
		settle := func() {
			if len(reads) == 0 {
				r.Settled()
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				want := offsets(read(0, r.Head()))
				if got := offsets(seen); !slices.Equal(got, want) {
					t.Fatalf("out came %v, the log is %v", got, want)
				}
				if r.Head() > 0 {
					after := rapid.Uint64Range(0, r.Head()).Draw(t, "after")
					records, upto, ok := r.Since(after, 1<<20)
					if ok != (after >= r.From()) {
						t.Fatalf("Since(%d): %v, the run begins at %d", after, ok, r.From())
					}
					if told := told(seen); r.From() < told {
						t.Fatalf("the run begins at %d, the floor is %d", r.From(), told)
					}
					if ok && (upto != r.Head() || !slices.Equal(offsets(records), offsets(read(after, r.Head())))) {
						t.Fatalf("Since(%d) = %v", after, offsets(records))
					}
				}
				if n := len(r.entries); lowest == ^uint64(0) && n > limits.Count {
					t.Fatalf("%d events are kept", n)
				}
				if len(r.early) > limits.Early {
					t.Fatalf("%d wait", len(r.early))
				}
				bytes := 0
				for _, e := range r.entries {
					bytes += size(e)
				}
				if bytes != r.Bytes() {
					t.Fatalf("counts %d bytes, has %d", r.Bytes(), bytes)
				}
			},
			"append": func(t *rapid.T) {
				at := uint64(len(log) + 1)
				rec := record(at)
				if at > 1 && rapid.Bool().Draw(t, "redacts") {
					target := rapid.Uint64Range(1, at-1).Draw(t, "which")
					rec.Redacts = []uint64{target}
					log[target-1].Event.Body = nil
					gone[target] = true
				}
				if at > 1 && rapid.IntRange(0, 4).Draw(t, "raises") == 0 {
					floor = rapid.Uint64Range(floor, at-1).Draw(t, "floor")
					rec.Floor = floor
				}
				log = append(log, rec)
				for range rapid.IntRange(0, 2).Draw(t, "copies") {
					c := proto.CloneOf(rec)
					if rapid.IntRange(0, 9).Draw(t, "large") == 0 {
						c.BodyOmitted, c.Event.Body = true, nil
					}
					flying = append(flying, c)
				}
			},
			"arrive": func(t *rapid.T) {
				if len(flying) == 0 {
					return
				}
				i := rapid.IntRange(0, len(flying)-1).Draw(t, "i")
				rec := flying[i]
				flying = slices.Delete(flying, i, i+1)
				check(r.Publish([]*topicv1.Record{rec}))
			},
			"read": func(t *rapid.T) {
				after := r.Head()
				if after < floor { // the answer is a reset, which makes another run
					return
				}
				r.Reading()
				reads = append(reads, answer{after, read(after, uint64(len(log)))})
			},
			"answer": func(t *rapid.T) {
				if len(reads) == 0 {
					return
				}
				a := reads[0]
				reads = reads[1:]
				check(r.Read(a.after, a.records))
				settle()
			},
			"backfill": func(t *rapid.T) {
				if r.From() == 0 {
					return
				}
				after := rapid.Uint64Range(0, r.From()-1).Draw(t, "after") // perhaps below a floor that was raised since it was read
				r.Prepend(after, read(after, r.Head()))
			},
			"reader": func(t *rapid.T) {
				lowest = rapid.SampledFrom([]uint64{^uint64(0), r.From(), r.Head()}).Draw(t, "lowest")
				r.Publish(nil)
			},
		})
		for _, a := range reads {
			check(r.Read(a.after, a.records))
		}
		if r.Head() < floor {
			return
		}
		check(r.Read(r.Head(), read(r.Head(), uint64(len(log)))))
		if got, want := offsets(seen), offsets(read(0, uint64(len(log)))); !slices.Equal(got, want) {
			t.Fatalf("in the end %v, the log is %v", got, want)
		}
		records, _, _ := r.Since(r.From(), 1<<20)
		for _, rec := range records {
			if at := rec.GetEvent().GetOffset(); gone[at] != (len(rec.GetEvent().GetBody()) == 0) {
				t.Fatalf("%d: redacted %v, body %q", at, gone[at], rec.GetEvent().GetBody())
			}
		}
	})
}

// told is the highest floor that records tell.
func told(records []*topicv1.Record) (floor uint64) {
	for _, rec := range records {
		floor = max(floor, rec.GetFloor())
	}
	return floor
}

// A log that was compacted has holes: a read says so, a publication can't.
func TestHolesComeFromReadsOnly(t *testing.T) {
	r := New(1, 0, Limits{Count: 10, Bytes: 1 << 20, Early: 4}, nil)
	if fresh := r.Publish([]*topicv1.Record{record(3)}); fresh != nil || !r.Behind() {
		t.Fatalf("3 continues nothing: %v", offsets(fresh))
	}
	if got := offsets(r.Read(0, []*topicv1.Record{record(2)})); !slices.Equal(got, []uint64{2, 3}) {
		t.Fatalf("the read says that 1 is absent, and 3 waited: %v", got)
	}
	if records, upto, ok := r.Since(1, 1); !ok || upto != 2 || len(records) != 1 {
		t.Errorf("one event at least: %v up to %d", offsets(records), upto)
	}
	if _, _, ok := r.Since(4, 1); ok {
		t.Error("a cursor ahead of the log is no cursor")
	}
	if fresh := r.Read(5, []*topicv1.Record{record(7)}); fresh != nil {
		t.Error("a read from beyond the run continued it")
	}
}

func TestSinceCutsByBytes(t *testing.T) {
	r := New(1, 0, Limits{Count: 10, Bytes: 1 << 20, Early: 4}, nil)
	r.Publish([]*topicv1.Record{record(1), record(2), record(3)})
	records, upto, ok := r.Since(0, 2*size(record(1)))
	if !ok || upto != 2 || !slices.Equal(offsets(records), []uint64{1, 2}) {
		t.Errorf("%v up to %d", offsets(records), upto)
	}
}
