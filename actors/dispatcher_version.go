package actors

import "orrery/proto/orrerypb"

// firstVersion of Apply is what every server offers and no state has to be raised to.
const firstVersion = 1

// raiseVersion has the version of Apply raised to the newest that every server offers whose
// vote counts. One that is down, or that was never seen, has no say and holds it up:
// raised over its head, it would stop when it comes back. A state that has been raised is
// not lowered, and a Raise to what it has changes nothing.
func (d *Dispatcher) raiseVersion() {
	least := uint32(0)
	for _, name := range d.log.Servers() {
		m := d.members[name]
		if m == nil || !m.confirmed {
			return
		}
		if least == 0 || m.offers < least {
			least = m.offers
		}
	}
	if least <= max(d.raised, firstVersion) {
		return
	}
	d.raised = least
	d.propose(&orrerypb.Command{Body: &orrerypb.Command_RaiseVersion{RaiseVersion: &orrerypb.RaiseVersion{Version: least}}}, func(p Proposed) {
		if !taken(p) {
			d.raised = 0
		}
	})
}
