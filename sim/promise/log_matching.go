package promise

// logMatching is the property of that name in the Raft paper: where two logs have an entry
// of one index and term, they have the same entry, and the same below it. It is enough to
// compare each entry and the term of the one below: what is below that one is compared
// where that one is. What was committed must be what was logged.
func logMatching(t *trial) {
	logged := make(map[place]*Logged, len(t.Logged))
	for i := range t.Logged {
		e := &t.Logged[i]
		t.judged++
		if e.PrevTerm > e.Term {
			t.breach(e.At, "%s wrote entry %d of term %d above one of term %d, and terms only grow", e.Member, e.Index, e.Term, e.PrevTerm)
		}
		at := place{e.Index, e.Term}
		other := logged[at]
		if other == nil {
			logged[at] = e
			continue
		}
		t.judgeEntries(other, e)
	}
	if len(t.Logged) == 0 {
		return
	}
	for i := range t.Commits {
		c := &t.Commits[i]
		t.judged++
		e := logged[place{c.Index, c.Term}]
		switch {
		case e == nil:
			t.breach(c.At, "entry %d of term %d was committed at %s and is in no log", c.Index, c.Term, moment(c.At))
		case c.At < e.At:
			t.breach(c.At, "entry %d of term %d was committed at %s, before any server wrote it, which was at %s", c.Index, c.Term, moment(c.At), moment(e.At))
		case c.EntryHash != 0 && c.EntryHash != e.EntryHash:
			t.breach(c.At, "entry %d of term %d was committed at %s with content %016x; %s wrote content %016x",
				c.Index, c.Term, moment(c.At), c.EntryHash, e.Member, e.EntryHash)
		}
	}
}

// place is where an entry stands in a log.
type place struct{ index, term uint64 }

// judgeEntries compares two ways to write an entry of one index and term.
func (t *trial) judgeEntries(a, b *Logged) {
	if a.EntryHash != b.EntryHash {
		t.breach(b.At, "entry %d of term %d is %016x in the log of %s and %016x in that of %s",
			a.Index, a.Term, a.EntryHash, a.Member, b.EntryHash, b.Member)
	}
	if a.PrevTerm != b.PrevTerm {
		t.breach(b.At, "below entry %d of term %d stands term %d in the log of %s and term %d in that of %s",
			a.Index, a.Term, a.PrevTerm, a.Member, b.PrevTerm, b.Member)
	}
}
