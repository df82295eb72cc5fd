package store

// Knobs are rules of the state machine that a simulation or a test breaks on purpose,
// to show that somebody notices: name, and what happens to the rule.
var Knobs = map[string]string{
	"fire-without-check": "a due time is fired without asking whether it is still the job's next one",
	"ignore-pause":       "due times are fired while the scheduler is paused",
	"no-overlap-check":   "an execution may start whatever else of its job runs",
	"retry-for-ever":     "a failed attempt is always followed by another",
	"no-backoff":         "the next attempt follows at once",
	"ignore-cancel":      "a cancelled execution goes on to its next attempt",
	"late-counts":        "the result of an attempt that was declared lost counts as a success",
	"fence-reuse":        "a fence is the number of the attempt and not unique",
	"keep-outbox-row":    "a chain decision stays in the outbox when it is taken",
	"forget-outbox":      "a chain decision is made but not put into the outbox",
	"forget-requests":    "a repeated request is carried out again",
	"diverge":            "fences follow from how many commands this server applied since it started",
}

// Mutate breaks a rule. It panics on a knob that is none.
func (s *State) Mutate(knob string) {
	if _, ok := Knobs[knob]; !ok {
		panic("store: no knob " + knob)
	}
	if s.knobs == nil {
		s.knobs = make(map[string]bool)
	}
	s.knobs[knob] = true
}
