package simtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/sim"
	"orrery/sim/scenario"
)

// Run checks a property with as many worlds as rapid is told to try. t is a *testing.T, or
// a *rapid.T of a check around it.
func Run(t rapid.TB, property func(w *World)) {
	t.Helper()
	rapid.Check(t, Property(property))
}

// Property makes of a property what rapid takes, for [rapid.MakeCheck] and [rapid.MakeFuzz].
func Property(property func(w *World)) func(*rapid.T) {
	return func(t *rapid.T) {
		w := &World{T: t}
		defer w.close()
		property(w)
		if w.live != nil {
			w.Finish()
		}
		w.whole = true
	}
}

// World is a simulated cluster and the chance that decides what happens to it. It stands
// still while the property thinks, and goes on in Pass, Step and Ask, and at the end. What
// is asked of it wrongly (an unknown word, a member that is not there) fails the property
// with what would have been accepted.
//
// It begins with Cluster: before that it can only draw, and any other method fails.
type World struct {
	*rapid.T
	live   *sim.Live
	seed   uint64
	text   string   // of Cluster
	puts   []string // jobs that steps have put, for lines below to name
	checks []check
	result *sim.Result // once it is finished
	whole  bool        // the property came to its end
}

type check struct {
	name  string
	holds func() error
}

// lookEvery is how much virtual time passes between two looks at the checks: shorter than
// anything takes that is worth a check of its own, and long enough to cost nothing.
const lookEvery = 100 * time.Millisecond

// usualLasts is how long a world may live whose cluster says nothing of it: longer than any
// property has patience.
const usualLasts = "lasts 24h"

// Cluster starts the cluster that some lines of the scenario language describe. They must
// say who is there (members 3 servers, 2 agents); jobs, clients, tags, knobs, waivers and
// faults at stated moments or events are as in a scenario. A line lasts bounds how long
// the world may live, 24h unless said. It comes once, and first.
func (w *World) Cluster(lines ...string) {
	w.Helper()
	if w.live != nil {
		w.Fatalf("simtest: a world has one cluster, and this one has it already")
	}
	w.text = strings.Join(lines, "\n")
	if !slices.ContainsFunc(strings.Split(w.text, "\n"), func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "lasts ") }) {
		w.text += "\n" + usualLasts
	}
	s, err := scenario.Parse("cluster", []byte(w.text))
	if err != nil {
		w.Fatalf("simtest: %v", err)
	}
	w.seed = drawSeed(w.T)
	if w.live, err = sim.Open(s, w.seed, sim.Options{}); err != nil {
		w.Fatalf("simtest: %v", err)
	}
}

// Check has something hold from now on: it is looked at every 100ms of virtual time, after
// each action, and when the world has come to rest. The first error fails the property; a
// nil error says that it holds. The function only looks: it does not let time pass.
func (w *World) Check(name string, holds func() error) {
	w.Helper()
	w.begun("Check")
	w.checks = append(w.checks, check{name, holds})
	w.look()
}

func (w *World) look() {
	w.Helper()
	for _, c := range w.checks {
		if err := c.holds(); err != nil {
			w.Fatalf("%s: at %s it does not hold: %v", c.name, w.live.Now(), err)
		}
	}
}

// Pass lets virtual time pass, in whole milliseconds: all that happens before the moment to
// which it leads.
func (w *World) Pass(d time.Duration) {
	w.Helper()
	w.standing("Pass")
	for end := w.live.Now() + d; w.live.Now() < end; {
		piece := lookEvery - w.live.Now()%lookEvery
		w.pass(min(piece, end-w.live.Now()))
	}
}

func (w *World) pass(d time.Duration) {
	w.Helper()
	if !w.live.Pass(d) {
		w.Fatalf("simtest: no time is left at %s: a line of the cluster says how long it lasts (lasts 48h), or the core was healed, which is the last thing to do", w.live.Now())
	}
	w.look()
}

// Fault does a fault of the language now: crash leader for 5s. It returns false when there
// was nobody to hit: no leader to crash, nobody to restart. What it begins may take a while:
// an agent that is restarted is up some milliseconds later.
func (w *World) Fault(line string) bool {
	w.Helper()
	w.standing("Fault")
	some := false
	for _, f := range w.read("Fault", line).Faults {
		hit, err := w.live.Strike(f)
		if err != nil {
			w.Fatalf("simtest: Fault: %v", err)
		}
		some = some || hit
	}
	w.look()
	return some
}

// Step has a user of the cluster ask something now, in the words of the language: run
// report, toggle report, cancel report, delete report, pause scheduler, put report every
// 5s takes 1s. Time passes until the answer has come. The error is nil when it was done; an
// [orrery.Error] with code Unknown when the user does not know.
func (w *World) Step(line string) error {
	w.Helper()
	w.standing("Step")
	st := w.read("Step", line).Steps[0]
	r := w.await(func(done func(*orrerypb.Response)) error { return w.live.Take(st, done) })
	if st.Verb == scenario.StepPut {
		w.puts = append(w.puts, line)
	}
	if r == nil {
		return orrery.Errorf(orrery.Unknown, "%s: nobody answered", line)
	}
	if a := r.GetAnswer(); a.GetCode() != "" {
		return orrery.Errorf(orrery.Code(a.GetCode()), "%s: %s", line, a.GetText())
	}
	return nil
}

// Ask sends any request of the API, of which the world takes hold, and lets time pass until
// the answer has come: the client tries other members while it does not know what came of
// it. Nil when it gave up without a word, after some tries of two seconds. A request by
// Ask is not part of the scenario that a failure prints; say with Step what a step can say.
func (w *World) Ask(r *orrerypb.Request) *orrerypb.Response {
	w.Helper()
	w.standing("Ask")
	return w.await(func(done func(*orrerypb.Response)) error { return w.live.Ask(r, done) })
}

// answerLook is how much time passes between two looks for an answer: about what a round
// trip takes.
const answerLook = 10 * time.Millisecond

func (w *World) await(ask func(done func(*orrerypb.Response)) error) (answer *orrerypb.Response) {
	w.Helper()
	answered := false
	if err := ask(func(r *orrerypb.Response) { answered, answer = true, r }); err != nil {
		w.Fatalf("simtest: %v", err)
	}
	for !answered {
		w.pass(answerLook)
	}
	return answer
}

// read makes sense of a line that lacks its moment, in the world as it is.
func (w *World) read(what, line string) *scenario.Scenario {
	w.Helper()
	if strings.Contains(line, "\n") {
		w.Fatalf("simtest: %s takes one line, and this is more: %q", what, line)
	}
	text := w.text + "\nat 0s crash all" // whom it may mean is for the world to say
	for _, put := range w.puts {
		text += "\nat 0s " + put
	}
	before, err := scenario.Parse(what, []byte(text))
	if err != nil {
		w.Fatalf("simtest: %s: %v", what, err)
	}
	s, err := scenario.Parse(what, []byte(text+"\nat 0s "+line))
	if err != nil {
		w.Fatalf("simtest: %s %q: %s", what, line, firstText(err))
	}
	s.Faults, s.Steps = s.Faults[len(before.Faults):], s.Steps[len(before.Steps):]
	if what == "Fault" && len(s.Faults) == 0 {
		w.Fatalf("simtest: %q is a step of a user, not a fault; Step takes it", line)
	}
	if what == "Step" && len(s.Steps) == 0 {
		w.Fatalf("simtest: %q is a fault, not a step of a user; Fault takes it", line)
	}
	return s
}

// firstText is what is wrong, without a place in a file that nobody has.
func firstText(err error) string {
	if all, ok := err.(scenario.Errors); ok {
		return all[0].Text
	}
	return err.Error()
}

// begun fails a method that needs a cluster where there is none.
func (w *World) begun(what string) {
	w.Helper()
	if w.live == nil {
		w.Fatalf("simtest: %s before Cluster: there is no cluster yet", what)
	}
}

// standing fails a method that does something to the world once that has ended.
func (w *World) standing(what string) {
	w.Helper()
	w.begun(what)
	if w.result != nil {
		w.Fatalf("simtest: %s after Finish: the world has ended", what)
	}
}

// Finish heals the world, lets it come to rest, looks at the checks once more and judges
// all promises: a broken one fails the property. Run does so at the end, unless it was
// done. What is returned, its history above all, is for properties of the whole run.
func (w *World) Finish() *sim.Result {
	w.Helper()
	w.begun("Finish")
	if w.result != nil {
		return w.result
	}
	w.result = w.live.Finish()
	w.look()
	judge(w.T, w.result)
	return w.result
}

// judge fails t unless a run did what it should.
func judge(t *rapid.T, r *sim.Result) {
	t.Helper()
	if r.Kept {
		return
	}
	for _, v := range r.Verdicts {
		for _, e := range v.Evidence {
			t.Logf("%s: %s", v.Promise, e.Text)
		}
	}
	if r.MustFail {
		t.Fatalf("a promise was kept that must be seen broken")
	}
	t.Fatalf("%s", firstBroken(r))
}

func firstBroken(r *sim.Result) string {
	for _, v := range r.Verdicts {
		if !v.Kept() {
			return fmt.Sprintf("promise %s is broken: %s", v.Promise, v.Evidence[0].Text)
		}
	}
	return ""
}

// close lets go of the world. When the property did not come to its end, or has failed, it
// tells how to see it again.
func (w *World) close() {
	if w.live == nil {
		return
	}
	if !w.whole || w.Failed() {
		w.tell()
	}
	w.live.Close()
}

func (w *World) tell() {
	note := ""
	if n := w.live.Unsaid(); n > 0 {
		note = fmt.Sprintf("\nNo line can say what was asked by Ask, %d times: from the first on it is another run.", n)
	}
	tell(w.T, w.live.Scenario(), w.seed, note)
}

// tell logs how to see a run again without rapid.
func tell(t *rapid.T, s *scenario.Scenario, seed uint64, note string) {
	t.Logf("What was done, as a scenario. Kept as failed.scenario, it happens again with\n"+
		"  sim run failed.scenario --seed %d\n  sim report failed.scenario --seed %d -o failed.html%s\n\n%s", seed, seed, note, scenario.Print(s))
}
