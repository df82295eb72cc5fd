package store

import "orrery"

// Knobs are rules of the state machine that a simulation or a test breaks on purpose,
// to show that somebody notices.
var Knobs = orrery.Knobs{
	{Name: "fire-without-check", Component: "Store", Breaks: "a due time is fired without asking whether it is still the job's next one"},
	{Name: "ignore-pause", Component: "Store", Breaks: "due times are fired while the scheduler is paused"},
	{Name: "no-overlap-check", Component: "Store", Breaks: "an execution may start whatever else of its job runs"},
	{Name: "retry-for-ever", Component: "Store", Breaks: "a failed attempt is always followed by another"},
	{Name: "no-backoff", Component: "Store", Breaks: "the next attempt follows at once"},
	{Name: "ignore-cancel", Component: "Store", Breaks: "a cancelled execution goes on to its next attempt"},
	{Name: "late-counts", Component: "Store", Breaks: "the result of an attempt that was declared lost counts as a success"},
	{Name: "fence-reuse", Component: "Store", Breaks: "a fence is the number of the attempt and not unique"},
	{Name: "keep-outbox-row", Component: "Store", Breaks: "a chain decision stays in the outbox when it is taken"},
	{Name: "forget-outbox", Component: "Store", Breaks: "a chain decision is made but not put into the outbox"},
	{Name: "forget-requests", Component: "Store", Breaks: "a repeated request is carried out again"},
	{Name: "diverge", Component: "Store", Breaks: "fences follow from how many commands this server applied since it started"},
	{Name: "apply-new-early", Component: "Store", Breaks: "what a later version of Apply does is done before the state was raised to it"},
	{Name: "old-record-drops-field", Component: "Store", Breaks: "a raised state writes the record of a job that version 1 created without its head of due times"},

	{Name: "snapshot-without-outbox", Component: "snapshot", Breaks: "a snapshot leaves the chain decisions out that are due"},
	{Name: "snapshot-forgets-requests", Component: "snapshot", Breaks: "a snapshot leaves the answers out that requests got"},
	{Name: "snapshot-of-now", Component: "snapshot", Breaks: "a snapshot has records as they are when it comes by them, not as of its index"},
	{Name: "restore-keeps-old-rows", Component: "snapshot", Breaks: "a restored state still has the records that it had and the snapshot has not"},
}

// Mutate breaks a rule. It panics on a knob that is none.
func (s *State) Mutate(knob string) {
	if !Knobs.Has(knob) {
		panic("store: no knob " + knob)
	}
	if s.knobs == nil {
		s.knobs = make(map[string]bool)
	}
	s.knobs[knob] = true
}

// mutate breaks a snapshot as the knobs of its state say. What it writes wrongly is then
// believed, by itself and by who restores it: its checks would not let it come that far.
func (p *Snapshot) mutate(knobs map[string]bool) {
	if knobs["snapshot-without-outbox"] {
		p.without = append(p.without, outboxSpace)
	}
	if knobs["snapshot-forgets-requests"] {
		p.without = append(p.without, requestSpace, askedSpace)
	}
	p.cut.blind = knobs["snapshot-of-now"]
	p.believed = p.cut.blind || len(p.without) > 0
}

// keepOldRows puts the records that only the former content has into the restored one.
// The indices stay out: with some that contradict their records, Apply would not end.
func keepOldRows(former, restored *kv) {
	former.view(func(old *tx) {
		restored.update(func(t *tx) {
			for _, space := range []string{jobSpace, defSpace, execSpace, outboxSpace, treeSpace, requestSpace, noteSpace, daySpace} {
				old.scan(space, "", func(key, value string) bool {
					if _, ok := t.get(key); !ok {
						t.put(key, value)
					}
					return true
				})
			}
		})
	})
}
