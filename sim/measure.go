package sim

import "orrery/sim/promise"

// measure looks how much there is of each thing that is bounded. Mailboxes say so
// themselves when a message comes, since a pile can be gone within a second.
func (w *World) measure() {
	w.notice()
	w.peak("timers", "", len(w.queue.timers))
	w.peak("held frames", "", w.net.Held())
	rows, requests := w.replica.Rows()
	w.peak("state rows", "", rows)
	w.peak("requests kept", "", requests)
	for _, m := range w.members {
		peak := func(what string, n int) { w.peak(what, m.name, n) }
		m.machine.Measure(peak)
		if m.up() {
			m.agent.Measure(peak)
		}
	}
}

// peak files that there is so much of something now, if there never was more.
func (w *World) peak(what, member string, n int) {
	for i := range w.history.Peaks {
		p := &w.history.Peaks[i]
		if p.What == what {
			if n > p.N {
				*p = promise.Peak{What: what, Member: member, At: w.now, N: n}
			}
			return
		}
	}
	w.history.Peaks = append(w.history.Peaks, promise.Peak{What: what, Member: member, At: w.now, N: n})
}

// mailed hears how many messages wait in a mailbox after one more came.
func (w *World) mailed(member string, n int) {
	if n > w.mailbox {
		w.mailbox = n
		w.peak("mailbox", member, n)
	}
}
