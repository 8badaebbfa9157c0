package ot

// Rebase takes a change over committed ones that it did not know, in their order, one by one. It returns the change as it is to be applied after
// them, and the committed ones as they are to be applied after the change: what a client shows that has already applied it.
//
// A client's pending operations are composed first (ComposeAll), so that a long time offline costs one change over each committed one. The committed
// ones are never composed: over their composition the same change can land elsewhere than over each in turn, and server and clients have to agree.
// (Committed "insert X behind b", then "delete b" of "ab", and a pending insert between a and b: one by one it stands before X; composed it
// stands behind, since X now stands where b was.)
func Rebase(change Delta, committed []Delta, embeds Embeds) (Delta, []Delta, error) {
	change = change.Normal()
	after := make([]Delta, len(committed))
	for i, c := range committed {
		var err error
		if after[i], err = change.Transform(c, Later, embeds); err != nil {
			return Delta{}, nil, err
		}
		if change, err = c.Transform(change, Earlier, embeds); err != nil {
			return Delta{}, nil, err
		}
	}
	return change, after, nil
}
