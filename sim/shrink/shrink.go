// Package shrink makes a failing scenario small: it drops and lowers whatever it can, for as long as the scenario still
// fails in the same way. What is left is what the failure needs.
//
// It works on the parsed scenario and knows no world. Whether a candidate still fails is for a judge to say, who may look
// at several at once; for a given judge the result is the same however many it looks at. Each candidate was printed and
// parsed again before it is judged, so that what comes out is a file.
package shrink

import (
	"errors"
	"slices"
	"time"

	"orrery/sim/scenario"
)

// Judge runs candidates, each under the first of its seeds, and tells the first of them, in their order, that fails in the
// way that is looked for. It returns false when there is no time left; what it then found does not count.
type Judge func(candidates []*scenario.Scenario) (Finding, bool)

// Finding is the first of some candidates that fails.
type Finding struct {
	Index    int              // of the candidate; < 0: none of them fails
	At       time.Duration    // when it fails, in virtual time; 0: nobody knows
	Schedule []scenario.Fault // what the nemesis did, as lines of a scenario that do just that
}

// Step is a change that was taken.
type Step struct {
	What     string // "without faults", "shorter"
	Scenario *scenario.Scenario
}

// ErrHolds says that a scenario does not fail, so that there is nothing to shrink.
var ErrHolds = errors.New("the scenario does not fail")

// Shrink returns the smallest scenario it finds that the judge still finds to fail as s does under its first seed. It
// tells each change that it takes. When the judge has no time left it returns what it has by then.
func Shrink(s *scenario.Scenario, judge Judge, tell func(Step)) (*scenario.Scenario, error) {
	s = under(s, s.Seeds.First)
	s.About = ""
	k := &shrinker{judge: judge, tell: tell, tried: map[string]bool{}}
	if !k.begin(s) {
		return s, ErrHolds
	}
	k.settle()
	if k.abstract != nil && len(k.best.Faults) > len(k.abstract.Faults) {
		return smaller(k.best, k.fromHere(k.abstract)), nil
	}
	return k.best, nil
}

// shrinker holds the smallest scenario so far.
type shrinker struct {
	judge    Judge
	tell     func(Step)
	best     *scenario.Scenario
	abstract *scenario.Scenario // the last whose faults were as they were written; nil: they still are
	text     string             // of best
	found    Finding
	tried    map[string]bool // texts of candidates that do not fail
	luck     int             // other seeds under which candidates are tried
	vague    bool            // faults stay as they were written
	over     bool            // no time is left
}

// begin judges the scenario as it came.
func (k *shrinker) begin(s *scenario.Scenario) bool {
	s, text, ok := tidy(s)
	if !ok {
		return false
	}
	found, more := k.judge([]*scenario.Scenario{s})
	if !more || found.Index != 0 {
		return false
	}
	k.best, k.text, k.found = s, text, found
	return true
}

// fromHere shrinks another scenario that fails, in the time that is left, and forgets how far it had come with this one.
func (k *shrinker) fromHere(s *scenario.Scenario) *scenario.Scenario {
	other := &shrinker{judge: k.judge, tell: func(Step) {}, tried: k.tried, over: k.over, vague: true}
	if other.over || !other.begin(s) {
		return s
	}
	other.settle()
	return other.best
}

// smaller is the scenario with fewer lines, a if both have as many.
func smaller(a, b *scenario.Scenario) *scenario.Scenario {
	if Lines(b) < Lines(a) {
		return b
	}
	return a
}

// patience is under how many other seeds a smaller scenario is tried: what needs luck often needs other luck once something
// is gone. The last is for what fails so rarely that a handful of seeds does not meet it.
var patience = []int{0, 5, 25}

// settle changes the scenario until no change is left that it could bear, trying few seeds for as long as that gets it
// anywhere.
func (k *shrinker) settle() {
	level := 0
	if fail, all := k.failing(); 0 < fail && fail < all {
		level = 1 // most changes will make a failure go away that they have nothing to do with
	}
	for !k.over && level < len(patience) {
		before := k.text
		k.round(patience[level])
		switch {
		case k.text != before:
			level = min(level, 1)
		case level == 1 && k.certain():
			return
		default:
			level++
		}
	}
}

// round tries each kind of change once, what removes most first; what saves most also under some other seeds.
func (k *shrinker) round(seeds int) {
	k.luck = seeds
	if !k.vague {
		k.concrete()
	}
	k.shorter()
	k.less()
	k.luck = 0
	k.sooner()
	k.plainer()
	k.quieter()
	k.rounder()
}

// certain says whether the scenario fails whatever the seed.
func (k *shrinker) certain() bool {
	fail, all := k.failing()
	return fail == all
}

// failing counts under how many of a handful of other seeds the scenario fails too.
func (k *shrinker) failing() (fail, all int) {
	var others []*scenario.Scenario
	for _, seed := range k.otherSeeds(patience[1]) {
		others = append(others, under(k.best, seed))
	}
	all = len(others)
	for len(others) > 0 && !k.over {
		found, more := k.judge(others)
		k.over = !more
		if !more || found.Index < 0 {
			break
		}
		fail, others = fail+1, others[found.Index+1:]
	}
	return fail, all
}

// window is how many candidates are offered to the judge at once. More would keep more processors busy, and be built in
// vain when the first of them fails.
const window = 16

// offer has the judge look at n candidates in order. Each is built from the best so far, or nil if there is no such
// candidate; took hears of each that became the best.
func (k *shrinker) offer(what string, n int, build func(i int) *scenario.Scenario, took func(i int)) {
	for next := 0; next < n && !k.over; {
		b := k.gather(next, n, build)
		next = b.next
		if len(b.scenarios) == 0 {
			continue
		}
		found, more := k.judge(b.scenarios)
		if !more {
			k.over = true
			return
		}
		rejected := b.texts
		if i := found.Index; i >= 0 {
			k.take(what, b.scenarios[i], b.texts[i], found)
			took(b.from[i])
			rejected, next = b.texts[:i], b.from[i]+1
		}
		for _, text := range rejected {
			k.tried[text] = true
		}
	}
}

// batch is candidates that are judged together.
type batch struct {
	scenarios []*scenario.Scenario
	texts     []string
	from      []int // the number of each
	next      int   // number
}

// gather builds the next candidates that nobody has tried.
func (k *shrinker) gather(next, n int, build func(i int) *scenario.Scenario) batch {
	b := batch{next: next}
	for ; b.next < n && len(b.scenarios) < window; b.next++ {
		s := build(b.next)
		if s == nil {
			continue
		}
		s.Seeds = k.best.Seeds
		clean, text, ok := tidy(s)
		if !ok || text == k.text {
			continue
		}
		b.add(k.tried, b.next, clean, text)
		for _, seed := range k.otherSeeds(k.luck) {
			lucky := under(clean, seed)
			b.add(k.tried, b.next, lucky, string(scenario.Print(lucky)))
		}
	}
	return b
}

// add takes a candidate in, unless somebody tried it.
func (b *batch) add(tried map[string]bool, number int, s *scenario.Scenario, text string) {
	if tried[text] || slices.Contains(b.texts, text) {
		return
	}
	b.scenarios, b.texts, b.from = append(b.scenarios, s), append(b.texts, text), append(b.from, number)
}

// under is a scenario that runs under another seed.
func under(s *scenario.Scenario, seed uint64) *scenario.Scenario {
	s = s.Clone()
	s.Seeds = scenario.Seeds{First: seed, Last: seed}
	return s
}

// otherSeeds are so many seeds but the present one: small ones, so that a person can type them.
func (k *shrinker) otherSeeds(n int) []uint64 {
	var seeds []uint64
	for seed := uint64(1); len(seeds) < n; seed++ {
		if seed != k.best.Seeds.First {
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

func (k *shrinker) take(what string, s *scenario.Scenario, text string, found Finding) {
	k.best, k.text, k.found = s, text, found
	k.tell(Step{What: what, Scenario: s})
}

// edit changes one thing of a scenario, and says whether there was something to change.
type edit func(*scenario.Scenario) bool

// try offers edits in order, each on top of those that were taken before it.
func (k *shrinker) try(what string, edits []edit) {
	k.offer(what, len(edits), func(i int) *scenario.Scenario {
		s := k.best.Clone()
		if !edits[i](s) {
			return nil
		}
		return s
	}, func(int) {})
}

// remove drops as many of n things as it can: all, then halves, quarters and so on to single ones, the last first, for
// what stands later often hangs on what stands before. drop takes those from a scenario of which it is told that they
// are gone.
func (k *shrinker) remove(what string, n int, drop func(s *scenario.Scenario, gone []bool)) {
	base, gone := k.best, make([]bool, n)
	without := func(chunk []int) *scenario.Scenario {
		more := slices.Clone(gone)
		for _, i := range chunk {
			more[i] = true
		}
		s := base.Clone()
		drop(s, more)
		return s
	}
	for size := n; size > 0 && !k.over; size = half(size) {
		chunks := slices.Collect(slices.Chunk(backwards(gone), size))
		k.offer(what, len(chunks), func(i int) *scenario.Scenario { return without(chunks[i]) }, func(i int) {
			for _, j := range chunks[i] {
				gone[j] = true
			}
		})
	}
}

// half of 3 is 2, and of 1 nothing.
func half(size int) int {
	if size == 1 {
		return 0
	}
	return (size + 1) / 2
}

// backwards are the positions of those that are there, the last first.
func backwards(gone []bool) []int {
	var left []int
	for i := range gone {
		if !gone[i] {
			left = append(left, i)
		}
	}
	slices.Reverse(left)
	return left
}
