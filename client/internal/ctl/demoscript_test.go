package ctl

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// Who speaks is in the channel, reacts once, and is somebody; whom they call is, too.
func TestDemoScript(t *testing.T) {
	handles := map[string]bool{"all": true}
	for _, p := range demoPeople {
		handles[p.handle] = true
	}
	mention := regexp.MustCompile(`@([a-z]+)`)
	var check func(c demoChannel, m demoMessage)
	check = func(c demoChannel, m demoMessage) {
		t.Helper()
		if !slices.Contains(c.members, m.by) || m.text == "" || len(m.text) > maxText {
			t.Errorf("%s: @%s says %q", c.name, m.by, m.text)
		}
		for _, called := range mention.FindAllStringSubmatch(m.text, -1) {
			if !handles[called[1]] {
				t.Errorf("%s: nobody is @%s", c.name, called[1])
			}
		}
		for reaction := range strings.SplitSeq(m.reactions, ";") {
			words := strings.Fields(reaction)
			for i, who := range words {
				if i > 0 && (!slices.Contains(c.members, who) || slices.Contains(words[:i], who)) {
					t.Errorf("%s: @%s reacts to %q", c.name, who, m.text)
				}
			}
		}
		for _, r := range m.replies {
			check(c, r)
		}
	}
	named := map[string]bool{}
	for _, c := range demoChannels {
		if direct := c.kind == chatv1.ChannelKind_CHANNEL_KIND_UNSPECIFIED; direct != (c.name == "") || named[c.name] && !direct || len(c.messages) == 0 {
			t.Errorf("a channel %q of kind %v", c.name, c.kind)
		}
		named[c.name] = true
		for _, m := range c.members {
			if !handles[m] {
				t.Errorf("%s: nobody is @%s", c.name, m)
			}
		}
		for _, m := range c.messages {
			check(c, m)
		}
	}
}
