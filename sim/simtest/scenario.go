package simtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"orrery/sim"
	"orrery/sim/scenario"
)

// Size bounds what [Scenario] draws. Zero stands for what each field names.
type Size struct {
	Servers int           // 5; the number drawn is odd
	Agents  int           // 2; negative: none
	Jobs    int           // 4, and at least 1
	Clients int           // 2; negative: none
	Faults  int           // 6; negative: none
	Lasts   time.Duration // 1m, exactly
	Verbs   []string      // of faults, as DrawFault takes them; all that break something
}

func (z Size) withDefaults() Size {
	set := func(n *int, usual int) {
		if *n == 0 {
			*n = usual
		}
		*n = max(*n, 0)
	}
	set(&z.Servers, 5)
	set(&z.Agents, 2)
	set(&z.Jobs, 4)
	set(&z.Clients, 2)
	set(&z.Faults, 6)
	z.Servers, z.Jobs = max(z.Servers, 1), max(z.Jobs, 1)
	if z.Lasts <= 0 {
		z.Lasts = time.Minute
	}
	return z
}

// Scenario draws a scenario that can be run and that the product should survive: jobs that
// its members can carry, and faults, on the clock or on an event, that all mend. It shrinks
// to one server with one job and no fault, and to small numbers.
func Scenario(t *rapid.T, size Size) *scenario.Scenario {
	t.Helper()
	size = size.withDefaults()
	members := scenario.Members{
		Servers: 1 + 2*drawBelow(t, "pairs of servers", (size.Servers+1)/2),
		Agents:  drawBelow(t, "agents", size.Agents+1),
	}
	among := verbs(t, size.Verbs)
	if members.Servers == 1 && len(among) > 0 {
		among = slices.DeleteFunc(among, func(v scenario.Verb) bool { return v == scenario.TransferLeader })
		if len(among) == 0 {
			size.Faults = 0
		}
	}
	lines := []string{fmt.Sprintf("members %d servers, %d agents", members.Servers, members.Agents), "lasts " + size.Lasts.String()}
	jobs := append(drawSome(t, "job", size.Jobs-1, drawJob), rapid.Custom(drawJob).Draw(t, "job"))
	for i, j := range jobs {
		lines = append(lines, j.line(i))
	}
	lines = append(lines, drawSome(t, "client", size.Clients, drawClient)...)
	lines = append(lines, drawSome(t, "fault", size.Faults, func(t *rapid.T) string { return drawTimed(t, members, among, size.Lasts) })...)
	text := strings.Join(lines, "\n")
	s, err := scenario.Parse("drawn", []byte(text))
	if err != nil {
		panic(fmt.Sprintf("simtest: drew what is no scenario: %v\n%s", err, text))
	}
	return s
}

// job is a job as it is drawn, before it is known which others there are.
type job struct {
	schedule string
	parent   int    // of the jobs above, counted round; -1: none
	on       string // what the parent must have ended in
	options  string
}

// drawJob draws a job. Its attempts take less time than lies between two due times, most
// often: a cluster that is never done is never calm.
func drawJob(t *rapid.T) job {
	pick := func(label string, from ...string) string { return drawOne(t, label, from) }
	j := job{
		schedule: pick("schedule", "every 10s", "every 2s", "every 5s", `cron "*/15 * * * * *"`, "at 5s", "manually"),
		parent:   drawBelow(t, "parent", 5) - 1, on: pick("on", "success", "failure", "always"),
	}
	options := []string{
		pick("takes", "", "takes 100ms", "takes 1s", "takes 500ms..4s", "takes 12s"),
		pick("fails", "", "fails first 1", "fails 20%", "fails always"),
		pick("retries", "", "retries 1 backoff 1s", "retries 3 backoff 500ms", "retries 1 retry-on different"),
		pick("overlap", "", "overlap forbid", "overlap replace", "overlap queue queue-limit 2"),
		pick("misfire", "", "misfire skip", "misfire all misfire-max 3"),
		pick("delivery", "", "delivery exclusive", "delivery at-least-once"),
		pick("on-lost", "", "on-lost fail"),
		pick("where", "", "everywhere"),
		pick("output", "", "output 200"),
	}
	j.options = strings.Join(options, " ")
	return j
}

// line is the job as the one after so many others.
func (j job) line(above int) string {
	schedule := j.schedule
	if j.parent >= 0 && above > 0 {
		schedule = fmt.Sprintf("after job%d on %s", 1+j.parent%above, j.on)
	}
	return fmt.Sprintf("job job%d %s %s", above+1, schedule, j.options)
}

func drawClient(t *rapid.T) string {
	ops := drawOne(t, "ops", []string{"get", "run", "put, get", "put, delete, get", "toggle, put", "edit, put, run", "run, cancel", "list, put, toggle"})
	return fmt.Sprintf("clients 1 %s rate %d/m", ops, 6+drawBelow(t, "rate", 55))
}

// drawTimed draws a fault and its moment. Those that hurt are seldom on the clock.
func drawTimed(t *rapid.T, members scenario.Members, among []scenario.Verb, lasts time.Duration) string {
	f := faults(members, among).Draw(t, "fault")
	switch f.When.Kind = drawOne(t, "when", []scenario.WhenKind{scenario.At, scenario.Upon, scenario.About}); f.When.Kind {
	case scenario.At:
		seconds := drawBelow(t, "seconds", int(lasts/time.Second)+1)
		f.When.Span = scenario.Exactly(time.Duration(seconds) * time.Second)
	case scenario.Upon:
		f.When.Event, f.When.Nth = drawOne(t, "event", hurting), 1+drawBelow(t, "nth", 20)
	case scenario.About:
		f.When.Every = max(lasts/4, time.Second)
	}
	return scenario.Line(f)
}

// hurting are the events on which drawn faults hang.
var hurting = []scenario.Event{
	scenario.Firing, scenario.Assigning, scenario.Starting, scenario.Finishing, scenario.Losing, scenario.Electing, scenario.Committing,
}

// Keep runs a scenario under a seed that is drawn and fails unless it keeps all promises,
// or breaks those that it says must break. A failure tells how to see it again.
func Keep(t *rapid.T, s *scenario.Scenario) *sim.Result {
	t.Helper()
	seed := drawSeed(t)
	r, err := sim.Run(s, seed, sim.Options{})
	if err != nil {
		t.Fatalf("simtest: %v", err)
	}
	if !r.Kept {
		tell(t, s, seed, "")
	}
	judge(t, r)
	return r
}
