package history

import "slices"

// complete: the device was shown the log of each channel that it follows, all of it, in its order, without being told to read anew: nothing is
// lost here, whatever fails, and so nothing is a reason for a reset.
func (d *Device) complete(v *Verdict, logs map[string][]Event) {
	shown := map[string][]Event{}
	for _, s := range d.Shown {
		shown[s.Channel] = append(shown[s.Channel], s.Event)
	}
	for _, channel := range d.Channels {
		log := logs[channel]
		if at := differ(log, shown[channel]); at >= 0 {
			v.fault("SHOWN %v was shown %d events of the %d of channel %s, and from place %d on not the same", d, len(shown[channel]), len(log), channel, at+1)
		}
	}
	if d.Resets > 0 {
		v.fault("RESET %v was told %d times to read a channel anew", d, d.Resets)
	}
}

// causal: what an event's author had been shown is shown before the event, or the client has counted that it is not.
func (d *Device) causal(v *Verdict) {
	at := map[string]uint64{}
	early := uint64(0)
	var first Shown
	for _, s := range d.Shown {
		late := func(n Need) bool { return slices.Contains(d.Channels, n.Channel) && at[n.Channel] < n.Offset }
		if slices.ContainsFunc(s.Needs, late) {
			if early++; early == 1 {
				first = s
			}
		}
		at[s.Channel] = s.Offset
	}
	if early > d.Violations {
		v.fault("CAUSE %v was shown %d events before what they answer, %q of channel %s first, and its client knows of %d", d, early, first.ID, first.Channel, d.Violations)
	}
}
