package search

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"orrery/netsim"
	"orrery/sim/scenario"
)

// Candidate is a scenario and a seed that are worth a run.
type Candidate struct {
	Scenario *scenario.Scenario
	Seed     uint64
	Made     string // what was changed last; "" for a scenario as it was given
	parent   *entry // nil for a scenario as it was given
	base     *scenario.Scenario
	changes  int // since the scenario was as it was given
}

// Seen is what a run came by.
type Seen struct {
	Probes    map[string]uint64
	Reactions map[string]uint64
	Schedule  []scenario.Fault // what the nemesis did, each at its moment to members by their names
}

// Search is a search under way. Use [New].
type Search struct {
	chance *rand.Rand
	check  func(*scenario.Scenario) error
	bases  []base
	turn   int // base whose turn it is
	given  map[feature]bool
	corpus []*entry
}

// base is a scenario as it was given, and the seed that is next.
type base struct {
	scenario *scenario.Scenario
	seed     uint64
}

// New begins a search from scenarios as they are given, each under its seeds from the
// first on. What is made passes check besides the Check of the language. Equal salts give
// equal searches.
func New(scenarios []*scenario.Scenario, first func(*scenario.Scenario) uint64, check func(*scenario.Scenario) error, salt uint64) *Search {
	s := &Search{chance: netsim.Stream(salt, "search"), check: check, given: map[feature]bool{}}
	for _, one := range scenarios {
		s.bases = append(s.bases, base{one, first(one)})
	}
	return s
}

// Next makes n candidates.
func (s *Search) Next(n int) []Candidate {
	made := make([]Candidate, n)
	for i := range made {
		if i%2 == 0 || len(s.corpus) == 0 {
			made[i] = s.fresh()
		} else {
			made[i] = s.changed()
		}
	}
	return made
}

// fresh is the next seed of the base whose turn it is.
func (s *Search) fresh() Candidate {
	b := &s.bases[s.turn]
	s.turn = (s.turn + 1) % len(s.bases)
	c := Candidate{Scenario: b.scenario, Seed: b.seed, base: b.scenario}
	b.seed++
	return c
}

// Learn takes in what a candidate came by. It returns how many features of it no run had
// before.
func (s *Search) Learn(c Candidate, seen Seen) int {
	fresh, more := s.take(seen)
	if c.parent != nil && fresh+more > 0 {
		c.parent.finds++
	}
	if fresh+more > 0 {
		c.parent = nil // what is no longer kept is let go of
		s.keep(&entry{Candidate: c, schedule: seen.Schedule, fresh: fresh, more: more})
	}
	return fresh + more
}

// Corpus lists the runs that are kept, in the order in which they were.
func (s *Search) Corpus() []Candidate {
	kept := make([]Candidate, len(s.corpus))
	for i, e := range s.corpus {
		kept[i] = e.Candidate
	}
	return kept
}

// Features is how many were seen.
func (s *Search) Features() int { return len(s.given) }

// changed is a run that was kept, with something else about it.
func (s *Search) changed() Candidate {
	e := s.pick()
	e.picks++
	m := &mutator{chance: s.chance, entry: e, others: s.corpus}
	changed, how := m.mutate(s.check)
	c := Candidate{Scenario: changed, Seed: m.seed, Made: how, parent: e, base: e.base, changes: e.changes + 1}
	c.name()
	return c
}

// name says of a changed scenario that it is no longer the one of its file.
func (c *Candidate) name() {
	const mark = "-guided"
	name, ext := c.base.Name, ""
	if dot := strings.LastIndexByte(name, '.'); dot > strings.LastIndexByte(name, '/') {
		name, ext = name[:dot], name[dot:]
	}
	c.Scenario.Name = name + mark + ext
	c.Scenario.About = strings.TrimPrefix(fmt.Sprintf("%s\n\nChanged %d times by a guided exploration, last: %s.", c.base.About, c.changes, c.Made), "\n\n")
}
