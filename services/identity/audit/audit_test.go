package audit_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/services/identity/audit"
)

func chain(n int) ([]audit.Entry, audit.Head) {
	var head audit.Head
	out := make([]audit.Entry, n)
	for i := range out {
		out[i] = audit.Entry{TimeMs: int64(1000 + i), Action: "role.changed", Actor: fmt.Sprint("p", i), Target: "q", Detail: fmt.Sprintf(`{"n":%d}`, i)}
		head = audit.Next(head, &out[i])
	}
	return out, head
}

func all(entries []audit.Entry) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func verify(t interface{ Fatal(...any) }, entries []audit.Entry, head, anchor audit.Head) audit.Report {
	r, err := audit.Verify(all(entries), head, anchor)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Whatever is done to an entry, or to their number and order, is found; erasing is not tampering.
func TestTamperingIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "entries")
		entries, head := chain(n)
		i := rapid.IntRange(0, n-1).Draw(t, "at")
		want := true
		switch rapid.SampledFrom([]string{"nothing", "erase", "time", "action", "actor", "target", "digest", "detail", "salt", "hash", "remove", "swap", "truncate", "rewrite"}).Draw(t, "what") {
		case "nothing":
			want = false
		case "erase":
			want = false
			entries[i].Detail, entries[i].Salt = "", nil
		case "time":
			entries[i].TimeMs++
		case "action":
			entries[i].Action += "x"
		case "actor":
			entries[i].Actor = "somebody else"
		case "target":
			entries[i].Target = "somebody else"
		case "digest":
			entries[i].Digest[3] ^= 1
		case "detail":
			entries[i].Detail = `{"n":-1}`
		case "salt":
			entries[i].Salt = nil // without emptying the detail
		case "hash":
			entries[i].Hash[0] ^= 1
		case "remove":
			entries = slices.Delete(entries, i, i+1)
		case "swap":
			j := rapid.IntRange(0, n-1).Draw(t, "with")
			want = i != j
			entries[i], entries[j] = entries[j], entries[i]
		case "truncate":
			entries = entries[:i]
		case "rewrite": // everything from i on, by somebody who knows the formula but not the recorded head
			h := audit.Head{}
			for k := range entries {
				if k >= i {
					entries[k].Actor = "somebody else"
				}
				h = audit.Next(h, &entries[k])
			}
		}
		if r := verify(t, entries, head, audit.Head{}); (r.Problem != "") != want {
			t.Fatalf("report %+v, tampered %v", r, want)
		}
	})
}

func TestAnAnchorKeptOutsideFindsAWholeRewrite(t *testing.T) {
	entries, head := chain(5)
	anchor := audit.Head{Seq: 3, Hash: slices.Clone(entries[2].Hash)}
	if r := verify(t, entries, head, anchor); r.Problem != "" || r.Entries != 5 {
		t.Fatalf("intact: %+v", r)
	}
	forged, forgedHead := chain(5) // other salts: other hashes
	if r := verify(t, forged, forgedHead, audit.Head{}); r.Problem != "" {
		t.Fatalf("a rewrite with its head can't be noticed from inside, yet: %+v", r)
	}
	if r := verify(t, forged, forgedHead, anchor); r.Broken != 3 {
		t.Errorf("against the anchor: %+v", r)
	}
	short, shortHead := chain(2)
	if r := verify(t, short, shortHead, anchor); r.Broken != 3 {
		t.Errorf("cut before the anchor: %+v", r)
	}
}
