package history

import "slices"

// unread: a person has read up to the last own message or mark, and what counts behind it is unread, on every device.
func (h *History) unread(v *Verdict, logs map[string][]Event) {
	type mine struct{ user, channel string }
	markers := map[mine]uint64{}
	for _, op := range h.Ops {
		if op.Outcome == Done && (op.Kind == Post || op.Kind == Mark) {
			m := mine{op.User, op.Channel}
			markers[m] = max(markers[m], op.Offset)
		}
	}
	for i := range h.Devices {
		d := &h.Devices[i]
		for _, channel := range d.Channels {
			want := Unread{Marker: markers[mine{d.User, channel}]}
			if want.Marker == 0 {
				want.Marker = min(d.Listed[channel].Marker, h.Base[channel]) // from before the load
			}
			for _, e := range logs[channel] {
				if e.Offset <= want.Marker || !e.Counts {
					continue
				}
				want.Messages++
				if e.Author != d.User && slices.Contains(e.Mentions, d.User) {
					want.Mentions++
				}
			}
			if told := d.Unread[channel]; told != want {
				v.fault("UNREAD %v is told by its bundle %+v in channel %s, and by the log it is %+v", d, told, channel, want)
			}
			if told := d.Listed[channel]; told != want {
				v.fault("UNREAD %v is told when it asks %+v in channel %s, and by the log it is %+v", d, told, channel, want)
			}
		}
	}
}
