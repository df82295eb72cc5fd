package shrink

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/sim/scenario"
)

// big is a scenario with something of everything.
const big = `# Something of everything.

members  5 servers, 3 agents
seeds    7..50
lasts    10m
set      smoke, soak
zone     Europe/Berlin
tag      m6, m7  role=web
tag      m8      role=db
slots    m6 4
cluster  lost-after 20s
network  latency 1ms..50ms

job backup   every 2s   takes 3s..4s  retries 2 backoff 5s factor 2 max 1m  fails 5%
job report   cron "0 * * * * *"  takes 20s  overlap forbid  output 300  on role=web
job publish  after report  takes 1s
job merge    needs publish and backup on always
job tick     every 10s  times 40

clients 3  put, get, run  rate 12/m  timeout 2s

at 100s    toggle report
at 3m..4m  run publish  every 7s

at 60s     crash m2
at 90s     restart it
at 2m      partition m2, m7 | rest  for 33s
at 5m..8m  crash leader  for 10s..40s  every 1m
at 4th finishing report  crash agent
sometimes  drop 2% duplicate 1% delay 1ms..80ms

promise calm within 60s of heal
waive   result-kept because "nobody asked"
expect  probe nowhere
knob    forget-due
knob    no-backoff
must-break every-due-decided-once
`

// failing is what a test and a property offer alike.
type failing interface {
	Helper()
	Fatal(...any)
}

func parse(t failing, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("big", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judgeOf makes a judge of what one scenario must be to fail.
func judgeOf(fails func(*scenario.Scenario) bool) Judge {
	return func(candidates []*scenario.Scenario) (Finding, bool) {
		return Finding{Index: slices.IndexFunc(candidates, fails)}, true
	}
}

// body is a scenario as text, without the blank lines between its blocks.
func body(s *scenario.Scenario) string {
	var lines []string
	for line := range strings.Lines(string(scenario.Print(s))) {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	return strings.Join(lines, "\n")
}

func has[T any](all []T, is func(T) bool) bool { return slices.ContainsFunc(all, is) }

func job(s *scenario.Scenario, name string) (scenario.Job, bool) {
	i := slices.IndexFunc(s.Jobs, func(j scenario.Job) bool { return j.Name == name })
	if i < 0 {
		return scenario.Job{}, false
	}
	return s.Jobs[i], true
}

// TestWhatAFailureNeedsStays makes up failures by what they need, and holds that this is what is left.
func TestWhatAFailureNeedsStays(t *testing.T) {
	cases := map[string]struct {
		fails func(*scenario.Scenario) bool
		want  string
	}{
		"nothing": {
			func(*scenario.Scenario) bool { return true },
			"members 1 server\nseeds 7\nlasts 1s\nmust-break every-due-decided-once",
		},
		"a job with two of its options": {
			func(s *scenario.Scenario) bool {
				j, ok := job(s, "backup")
				return ok && j.Retries > 0 && j.Backoff.Initial > 0
			},
			"members 1 server\nseeds 7\nlasts 1s\njob backup every 1m retries 1 backoff 5s\nmust-break every-due-decided-once",
		},
		"a child, and so its parent": {
			func(s *scenario.Scenario) bool { _, ok := job(s, "publish"); return ok },
			"members 1 server\nseeds 7\nlasts 1s\njob report cron \"0 * * * * *\"\njob publish after report on success\nmust-break every-due-decided-once",
		},
		"an agent, by whatever name": {
			func(s *scenario.Scenario) bool {
				return has(s.Faults, func(f scenario.Fault) bool { return f.Verb == scenario.Partition }) &&
					has(s.Tags, func(g scenario.Tag) bool { return g.Value == "db" })
			},
			"members 1 server, 1 agent\nseeds 7\nlasts 1s\ntag m2 role=db\nat 1s partition m1 | rest for 1ms\nmust-break every-due-decided-once",
		},
		"three servers and a time": {
			func(s *scenario.Scenario) bool { return s.Members.Servers >= 3 && s.Lasts > 72*time.Second },
			"members 3 servers\nseeds 7\nlasts 1m18s\nmust-break every-due-decided-once",
		},
		"whom it means": {
			func(s *scenario.Scenario) bool {
				return has(s.Faults, func(f scenario.Fault) bool { return f.Verb == scenario.Restart })
			},
			"members 1 server\nseeds 7\nlasts 1s\nat 1s crash m1\nat 1s restart it\nmust-break every-due-decided-once",
		},
		"one of a family": {
			func(s *scenario.Scenario) bool { j, ok := job(s, "tick"); return ok && j.Times > 6 },
			"members 1 server\nseeds 7\nlasts 1s\njob tick every 1m times 10\nmust-break every-due-decided-once",
		},
		"noise, clients and a knob": {
			func(s *scenario.Scenario) bool {
				return has(s.Faults, func(f scenario.Fault) bool { return f.Verb == scenario.Drop && f.Chance >= 15_000 }) &&
					len(s.Clients) > 0 && slices.Contains(s.Clients[0].Ops, scenario.OpRun) && has(s.Knobs, func(k scenario.Knob) bool { return k.Name == "no-backoff" })
			},
			"members 1 server\nseeds 7\nlasts 1s\nclients 1 run rate 1/h timeout 5s\nsometimes drop 2%\nknob no-backoff\nmust-break every-due-decided-once",
		},
		"a step, and the job that it is about": {
			func(s *scenario.Scenario) bool {
				return has(s.Steps, func(st scenario.Step) bool { return st.Verb == scenario.StepToggle })
			},
			"members 1 server\nseeds 7\nlasts 1s\njob report cron \"0 * * * * *\"\nat 1s toggle report\nmust-break every-due-decided-once",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := parse(t, big)
			before := string(scenario.Print(s))
			small, err := Shrink(s, judgeOf(c.fails), func(Step) {})
			if err != nil {
				t.Fatal(err)
			}
			if got := body(small); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
			if string(scenario.Print(s)) != before {
				t.Error("the scenario that came in was changed")
			}
		})
	}
}
