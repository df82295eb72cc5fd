package search

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// mutator changes one entry of the corpus.
type mutator struct {
	chance *rand.Rand
	entry  *entry
	others []*entry
	s      *scenario.Scenario // as far as it is changed
	seed   uint64
}

// mutation is one way to change a scenario or its seed. It says what it did, or "" when
// there was nothing to do it to.
type mutation func(*mutator) string

// mutations are all of them. Those that stand here more often are drawn more often.
var mutations = []mutation{
	(*mutator).addFault, (*mutator).addFault, (*mutator).addFault,
	(*mutator).replayFault, (*mutator).replayFault,
	(*mutator).dropFault, (*mutator).doubleFault,
	(*mutator).moveFault, (*mutator).moveFault, (*mutator).shiftFault,
	(*mutator).aimFault, (*mutator).stretchFault,
	(*mutator).pinFaults, (*mutator).crossFaults,
	(*mutator).changeJob, (*mutator).changeClients, (*mutator).addStep,
	(*mutator).otherSeed, (*mutator).otherSeed,
}

const (
	maxTries  = 16 // after which something is wrong with the entry, not with what was drawn
	maxFaults = 48 // lines, so that no scenario grows without end
	maxSteps  = 16
)

// mutate makes one change or a few, until what comes out passes both checks. When nothing
// does, the seed is the change.
func (m *mutator) mutate(check func(*scenario.Scenario) error) (*scenario.Scenario, string) {
	for range maxTries {
		m.s, m.seed = m.entry.Scenario.Clone(), m.entry.Seed
		how := m.few()
		if how != "" && m.s.Check() == nil && check(m.s) == nil {
			return m.s, how
		}
	}
	m.s = m.entry.Scenario.Clone()
	return m.s, m.otherSeed()
}

// few makes one change, and each time by the toss of a coin another, up to four.
func (m *mutator) few() (how string) {
	for n := 0; n == 0 || n < 4 && m.half(); n++ {
		if did := one(m, mutations)(m); did != "" {
			how = did
		}
	}
	return how
}

func (m *mutator) otherSeed() string {
	// Below 2^32: a seed that a person can type.
	m.seed = netsim.Below(m.chance, 1<<32)
	return fmt.Sprintf("seed %d", m.seed)
}

func (m *mutator) half() bool { return netsim.PPM(m.chance, netsim.Million/2) }

// rarely is true one time in eight.
func (m *mutator) rarely() bool { return netsim.PPM(m.chance, netsim.Million/8) }

// below draws a number in [0, n).
func (m *mutator) below(n int) int { return int(netsim.Below(m.chance, uint64(n))) }

// one draws one of some.
func one[T any](m *mutator, of []T) T { return of[m.below(len(of))] }

// some draws a span between two, to the millisecond.
func (m *mutator) some(lo, hi time.Duration) time.Duration {
	return max(netsim.Between(m.chance, lo, hi).Truncate(time.Millisecond), lo)
}

// upTo is a range that ends there.
func upTo(d time.Duration) scenario.Range { return scenario.Range{Lo: d / 10, Hi: d} }

// insert puts a fault behind those that are there: none of them means another by "it" then.
func (m *mutator) insert(f scenario.Fault) string {
	if len(m.s.Faults) >= maxFaults {
		return ""
	}
	f.Line = 0
	m.s.Faults = append(m.s.Faults, f)
	return scenario.Line(f) + " added"
}

// fault draws one of those that are there to be changed; a heal of the core is not: its
// place and its moment are what it is about.
func (m *mutator) fault() (*scenario.Fault, bool) {
	var free []int
	for i, f := range m.s.Faults {
		if !f.Core {
			free = append(free, i)
		}
	}
	if len(free) == 0 {
		return nil, false
	}
	return &m.s.Faults[one(m, free)], true
}

// end is when the last fault may strike.
func (m *mutator) end() time.Duration {
	i := slices.IndexFunc(m.s.Faults, func(f scenario.Fault) bool { return f.Core })
	if i < 0 {
		return m.s.Lasts
	}
	return m.s.Faults[i].When.Span.Lo
}
