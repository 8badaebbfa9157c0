package docs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func TestEdits(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("hello\n")
		ada.share(doc, "bob", editor)
		// Two at the same place, from the same base: the first one committed stands first.
		one := must(ada.submit(doc, 2, at(5, " one")))(t)
		two := must(bob.submit(doc, 2, at(5, " two")))(t)
		if one.GetVersion() != 3 || two.GetVersion() != 4 || one.GetEpoch() == 0 || two.GetEpoch() != one.GetEpoch() {
			t.Errorf("versions: %v, %v", one, two)
		}
		if got := bob.text(doc); got != "hello one two\n" {
			t.Errorf("%q", got)
		}
		// A retry has the first answer, and is done once; with another request it is a fault.
		again, err := bob.api.Submit(bob.again(), &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: at(5, " two")})
		if must(again, err)(t).GetVersion() != 4 || bob.text(doc) != "hello one two\n" {
			t.Errorf("a retry: %v", again)
		}
		_, err = bob.api.Submit(bob.again(), &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: at(5, " three")})
		refused(t, "another request with the key", err, edgev1.Code_CODE_CONFLICT, "topic.KEY_REUSED")
		if d, _ := ada.content(doc, 3); d.Len() != len("hello one\n") {
			t.Errorf("an earlier version has %d", d.Len())
		}
	})
}

func TestRefusedEdits(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada, eve := w.person("ada"), w.person("eve")
	viewing, guest := w.person("viv"), w.somebody("w", "gus", auth.KindGuest)
	doc := ada.create("a😀b\n")
	ada.share(doc, "viv", viewer)
	ada.share(doc, everybody, docsv1.Role_ROLE_UNSPECIFIED)
	for name, c := range map[string]struct {
		who    *user
		base   uint64
		delta  string
		code   edgev1.Code
		reason string
	}{
		"not let in":       {eve, 2, inserts("x"), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT"},
		"a guest":          {guest, 2, inserts("x"), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT"},
		"reads only":       {viewing, 2, inserts("x"), edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN"},
		"the future":       {ada, 99, inserts("x"), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.FUTURE"},
		"past the end":     {ada, 2, at(9, "x"), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.PAST_END"},
		"a pair split":     {ada, 2, at(2, "x"), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.SPLIT_SURROGATE"},
		"a lone surrogate": {ada, 2, `{"ops":[{"insert":"\ud83d"}]}`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.SPLIT_SURROGATE"},
		"a list alone":     {ada, 2, ` [{"insert":"x"}]`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA"},
		"no JSON":          {ada, 2, `{"ops":[`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA"},
		"nothing":          {ada, 2, `{"ops":[{"retain":0}]}`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA"},
		"a lost name":      {ada, 2, `{"ops":[{"retain":1,"attributes":{"constructor":1}}]}`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA"},
		"one within":       {ada, 2, `{"ops":[{"retain":1,"attributes":{"a":{"toString":null}}}]}`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA"},
		"a bomb":           {ada, 2, `{"ops":[{"insert":"x","attributes":` + strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100) + `}]}`, edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE"},
		"too long":         {ada, 2, inserts(strings.Repeat("x", MaxDelta)), edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE"},
	} {
		_, err := c.who.submit(doc, c.base, c.delta)
		refused(t, name, err, c.code, c.reason)
	}
	_, err := ada.submit("nowhere", 1, inserts("x"))
	refused(t, "no document", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
	_, err = w.somebody("elsewhere", "ada", auth.KindPerson).submit(doc, 1, inserts("x"))
	refused(t, "another workspace", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
	if got := ada.text(doc); got != "a😀b\n" {
		t.Errorf("it was touched: %q", got)
	}
	big := inserts(strings.Repeat("x", MaxDelta-100))
	must(ada.submit(doc, 2, big))(t)
	_, err = ada.submit(doc, 3, big)
	refused(t, "a full document", err, edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE")
	if d, version := ada.content(doc, 0); d.Len() != MaxDelta-100+5 || version != 3 {
		t.Errorf("%d code units at version %d", d.Len(), version)
	}
}

// An edit that changes nothing is one like any other, however it says so.
func TestEditsThatChangeNothing(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("a text\n")
	for i, delta := range []string{`{"ops":[]}`, `{"ops":[{"retain":1}]}`, `{"ops":[{"retain":7}]}`} {
		if r := must(ada.submit(doc, 1, delta))(t); r.GetVersion() != uint64(2+i) {
			t.Errorf("%s is version %d", delta, r.GetVersion())
		}
	}
	for version := range uint64(5) {
		if d, _ := ada.content(doc, version); d.Len() != len("a text\n") {
			t.Errorf("version %d has %d", version, d.Len())
		}
	}
}

// Who sends without waiting for answers names the edit that the next one is behind; if somebody was faster, it is told.
func TestEditsInAWindow(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada, bob := w.person("ada"), w.person("bob")
	doc := ada.create("")
	ada.share(doc, "bob", editor)
	first := ada.seq
	for i := range 3 {
		must(ada.api.Submit(ada.write(), &docsv1.SubmitRequest{Document: doc, Base: 2 + uint64(i), Delta: at(i, "x"), AfterSeq: (first + uint64(i)) * uint64(min(i, 1))}))(t)
	}
	must(bob.submit(doc, 2, inserts("y")))(t)
	// Calls may overtake each other: the one behind waits for the one before.
	one, two := ada.write(), ada.write()
	done := make(chan error)
	go func() {
		_, err := ada.api.Submit(two, &docsv1.SubmitRequest{Document: doc, Base: 7, Delta: at(5, "2"), AfterSeq: first + 4})
		done <- err
	}()
	time.Sleep(10 * time.Millisecond)
	must(ada.api.Submit(one, &docsv1.SubmitRequest{Document: doc, Base: 6, Delta: at(4, "1")}))(t)
	if err := <-done; err != nil {
		t.Error(err)
	}
	_, err := ada.api.Submit(ada.write(), &docsv1.SubmitRequest{Document: doc, Base: 6, Delta: at(3, "x"), AfterSeq: first + 3})
	refused(t, "somebody was faster", err, edgev1.Code_CODE_CONFLICT, "docs.CHAIN")
	if got := ada.text(doc); got != "xxxy12" {
		t.Errorf("%q", got)
	}
}

// A repetition gets the first answer whatever has happened since, and takes place no second time.
func TestLateRepetitions(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Recent, c.Transform = 2, 20 })
	ada, bob := w.person("ada"), w.person("bob")
	doc := ada.create("")
	ada.share(doc, "bob", editor)
	must(bob.submit(doc, 2, inserts("bob")))(t)
	again := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(bob.again(), 5*time.Second)
		defer cancel()
		r, err := bob.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: inserts("bob")})
		if err != nil || r.GetVersion() != 3 {
			t.Errorf("%s: %v, %v", what, r, err)
		}
	}
	again("at once")
	for i := range 10 {
		must(ada.submit(doc, 3+uint64(i), inserts("x")))(t)
	}
	again("when it is no longer in memory")
	for i := range 20 {
		must(ada.submit(doc, 13+uint64(i), inserts("x")))(t)
	}
	again("when its base is too old")
	_, err := bob.submit(doc, 2, inserts("late"))
	refused(t, "another edit of that base", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
	bob.seq--
	ada.share(doc, "bob", viewer)
	again("when its author may not edit any more")
	if got := ada.text(doc); strings.Count(got, "bob") != 1 || strings.Count(got, "x") != 30 {
		t.Errorf("%q", got)
	}
}

// A key is of its user: another user's key with the same number is another one, whether that is in memory or read from the log.
func TestKeysOfOthers(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Recent = 2 })
	ada, bob, cyn := w.person("ada"), w.person("bob"), w.person("cyn")
	doc := ada.create("a text\n")
	ada.share(doc, "bob", owner)
	ada.share(doc, "cyn", editor)
	base := ada.head(doc)
	bob.client, ada.seq, bob.seq = ada.client, 100, 100
	for _, u := range []*user{ada, bob} { // the same numbers, in turn
		must(u.submit(doc, base, inserts(u.id)))(t)
		must(u.api.RenameDocument(u.write(), &docsv1.RenameDocumentRequest{Document: doc, Title: u.id}))(t)
		must(u.api.NameVersion(u.write(), &docsv1.NameVersionRequest{Document: doc, Version: base, Name: u.id}))(t)
		must(u.comment(doc, base, 0, 1, u.id))(t)
	}
	late := ada.head(doc)
	must(ada.submit(doc, late, inserts("1")))(t)
	for range 10 { // what bob has missed is no longer in memory
		must(cyn.submit(doc, late, inserts("x")))(t)
	}
	must(bob.submit(doc, late, inserts("2")))(t)
	must(ada.eraseHistory(doc, base))(t)
	must(bob.eraseHistory(doc, base+1))(t)
	w.closeNow(doc)
	must(ada.submit(doc, late, inserts("3")))(t)
	w.closeNow(doc)
	must(bob.submit(doc, late, inserts("4")))(t)
	if got := ada.text(doc); got != "1xxxxxxxxxx234adaboba text\n" {
		t.Errorf("%q", got)
	}
}

// device is a client's side of a document: its own edit that is under way, and what was typed meanwhile.
type device struct {
	*user
	doc     string
	content *ot.Document
	at      *edgev1.Cursor
	sent    ot.Delta // transformed to follow what was seen
	buffer  ot.Delta
	answers chan *docsv1.SubmitResponse
	busy    bool
	sends   uint64
	rand    *rand.Rand
}

func newDevice(u *user, doc string, seed uint64) *device {
	d := &device{user: u, doc: doc, rand: rand.New(rand.NewPCG(seed, 1)), answers: make(chan *docsv1.SubmitResponse, 1)}
	content, version := u.content(doc, 0)
	d.content = content
	r := must(u.api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: doc}))(u.tb)
	d.at = &edgev1.Cursor{Epoch: r.GetEpoch(), Offset: version}
	return d
}

// edit edits the content as it is shown.
func (d *device) edit() {
	var b ot.Builder
	n := d.content.Len()
	place := d.rand.IntN(n + 1)
	if place > 0 {
		b.Retain(place, nil)
	}
	if d.rand.IntN(3) == 0 && place < n {
		b.Delete(1 + d.rand.IntN(min(3, n-place)))
	} else {
		b.Insert(fmt.Sprint(d.id, d.rand.IntN(10)), nil)
	}
	edit, err := b.Delta()
	if err == nil {
		err = d.content.Apply(edit)
	}
	if err == nil {
		d.buffer, err = d.buffer.Compose(edit, nil)
	}
	if err != nil {
		d.tb.Error(err)
	}
}

// send has the buffer under way, if nothing else is.
func (d *device) send() {
	if d.busy || d.buffer.Count() == 0 {
		return
	}
	d.busy, d.sent, d.buffer, d.sends = true, d.buffer, ot.Delta{}, d.sends+1
	ctx, q := d.write(), &docsv1.SubmitRequest{Document: d.doc, Base: d.at.GetOffset(), Delta: d.sent.JSON()}
	go func() {
		for {
			r, err := d.api.Submit(ctx, q)
			if err == nil {
				d.answers <- r
				return
			}
			if c := rpc.CodeOf(err); c < edgev1.Code_CODE_UNAVAILABLE || c > 299 {
				d.tb.Errorf("%s: %v", d.id, rpc.FromError(err))
				close(d.answers)
				return
			}
		}
	}()
}

// wait waits until what is under way is answered.
func (d *device) wait() {
	if d.busy {
		<-d.answers
	}
}

// catchUp takes over what others did, and its own edit when it comes.
func (d *device) catchUp(events []recentEdit, own mutation) {
	for _, e := range events {
		d.at.Offset = e.version
		if e.mutation == own {
			d.busy, d.sent = false, ot.Delta{}
			continue
		}
		var err error
		theirs := e.edit
		next, e1 := theirs.Transform(d.sent, ot.Earlier, nil)
		theirs, e2 := d.sent.Transform(theirs, ot.Later, nil)
		buffer, e3 := theirs.Transform(d.buffer, ot.Earlier, nil)
		theirs, e4 := d.buffer.Transform(theirs, ot.Later, nil)
		for _, err = range []error{e1, e2, e3, e4, d.content.Apply(theirs)} {
			if err != nil {
				d.tb.Error(err)
			}
		}
		d.sent, d.buffer = next, buffer
	}
}

// Ten people edit one document at random places, each from what they see: everybody ends with the same bytes as the server.
func TestEverybodyConverges(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		owner := w.person("owner")
		doc := owner.create("a beginning\n")
		owner.share(doc, everybody, editor)
		const people, edits = 10, 30
		var wg sync.WaitGroup
		devices := make([]*device, people)
		for i := range devices {
			d := newDevice(w.person(fmt.Sprint("p", i)), doc, uint64(i))
			devices[i] = d
			wg.Go(func() {
				for range edits {
					d.edit()
					d.send()
					d.edit() // while that is under way
					d.wait()
					d.pull()
				}
				d.send()
				d.wait()
			})
		}
		wg.Wait()
		final, version := owner.content(doc, 0)
		for i, d := range devices {
			d.pull()
			if d.busy || d.buffer.Count() > 0 || d.content.Hash() != final.Hash() {
				t.Errorf("p%d has another content", i)
			}
		}
		want := uint64(2)
		for _, d := range devices {
			want += d.sends
		}
		if version != want {
			t.Errorf("version %d, want %d", version, want)
		}
		// What the log tells from the beginning on is the same.
		rebuilt, _, err := w.server.contentAt(t.Context(), docKey{"w", doc}, devices[0].at.GetEpoch(), version, nil)
		if err != nil || rebuilt.Hash() != final.Hash() {
			t.Errorf("the log tells another content: %v", err)
		}
	})
}

// pull reads what the log has behind the device's cursor.
func (d *device) pull() {
	stream, err := d.topics.Tail(d.tb.Context(), &topicv1.TailRequest{Workspace: d.workspace, Topic: topicDocument + d.doc, After: d.at})
	if err != nil {
		d.tb.Error(err)
		return
	}
	own := mutationOf(topic.Key{User: d.id, ClientID: d.client, Seq: d.seq})
	for {
		r, err := stream.Recv()
		if err != nil {
			return
		}
		for _, rec := range r.GetRecords() {
			e, err := decode(rec)
			if err != nil {
				d.tb.Error(err)
				return
			}
			d.catchUp([]recentEdit{e.recentEdit}, own)
		}
	}
}

// Whoever sent an edit reads what was wrong with it: each message is a sentence, and names the operation where one is at fault.
func TestWhatARefusalSays(t *testing.T) {
	limits := ot.Limits{OperationBytes: 200, Ops: 2, DocumentUnits: 5, Embeds: 1, EmbedBytes: 20, AttributeBytes: 20, DocumentFormat: 30, Depth: 2}
	for delta, want := range map[string]string{
		``:                                   `The edit was refused: '{' is missing at byte 0: a delta begins with it.`,
		`{`:                                  `The edit was refused: '"' is missing at byte 1: a string begins with it.`,
		`{"ops"`:                             `The edit was refused: ':' is missing at byte 6: it follows a key.`,
		`{"ops":1}`:                          `The edit was refused: '[' is missing at byte 7: the operations begin with it.`,
		`{"ops":[]`:                          `The edit was refused: '}' is missing at byte 9: a list ends with it, or goes on with a comma.`,
		`{"ops":[],"ops":[]}`:                `The edit was refused: the key ops comes twice.`,
		`{"ops":[],"x":1}`:                   `The edit was refused: the key "x" is unknown.`,
		`{"ops":[]}x`:                        `The edit was refused: something follows its end, at byte 10.`,
		`{}`:                                 `The edit was refused: it has no ops.`,
		`{"ops":[1]}`:                        `The edit was refused: operation 0: '{' is missing at byte 8: an operation begins with it.`,
		`{"ops":[{}]}`:                       `The edit was refused: operation 0: it has to have one of insert, retain and delete, and that once.`,
		`{"ops":[{"insert":"a"},{"x":1}]}`:   `The edit was refused: operation 1: the key "x" is unknown.`,
		`{"ops":[{"insert":1}]}`:             `The edit was refused: operation 0: '"' is missing at byte 18: a string begins with it.`,
		`{"ops":[{"insert":""}]}`:            `The edit was refused: operation 0: the inserted text is empty.`,
		`{"ops":[{"insert":"\x"}]}`:          `The edit was refused: operation 0: the escape at byte 20 is unknown.`,
		`{"ops":[{"insert":"\ud83d"}]}`:      `The edit was refused: operation 0: there is a lone surrogate at byte 19.`,
		"{\"ops\":[{\"insert\":\"\n\"}]}":    `The edit was refused: operation 0: the string at byte 19 has a control character that is not escaped.`,
		"{\"ops\":[{\"insert\":\"\xff\"}]}":  `The edit was refused: operation 0: the string at byte 19 is not UTF-8.`,
		`{"ops":[{"insert":"`:                `The edit was refused: operation 0: the string at byte 19 has no end.`,
		`{"ops":[{"retain":"a"}]}`:           `The edit was refused: operation 0: a number is missing at byte 18.`,
		`{"ops":[{"retain":0}]}`:             `The edit was refused: operation 0: a length is a whole number from 1 to 2147483647.`,
		`{"ops":[{"retain":1e999}]}`:         `The edit was refused: operation 0: the number at byte 18 is out of range.`,
		`{"ops":[{"retain":{"a":1,"b":2}}]}`: `The edit was refused: operation 0: a change of an embed has one key, its type.`,
		`{"ops":[{"insert":{}}]}`:            `The edit was refused: operation 0: an embed has a key, its type.`,
		`{"ops":[{"insert":"a","attributes":{"a":x}}]}`:                                                      `The edit was refused: operation 0: a value is missing at byte 40.`,
		`{"ops":[{"insert":"a","attributes":{"a":1,"a":2}}]}`:                                                `The edit was refused: operation 0: the key "a" comes twice.`,
		`{"ops":[{"insert":"a","attributes":{"a":[[[1]]]}}]}`:                                                `The edit was refused: operation 0: it nests more than 2 deep, the limit, at byte 42.`,
		`{"ops":[{"insert":"a","attributes":{"a":"` + strings.Repeat("x", 20) + `"}}]}`:                      `The edit was refused: operation 0: its attributes take 28 bytes, the limit is 20.`,
		`{"ops":[{"insert":{"a":[[1]]}}]}`:                                                                   `The edit was refused: operation 0: it nests more than 2 deep, the limit, at byte 24.`,
		`{"ops":[{"insert":{"a":"` + strings.Repeat("x", 20) + `"}}]}`:                                       `The edit was refused: operation 0: its embed takes 28 bytes, the limit is 20.`,
		`{"ops":[{"insert":"a"},{"insert":"b"},{"insert":"c"}]}`:                                             `The edit was refused: operation 2: there are more than 2 operations, the limit.`,
		`{"ops":[{"insert":"` + strings.Repeat("x", 200) + `"}]}`:                                            `The edit was refused: it takes 223 bytes, the limit is 200.`,
		`{"ops":[{"retain":4}]}`:                                                                             `The edit was refused: operation 0: it goes to 4, the document ends at 3.`,
		`{"ops":[{"retain":1},{"insert":"b"}]}`:                                                              `The edit was refused: operation 0: its boundary lies within a surrogate pair.`,
		`{"ops":[{"insert":"abcd"}]}`:                                                                        `The edit was refused: it would make the document 7 long, the limit is 5.`,
		`{"ops":[{"insert":{"a":1}},{"insert":{"b":1}}]}`:                                                    `The edit was refused: it would make the document have 2 embeds, the limit is 1.`,
		`{"ops":[{"insert":"a","attributes":{"abcdefgh":1}},{"insert":"b","attributes":{"abcdefghijk":1}}]}`: `The edit was refused: it would make the document's attributes take 31 bytes, the limit is 30.`,
		`{"ops":[{"retain":2},{"retain":{"a":1}}]}`:                                                          `The edit was refused: operation 1: it changes an embed of type "a" where there is text.`,
		`{"ops":[{"retain":{"a":1}}]}`:                                                                       `The edit was refused: operation 0: its boundary lies within a surrogate pair.`,
	} {
		d, err := ot.Parse([]byte(delta), limits)
		if err == nil {
			var content *ot.Document
			if content, err = ot.NewDocument(must(new(ot.Builder).Insert("😀!", nil).Delta())(t), limits, nil); err == nil {
				err = content.Apply(d)
			}
		}
		if err == nil {
			t.Errorf("%s was accepted", delta)
			continue
		}
		if got := rpc.FromError(refusal(err)).GetMessage(); got != want {
			t.Errorf("%s: %q, want %q", delta, got, want)
		}
	}
}
