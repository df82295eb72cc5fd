package promise

// oneLeaderPerTerm: servers may believe at the same time that they lead, one of them
// deposed and not knowing it yet, but never in the same term.
func oneLeaderPerTerm(t *trial) {
	first := map[uint64]Leadership{}
	for _, l := range t.Leaders {
		t.judged++
		other, known := first[l.Term]
		if !known {
			first[l.Term] = l
			continue
		}
		if other.Member != l.Member {
			t.breach(l.From, "%s led in term %d from %s, and so did %s from %s",
				l.Member, l.Term, moment(l.From), other.Member, moment(other.From))
		}
	}
}
