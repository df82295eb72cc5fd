package store

import "orrery"

// Knobs are rules of the state machine that a simulation or a test breaks on purpose,
// to show that somebody notices.
var Knobs = orrery.Knobs{
	{Name: "fire-without-check", Breaks: "a due time is fired without asking whether it is still the job's next one"},
	{Name: "ignore-pause", Breaks: "due times are fired while the scheduler is paused"},
	{Name: "no-overlap-check", Breaks: "an execution may start whatever else of its job runs"},
	{Name: "retry-for-ever", Breaks: "a failed attempt is always followed by another"},
	{Name: "no-backoff", Breaks: "the next attempt follows at once"},
	{Name: "ignore-cancel", Breaks: "a cancelled execution goes on to its next attempt"},
	{Name: "late-counts", Breaks: "the result of an attempt that was declared lost counts as a success"},
	{Name: "fence-reuse", Breaks: "a fence is the number of the attempt and not unique"},
	{Name: "keep-outbox-row", Breaks: "a chain decision stays in the outbox when it is taken"},
	{Name: "forget-outbox", Breaks: "a chain decision is made but not put into the outbox"},
	{Name: "forget-requests", Breaks: "a repeated request is carried out again"},
	{Name: "diverge", Breaks: "fences follow from how many commands this server applied since it started"},
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
