package store

import (
	"fmt"
	"time"

	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// State is the replicated state of one server. Apply changes it, everything else only
// reads. It belongs to one actor and is not safe for concurrent use.
type State struct {
	kv       *kv
	offers   uint32 // the newest version of Apply that it can be raised to
	index    uint64 // of the entry applied last
	term     uint64
	meta     *orrerypb.StateMeta
	versions versions
	knobs    map[string]bool // rules broken on purpose
	applied  uint64          // commands since Open; for the knob "diverge" alone
}

// Open returns the empty state, in memory, which offers Version. Close it, or a
// goroutine stays.
func Open() (*State, error) { return OpenAs(Version) }

// adopt makes records the content of the state, as of the given entry.
func (s *State) adopt(records *kv, index, term uint64) {
	s.kv, s.index, s.term = records, index, term
	s.versions.clear()
	records.view(func(t *tx) { s.meta = loadMeta(t) })
}

// Close gives the memory back. The state is not to be used after it.
func (s *State) Close() error { return s.kv.close() }

// Index is that of the entry applied last, or of the snapshot restored since.
func (s *State) Index() uint64 { return s.index }

// Term is that of the same entry.
func (s *State) Term() uint64 { return s.term }

// Hash is equal on two servers that applied the same entries; that of the empty state
// is 0.
func (s *State) Hash() uint64 { return s.kv.hash() }

// Rows is how many records the state holds, and how many of them are answers kept for
// requests that may be repeated.
func (s *State) Rows() (all, requests int) {
	for _, n := range s.kv.size {
		all += n
	}
	return all, s.kv.size[requestSpace]
}

// Meta returns the settings and counters. It is shared and not to be changed.
func (s *State) Meta() *orrerypb.StateMeta { return s.meta }

// Config returns the settings that the members agree on, with defaults.
func (s *State) Config() orrery.ClusterConfig {
	return proto.ToConfig(s.meta.Config).WithDefaults()
}

// Silence is how long a member must be silent before it can have ended all that it held:
// lost_after, or what it was before it was lowered, while a lease that was granted under
// it may still run. now is the clock of a leader; it and the one that stamped the change
// may differ by as much as is allowed.
func (s *State) Silence(now time.Time) time.Duration {
	config := s.Config()
	if now.UnixNano() < s.meta.FormerUntilNs+int64(config.MaxClockSkew) {
		return max(config.LostAfter, time.Duration(s.meta.FormerLostAfterNs))
	}
	return config.LostAfter
}

// Paused reports whether due times are not fired for now.
func (s *State) Paused() bool { return s.meta.Paused }

// Apply carries out the commands of the entry committed at index in term, in order,
// and returns one answer a command and the facts that came of them. A nil entry is one
// of the log's own and changes nothing.
//
// It is a function of the state and its arguments alone. An entry that was proposed
// under another term than it was committed in has no effect at all: what was computed
// under one leadership never holds under another. An entry that needs a later version
// than the state offers panics, and so does an index that does not grow.
func (s *State) Apply(index, term uint64, e *orrerypb.Entry) ([]*orrerypb.Answer, []*orrerypb.Event) {
	if e.GetNeedsVersion() > s.offers {
		panic(TooOld(fmt.Sprintf("store: entry %d needs version %d of apply, this server offers %d", index, e.NeedsVersion, s.offers)))
	}
	if index <= s.index {
		panic(fmt.Sprintf("store: entry %d was delivered after entry %d", index, s.index))
	}
	s.index, s.term = index, term
	answers := make([]*orrerypb.Answer, len(e.GetCommands()))
	if len(answers) == 0 {
		return nil, nil
	}
	if e.Term != term {
		for i := range answers {
			answers[i] = refuse(orrery.Unavailable, "leadership changed from term %d to %d before the command was decided", e.Term, term)
		}
		return answers, nil
	}
	var events []*orrerypb.Event
	s.kv.update(func(t *tx) {
		c := newChange(s, t)
		for i, command := range e.Commands {
			answers[i] = c.command(command)
		}
		c.flush()
		events = c.events
	})
	return answers, events
}
