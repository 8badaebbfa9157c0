package chat

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"plenum.internal/mesh/meshtest"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// browsed lists the names of all pages, and tells how many these were.
func (u *user) browsed(req *chatv1.BrowseChannelsRequest) (names []string, pages int) {
	u.tb.Helper()
	for {
		res := must(u.api.BrowseChannels(u.read(), req))(u.tb)
		for _, c := range res.GetChannels() {
			names = append(names, c.GetName())
		}
		pages++
		if req.Page = res.GetNext(); req.GetPage() == "" {
			return names, pages
		}
	}
}

// Who looks for a channel finds it by any word of its name, in any order, on both databases alike.
func TestBrowseByWords(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna := w.person("w1", "anna", plain)
		w.settle()
		for _, name := range []string{"design", "webdesign", "web-design", "web_design.team", "ärger-über-x", "zoe\u0301-2", "web-団体設計", "ที่ทำงาน", "a.b", "redesign-2026"} {
			anna.public(name)
		}
		anna.private("design-secret")
		for words, want := range map[string][]string{
			"":                   nil, // all
			"design":             {"design", "web-design", "web_design.team"},
			"DES":                {"design", "web-design", "web_design.team"},
			"#design":            {"design", "web-design", "web_design.team"},
			"esign":              {},
			"web":                {"web-design", "web-団体設計", "web_design.team", "webdesign"},
			"web des":            {"web-design", "web_design.team"},
			"des  web":           {"web-design", "web_design.team"},
			"web-des":            {"web-design", "web_design.team"}, // next to each other
			"web.design":         {"web-design", "web_design.team"},
			"design-web":         {},
			"team web design 20": {},
			"team web d we":      {"web_design.team"},
			"über":               {"ärger-über-x"},
			"U\u0308BER":         {"ärger-über-x"}, // another normal form
			"zoé":                {"zoé-2"},
			"2":                  {"redesign-2026", "zoé-2"},
			"設計":                 {"web-団体設計"}, // no blanks divide words
			"ทำงาน":              {"ที่ทำงาน"},
			"%":                  {},
			"_":                  nil, // nothing to look for
			"we%":                {},
			"b":                  {"a.b"},
			"c++":                {},
		} {
			got, _ := anna.browsed(&chatv1.BrowseChannelsRequest{Words: words, Limit: 2})
			if want == nil {
				if len(got) != 10 {
					t.Errorf("%q: %q", words, got)
				}
				continue
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("%q: %q, want %q", words, got, want)
			}
		}
		if got, _ := anna.browsed(&chatv1.BrowseChannelsRequest{Words: "design", Prefix: "web_"}); len(got) != 1 || got[0] != "web_design.team" {
			t.Errorf("of a prefix, too: %q", got)
		}
		for words, reason := range map[string]string{
			"a b c d e": "chat.BAD_FIELD", "a\x00": "chat.BAD_FIELD", strings.Repeat("x", MaxName+1): "chat.TOO_LONG",
		} {
			_, err := anna.api.BrowseChannels(anna.read(), &chatv1.BrowseChannelsRequest{Words: words})
			refused(t, err, reason)
		}
	})
}

// publicMany makes many channels at once, beside what a person may: beginning-1-end and so on, with as many digits each.
func (w *world) publicMany(n int64, beginning, end string) {
	w.tb.Helper()
	if err := w.db.Write(w.tb.Context(), func(tx *sql.Tx) error {
		return exec(w.tb.Context(), tx, `INSERT INTO chat_channel (workspace, id, kind, name, topic, purpose, history, posting, archived, creator, created_ms, members, people, sealed)
		WITH RECURSIVE k (n) AS (SELECT 1000001 UNION ALL SELECT n + 1 FROM k WHERE n < 1000000 + $1)
		SELECT 'w1', $2 || k.n, 1, $2 || k.n || $3, 'What we talk about when we talk about this', '', 1, 1, false, 'u', 0, 1, '', 0 FROM k`, n, beginning, end)
	}); err != nil {
		w.tb.Fatal(err)
	}
}

// A page is looked for in as many names as may be, and whoever goes on finds what comes after them.
func TestBrowseHasABound(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, gast := w.person("w1", "anna", plain), w.person("w1", "gast", guest)
		w.settle()
		w.publicMany(2*maxBrowsed-1, "b", "-x")
		anna.public("a-design")
		last := anna.public("c-design")
		anna.add(last, gast)
		for _, c := range []struct {
			who  *user
			req  *chatv1.BrowseChannelsRequest
			want string
		}{
			{anna, &chatv1.BrowseChannelsRequest{Words: "design"}, "[a-design c-design]"}, // the page between is empty
			{anna, &chatv1.BrowseChannelsRequest{Words: "design", Limit: 1}, "[a-design c-design]"},
			{anna, &chatv1.BrowseChannelsRequest{Prefix: "c"}, "[c-design]"},
			{gast, &chatv1.BrowseChannelsRequest{}, "[c-design]"},
			{anna, &chatv1.BrowseChannelsRequest{Words: "zzz"}, "[]"},
		} {
			if got, pages := c.who.browsed(c.req); fmt.Sprint(got) != c.want || pages != 3 {
				t.Errorf("%v: %v in %d pages, want %s in 3", c.req, got, pages, c.want)
			}
		}
	})
}

// BenchmarkBrowse looks for channels among as many names as are read for a page, and among five times as many, which cost no more.
func BenchmarkBrowse(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		for _, names := range []int64{maxBrowsed, 5 * maxBrowsed} {
			w := newWorld(b, url(b))
			anna := w.person("w1", "anna", plain)
			w.settle()
			w.publicMany(names-1, "team-", "-planning")
			anna.public("web-design")
			for what, req := range map[string]*chatv1.BrowseChannelsRequest{
				"all": {}, "prefix/last": {Prefix: "web"}, "word/last": {Words: "design"}, "word/none": {Words: "zzz"}, "word/each": {Words: "plan"}, "words/none": {Words: "te plan 1 zzz"},
			} {
				b.Run(fmt.Sprint(name, "/", names, "/", what), func(b *testing.B) {
					for b.Loop() {
						must(anna.api.BrowseChannels(anna.read(), req))(b)
					}
				})
			}
		}
	}
}
