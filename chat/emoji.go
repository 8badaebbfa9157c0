package chat

import (
	"regexp"

	"plenum.internal/mesh/emoji"
)

// reaction is what UTS #51 calls a possible emoji (1.4.9), of as many elements as the longest that is in use has (two people with a heart who kiss). Or it is an
// emoji's name, which a client may know a picture for.
var reaction = regexp.MustCompile(`^(?:` + emoji.Other + `|` + emoji.Element + `(?:` + emoji.Joiner + emoji.Element + `){0,3}|:[a-z0-9_+-]+:)$`)
