package versions

import (
	"crypto/sha256"

	"plenum.internal/docs/ot"
)

// replay plays the log from nothing, and calls visit with each version before and after its event. False: an event doesn't apply.
func (j *judge) replay(visit func(event *Event, edit ot.Delta, before, after *ot.Document)) bool {
	content, err := ot.NewDocument(ot.Delta{}, ot.Unlimited(), nil)
	if err != nil {
		j.fault("UNREADABLE", "an empty document: %v", err)
		return false
	}
	for i := range j.d.Log {
		before := content.Clone()
		if err := content.Apply(j.edits[i]); err != nil {
			j.fault("UNREADABLE", "version %d of %s does not apply: %v", i+1, j.d.Log[i].Actor, err)
			return false
		}
		visit(&j.d.Log[i], j.edits[i], before, content)
	}
	return true
}

// contents: whatever somebody saw of a version is what the log makes of nothing up to there; and in the end everybody has the newest.
func (j *judge) contents() {
	seen := map[uint64][]*Content{}
	for i := range j.d.Contents {
		c := &j.d.Contents[i]
		seen[c.Version] = append(seen[c.Version], c)
		if head := uint64(len(j.d.Log)); c.Version == 0 || c.Version > head {
			j.fault("CONTENT", "%s %s version %d, and the log ends at %d", j.h.who(c.Client), c.How, c.Version, head)
		} else if c.How == Kept && c.Version < head {
			j.fault("BEHIND", "%s has version %d in the end, and the log ends at %d", j.h.who(c.Client), c.Version, head)
		}
	}
	var hash [sha256.Size]byte
	known := false // hash is of the version that is visited
	j.replay(func(e *Event, edit ot.Delta, _, content *ot.Document) {
		known = known && edit.Count() == 0
		for _, c := range seen[e.Version] {
			if !known {
				hash, known = content.Hash(), true
			}
			if c.Hash != hash {
				j.fault("CONTENT", "%s %s something else of version %d at %v: %x, and the log makes %x of it",
					j.h.who(c.Client), c.How, c.Version, c.Call, c.Hash[:6], hash[:6])
			}
		}
	})
}
