package identity

import (
	"strings"
	"testing"
	"unicode/utf8"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/keyring"
	"plenum.internal/services/identity/sqlstore"
)

const fuzzKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// A token that is accepted is one that was issued, to the byte.
func FuzzDecodeRefresh(f *testing.F) {
	ring, err := keyring.New(fuzzKey)
	if err != nil {
		f.Fatal(err)
	}
	good := refreshToken{sqlstore.NewID(), sqlstore.NewID(), 7}.encode(ring)
	f.Add(good)
	f.Add(strings.Replace(good, ".7.", ".07.", 1))
	f.Add(good + ".")
	f.Add("plr_")
	f.Add("plr_a.b.1.c")
	f.Fuzz(func(t *testing.T, s string) {
		if token, ok := decodeRefresh(ring, s); ok && token.encode(ring) != s {
			t.Errorf("%q was taken for %q", s, token.encode(ring))
		}
	})
}

func FuzzDecodeTicket(f *testing.F) {
	ring, err := keyring.New(fuzzKey)
	if err != nil {
		f.Fatal(err)
	}
	good := ticket{sqlstore.NewID(), sqlstore.NewID()}.encode(ring)
	f.Add(good)
	f.Add(good + ".")
	f.Add("plt_a.b.c")
	f.Fuzz(func(t *testing.T, s string) {
		if x, ok := decodeTicket(ring, s); ok && x.encode(ring) != s {
			t.Errorf("%q was taken for %q", s, x.encode(ring))
		}
	})
}

func TestRefreshTokensOfRetiredKeys(t *testing.T) {
	const newer = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
	before, err := keyring.New(fuzzKey)
	if err != nil {
		t.Fatal(err)
	}
	after, err := keyring.New(newer, fuzzKey)
	if err != nil {
		t.Fatal(err)
	}
	want := refreshToken{sqlstore.NewID(), sqlstore.NewID(), 1}
	if got, ok := decodeRefresh(after, want.encode(before)); !ok || got != want {
		t.Errorf("%v, %v", got, ok)
	}
	for name, forged := range map[string]refreshToken{
		"another device":     {sqlstore.NewID(), want.family, 1},
		"another family":     {want.device, sqlstore.NewID(), 1},
		"another generation": {want.device, want.family, 2},
	} {
		mac := want.encode(before)[strings.LastIndex(want.encode(before), "."):]
		text := forged.encode(before)
		if _, ok := decodeRefresh(after, text[:strings.LastIndex(text, ".")]+mac); ok {
			t.Errorf("%s under a known mac was accepted", name)
		}
	}
}

func FuzzDecodeService(f *testing.F) {
	f.Add(serviceSecret(sqlstore.NewID(), make([]byte, 32)))
	f.Add("pls_")
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := decodeService(s); ok && (!isID(id) || !strings.HasPrefix(s, "pls_"+id+"_")) {
			t.Errorf("%q names %q", s, id)
		}
	})
}

func FuzzDecodePage(f *testing.F) {
	f.Add("", 1)
	f.Add(pageToken("a", "b"), 2)
	f.Add(pageToken("a\xff"), 1)
	f.Add(pageToken("\x00"), 1)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = 1 + n&3
		parts, err := decodePage(s, n)
		if err == nil && (len(parts) != n || s != "" && pageToken(parts...) != s) {
			t.Errorf("%q: %q", s, parts)
		}
		for _, part := range parts { // PostgreSQL takes neither
			if !utf8.ValidString(part) || strings.ContainsRune(part, 0) {
				t.Errorf("%q holds %q", s, part)
			}
		}
	})
}

// What is accepted as a name is accepted again as it came out, and harmless to show.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"ada", "a.b-c_d", "-x", "all", "ÄDA", "x\u202ey", "", "acme-1", "A\u00adda", "A\u200dda", "\u3164", "می\u200cخواهم", "👩\u200d💻"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := handle(s); err == nil {
			if again, err := handle(h); err != nil || again != h || len(h) > 32 || h == "all" {
				t.Errorf("handle %q: %q, %v", s, again, err)
			}
		}
		if h, err := slug(s); err == nil {
			if again, err := slug(h); err != nil || again != h {
				t.Errorf("slug %q: %q, %v", s, again, err)
			}
		}
		if v, err := text("name", s, "fallback"); err == nil {
			if again, err := text("name", v, ""); err != nil || again != v || !printable(v) {
				t.Errorf("text %q: %q, %v", s, again, err)
			}
		}
		_, _ = client(&identityv1.Client{ClientId: s, Name: s, Agent: s})
	})
}
