package doc

import (
	"strings"
	"time"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
)

// maxRefused is how many refused edits are kept; then nothing more can be typed before some are forgotten.
const maxRefused = 100

// Refused is an edit that the server will not take. It is kept until Forget.
type Refused struct {
	ID             uint64 // for Forget
	Epoch, Version uint64 // of the content that Delta edits
	Delta          ot.Delta
	Cause          *client.Error
	At             time.Time

	mutation uint64
}

// Text is what the edit would have inserted, for people.
func (r Refused) Text() string { return inserted(r.Delta) }

// inserted joins a delta's inserted texts.
func inserted(d ot.Delta) string {
	var text []string
	for _, op := range d.Ops() {
		if op.Action() == ot.Insert && op.Embed() == nil {
			text = append(text, op.Text())
		}
	}
	return strings.Join(text, "\n")
}
