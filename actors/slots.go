package actors

import "orrery"

// slotParts is into how many parts a slot is divided. A process takes a whole slot, an
// HTTP call one part: a call costs its member a connection and a few pages of memory and
// mostly waits, where a process costs megabytes and a core. Were calls as dear, a member
// could not keep up with a few hundred of them a second, as each is held until its end is
// committed.
const slotParts = 32

// partsOf is how much of a slot an attempt takes.
func partsOf(executor string) int {
	if executor == orrery.ExecutorHTTP {
		return 1
	}
	return slotParts
}
