package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Check says where the parts of s contradict each other or lead nowhere: members and jobs that do not exist, jobs that wait for
// themselves, faults after the end. Parse has checked what it returns; who changes a Scenario checks again. Single words and numbers
// are taken to be what Parse lets pass. An error is of type Errors.
func (s *Scenario) Check() error {
	c := &checker{s: s, jobs: newJobIndex(s)}
	c.settings()
	c.equipment()
	c.schedules()
	c.cycles()
	c.steps()
	c.faults()
	c.verdicts()
	if len(c.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(c.errs, func(a, b Error) int { return cmp.Compare(a.Line, b.Line) })
	return c.errs
}

type checker struct {
	s    *Scenario
	jobs jobIndex
	errs Errors
}

// full says that more errors would not be told. Who goes to some length to word an error asks first.
func (c *checker) full() bool { return len(c.errs) == maxErrors }

func (c *checker) failf(line int, format string, args ...any) {
	if c.full() {
		return
	}
	c.errs = append(c.errs, Error{File: c.s.Name, Line: line, Text: fmt.Sprintf(format, args...)})
}

// settings looks at what every scenario must say. What is missing is missing from the beginning: line 1.
func (c *checker) settings() {
	if c.s.Members.Servers == 0 {
		c.failf(1, "nobody is there; say how many members the cluster has: members 3 servers, 2 agents")
	}
	if c.s.Lasts == 0 {
		c.failf(1, "there is no end; say how long a run is: lasts 10m")
	}
}

func (c *checker) equipment() {
	tagged := map[[2]string]int{}
	for _, t := range c.s.Tags {
		c.member(t.Line, t.Member)
		key := [2]string{t.Member, t.Key}
		if before, found := tagged[key]; found {
			c.failf(t.Line, "%s has a tag %s from line %d already", t.Member, t.Key, before)
		}
		tagged[key] = t.Line
	}
	slotted := map[string]int{}
	for _, sl := range c.s.Slots {
		c.member(sl.Line, sl.Member)
		if before, found := slotted[sl.Member]; found {
			c.failf(sl.Line, "%s has its slots from line %d already", sl.Member, before)
		}
		slotted[sl.Member] = sl.Line
	}
}

// member fails unless the cluster has a member so called.
func (c *checker) member(line int, name string) {
	total := c.s.Members.Servers + c.s.Members.Agents
	if total > 0 && memberNumber(name) > total {
		c.failf(line, "there is no member %s; members are m1..m%d", name, total)
	}
}

// before fails when a moment lies after the end.
func (c *checker) before(line int, at time.Duration) {
	if c.s.Lasts > 0 && at > c.s.Lasts {
		c.failf(line, "%s is after the end: the run lasts %s", formatDuration(at), formatDuration(c.s.Lasts))
	}
}

func (c *checker) schedules() {
	for i, j := range c.s.Jobs {
		if other, found := c.jobs.twin(i); found {
			c.failf(j.Line, "job %s is on line %d already", j.Name, c.s.Jobs[other].Line)
		}
		c.schedule(j)
	}
}

func (c *checker) schedule(j Job) {
	if j.Schedule.Kind == AtOnce {
		c.before(j.Line, j.Schedule.At)
	}
	seen := map[string]bool{}
	for _, n := range j.Schedule.Needs {
		c.job(j.Line, n.Job)
		if seen[n.Job] {
			c.failf(j.Line, "job %s needs %s twice", j.Name, n.Job)
		}
		seen[n.Job] = true
	}
}

// job fails unless name is one job that exists at some time.
func (c *checker) job(line int, name string) {
	if c.jobs.single(name) {
		return
	}
	if i, found := c.jobs.families[name]; found {
		c.failf(line, "%s is a family of jobs; say which of %s", name, c.s.Jobs[i].label())
		return
	}
	c.noJob(line, name)
}

// jobOrFamily fails unless name is one job or one family.
func (c *checker) jobOrFamily(line int, name string) {
	if _, found := c.jobs.families[name]; !found && !c.jobs.single(name) {
		c.noJob(line, name)
	}
}

// maxListed is how many jobs an error lists: a person with more knows where to look.
const maxListed = 8

func (c *checker) noJob(line int, name string) {
	if c.full() {
		return
	}
	var known []string
	for _, j := range c.s.Jobs {
		known = append(known, j.label())
	}
	listed := "jobs are " + join(known[:min(len(known), maxListed)])
	if len(known) > maxListed {
		listed += ", …"
	}
	if len(known) == 0 {
		listed = "no line begins with job"
	}
	c.failf(line, "there is no job %s%s (%s)", quote(name), didYouMean(name, known), listed)
}

// label shows a person what a line defines.
func (j Job) label() string {
	if j.Times == 0 {
		return j.Name
	}
	return fmt.Sprintf("%s-1..%s-%d", j.Name, j.Name, j.Times)
}

// jobIndex finds jobs by name.
type jobIndex struct {
	s        *Scenario
	singles  map[string]int // first position in Jobs of jobs that are no family
	families map[string]int // first position in Jobs of families
	put      map[string]bool
}

func newJobIndex(s *Scenario) jobIndex {
	x := jobIndex{s: s, singles: map[string]int{}, families: map[string]int{}, put: map[string]bool{}}
	for i, j := range s.Jobs {
		index := x.singles
		if j.Times > 0 {
			index = x.families
		}
		if _, taken := index[j.Name]; !taken {
			index[j.Name] = i
		}
	}
	for _, st := range s.Steps {
		if st.Verb == StepPut {
			x.put[st.Job] = true
		}
	}
	return x
}

// find returns the position of the line that defines the job called name, alone or in a family.
func (x jobIndex) find(name string) (int, bool) {
	if i, found := x.singles[name]; found {
		return i, true
	}
	return x.sibling(name)
}

// sibling returns the position of the family to which the job called name belongs.
func (x jobIndex) sibling(name string) (int, bool) {
	dash := strings.LastIndexByte(name, '-')
	if dash < 0 {
		return 0, false
	}
	i, found := x.families[name[:dash]]
	n, err := strconv.Atoi(name[dash+1:])
	return i, found && err == nil && n >= 1 && n <= x.s.Jobs[i].Times && strconv.Itoa(n) == name[dash+1:]
}

// single says whether name is one job, defined from the start or put by a step.
func (x jobIndex) single(name string) bool {
	_, found := x.find(name)
	return found || x.put[name]
}

// twin returns another line that defines a job with the name of one that the ith job defines, if that line is the one to keep.
func (x jobIndex) twin(i int) (int, bool) {
	j := x.s.Jobs[i]
	if j.Times > 0 {
		first := x.families[j.Name]
		return first, first != i
	}
	if first := x.singles[j.Name]; first != i {
		return first, true
	}
	return x.sibling(j.Name)
}

// cycles looks for jobs that wait for themselves. It walks from each job to its parents; a job that it meets again on the same walk
// closes a circle.
func (c *checker) cycles() {
	w := &walk{c: c, onPath: make([]bool, len(c.s.Jobs)), done: make([]bool, len(c.s.Jobs))}
	for i := range c.s.Jobs {
		w.visit(i)
	}
}

type walk struct {
	c      *checker
	path   []int // positions in Jobs: each needs the next
	onPath []bool
	done   []bool
}

func (w *walk) visit(i int) {
	if w.done[i] {
		return
	}
	if w.onPath[i] {
		w.report(w.path[slices.Index(w.path, i):])
		return
	}
	w.path, w.onPath[i] = append(w.path, i), true
	for _, n := range w.c.s.Jobs[i].Schedule.Needs {
		if parent, found := w.c.jobs.find(n.Job); found {
			w.visit(parent)
		}
	}
	w.path, w.onPath[i], w.done[i] = w.path[:len(w.path)-1], false, true
}

// report tells a circle, beginning with the job that stands first in the file.
func (w *walk) report(circle []int) {
	if w.c.full() {
		return
	}
	at := slices.Index(circle, slices.Min(circle))
	var names []string
	for _, i := range slices.Concat(circle[at:], circle[:at+1]) {
		names = append(names, w.c.s.Jobs[i].Name)
	}
	if hidden := len(names) - 1 - maxListed; hidden > 0 {
		names = slices.Replace(names, maxListed, maxListed+hidden, "…")
	}
	w.c.failf(w.c.s.Jobs[circle[at]].Line, "job %s waits for itself: %s", names[0], strings.Join(names, " → "))
}

func (c *checker) steps() {
	for _, st := range c.s.Steps {
		c.when(st.Line, st.When)
		switch st.Verb {
		case StepPauseScheduler, StepResumeScheduler:
		case StepPut:
			c.schedule(st.Put)
		default:
			c.job(st.Line, st.Job)
		}
	}
}

func (c *checker) when(line int, w When) {
	c.before(line, max(w.Span.Lo, w.Span.Hi))
	if w.Job != "" {
		c.jobOrFamily(line, w.Job)
	}
}

func (c *checker) verdicts() {
	said := map[PromiseName]int{}
	for _, p := range c.s.Promises {
		if before, found := said[p.Name]; found {
			c.failf(p.Line, "promise %s is on line %d already", p.Name, before)
		}
		said[p.Name] = p.Line
		for _, name := range p.Jobs {
			c.jobOrFamily(p.Line, name)
		}
	}
	waived := map[PromiseName]int{}
	for _, w := range c.s.Waivers {
		if before, found := said[w.Promise]; found {
			c.failf(w.Line, "promise %s is given on line %d; it cannot be waived as well", w.Promise, before)
		}
		if before, found := waived[w.Promise]; found {
			c.failf(w.Line, "promise %s is waived on line %d already", w.Promise, before)
		}
		waived[w.Promise] = w.Line
	}
	for _, m := range c.s.MustBreaks {
		if before, found := waived[m.Promise]; found {
			c.failf(m.Line, "promise %s is waived on line %d: nobody would see it break", m.Promise, before)
		}
	}
}
