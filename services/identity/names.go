package identity

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine may know no time zones
	"unicode"
	"unicode/utf8"

	"plenum.internal/mesh/letters"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// reserved handles mean everybody, or the reader.
var reserved = []string{"all", "channel", "everyone", "here", "me"}

// handle checks a handle as model.proto's Person.handle says; upper case is forgiven.
func handle(s string) (string, error) {
	s = strings.ToLower(s)
	edge := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	ok := len(s) >= 2 && len(s) <= 32 && edge(s[0]) && edge(s[len(s)-1])
	for i := 0; ok && i < len(s); i++ {
		ok = edge(s[i]) || s[i] == '.' || s[i] == '_' || s[i] == '-'
	}
	if !ok {
		return "", invalid("handle", "A handle has 2 to 32 letters a-z, digits, dots, hyphens or underscores, and begins and ends with a letter or digit.")
	}
	if slices.Contains(reserved, s) {
		return "", invalid("handle", "@%s means everybody. Choose another handle.", s)
	}
	return s, nil
}

// slug checks a workspace's slug.
func slug(s string) (string, error) {
	s = strings.ToLower(s)
	ok := len(s) >= 2 && len(s) <= 40 && s[0] != '-' && s[len(s)-1] != '-'
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] >= 'a' && s[i] <= 'z' || s[i] >= '0' && s[i] <= '9' || s[i] == '-'
	}
	if !ok {
		return "", invalid("workspace_slug", "A workspace's short name has 2 to 40 letters a-z, digits or hyphens, no hyphen at its ends.")
	}
	return s, nil
}

// storable is a name to look for as somebody wrote it: upper case is forgiven. What holds a zero byte is nobody's, and PostgreSQL takes
// none.
func storable(s string) string {
	if strings.ContainsRune(s, 0) {
		return ""
	}
	return strings.ToLower(s)
}

// text checks words for people: one line of at most 80 characters, in which something is to be seen. Empty becomes fallback.
func text(field, s, fallback string) (string, error) {
	if s = strings.TrimSpace(s); s == "" {
		return fallback, nil
	}
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > 80 || !printable(s) || letters.Crowded(s) {
		return "", invalid(field, "Use at most 80 characters in one line, none of them invisible, and at most %d accents on a letter.", letters.MaxMarks)
	}
	if !strings.ContainsFunc(s, visible) {
		return "", invalid(field, "There is nothing to see in it. Use letters.")
	}
	return s, nil
}

// timeZone checks the name of a time zone; empty: UTC.
func timeZone(s string) error {
	if _, err := time.LoadLocation(s); err != nil || s == "Local" || len(s) > 64 {
		return invalid("time_zone", "Name a time zone of the IANA database, like Europe/Berlin.")
	}
	return nil
}

// printable says whether all of a line is seen: two names that differ only by what is not would look the same. What joins letters or emoji stands only behind
// those that it joins.
func printable(s string) bool {
	var last rune
	for _, r := range s {
		switch {
		case r == zwnj || r == zwj:
			if !unicode.In(last, joining...) && (r == zwnj || !joined(last)) {
				return false
			}
		case unicode.Is(unicode.Variation_Selector, r):
			if !unicode.In(last, unicode.S, unicode.N, unicode.P) { // of a sign, which it turns into an emoji
				return false
			}
		case unprintable(r):
			return false
		}
		last = r
	}
	return last != zwnj && last != zwj
}

// unprintable are control characters, those that turn the direction of what follows, and those of which nothing is seen.
func unprintable(r rune) bool {
	if unicode.IsSpace(r) {
		return r != ' '
	}
	return !unicode.IsGraphic(r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || r == '\u2800'
}

const (
	zwnj = '\u200C'
	zwj  = '\u200D'
)

// joined are the signs that emoji are made of, with their tones and selectors.
func joined(r rune) bool {
	return unicode.In(r, unicode.So, unicode.Sk) || r == '\ufe0f'
}

// joining are the scripts in which the joiners change what is seen.
var joining = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil,
	unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Tibetan, unicode.Myanmar, unicode.Khmer, unicode.Balinese, unicode.Javanese,
}

// visible are characters that stand by themselves: marks don't, and blanks show nothing.
func visible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}

// client checks what a client says of itself.
func client(c *identityv1.Client) (*identityv1.Client, error) {
	if err := clientID("client.client_id", c.GetClientId()); err != nil {
		return nil, err
	}
	name, err := text("client.name", c.GetName(), "")
	if err != nil {
		return nil, err
	}
	agent, err := text("client.agent", c.GetAgent(), "")
	if err != nil || len(agent) > 64 {
		return nil, invalid("client.agent", "Use at most 64 bytes.")
	}
	return &identityv1.Client{ClientId: c.GetClientId(), Name: name, Agent: agent}, nil
}

// clientID checks the form of an installation's secret name: 128 bits in base64url, or a little more.
func clientID(field, s string) error {
	ok := len(s) >= 22 && len(s) <= 64
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}
	if !ok {
		return invalid(field, "A client id is 128 random bits in base64url: 22 characters.")
	}
	return nil
}
