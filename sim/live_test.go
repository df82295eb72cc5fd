package sim

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery/proto/orrerypb"
	"orrery/sim/scenario"
)

// byHand is a cluster with lines of its own beside what is done to it.
const byHand = `
members  3 servers, 1 agent
lasts    1h

job backup  every 5s      takes 2s retries 1 fails 10%
job report  manually      takes 5s overlap forbid
job publish after report  takes 1s

clients 1  put, get, run  rate 30/m

at 5s                    pause m2  for 2s
at 2nd finishing backup  crash leader  for 5s
sometimes                drop 1% duplicate 1%
about every 20s          clog any-link  for 1s
`

func open(t testing.TB, text string, seed uint64) *Live {
	t.Helper()
	l, err := Open(load(t, text), seed, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// loadFault reads one fault of the language.
func loadFault(t testing.TB, text string) scenario.Fault {
	t.Helper()
	return load(t, "members 3 servers, 1 agent\nlasts 1m\nat 0s crash any\nat 1s "+text).Faults[1]
}

// TestDoneByHandIsAScenario holds that the lines of what was done do it again, after they
// were written and read.
func TestDoneByHandIsAScenario(t *testing.T) {
	s := load(t, byHand)
	faults := []string{
		"crash leader for 3s", "crash any", "restart it", "pause any for 1s", "partition leader | rest for 4s", "clog any-link for 2s",
		"heal", "power-loss follower for 5s", "skew agent ahead 1s..5s for 10s", "delay 1ms..50ms for 3s", "transfer-leader", "disk-slow server 1ms..9ms",
	}
	steps := []scenario.Step{
		{Verb: scenario.StepRun, Job: "report"},
		{Verb: scenario.StepCancel, Job: "report"},
		{Verb: scenario.StepToggle, Job: "backup"},
		{Verb: scenario.StepPut, Job: "report", Put: scenario.Job{Name: "report", Schedule: scenario.Schedule{Kind: scenario.Every, Every: 3 * time.Second}, Takes: scenario.Exactly(time.Second)}},
	}
	checks := 6
	rapid.Check(t, func(rt *rapid.T) {
		if checks--; checks < 0 {
			return // each is a run of a minute, twice
		}
		seed := rapid.Uint64().Draw(rt, "seed")
		l, err := Open(s, seed, Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer l.Close()
		for range rapid.IntRange(0, 12).Draw(rt, "actions") {
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				l.Pass(time.Duration(rapid.IntRange(1, 12).Draw(rt, "passes")) * 500 * time.Millisecond)
			case 1, 2:
				text := rapid.SampledFrom(faults).Draw(rt, "fault")
				if _, err := l.Strike(loadFault(t, text)); err != nil && !strings.Contains(err.Error(), `"it"`) {
					rt.Fatal(err)
				}
			case 3:
				if err := l.Take(rapid.SampledFrom(steps).Draw(rt, "step"), nil); err != nil {
					rt.Fatal(err)
				}
			}
		}
		want := l.Finish().Hash
		text := scenario.Print(l.Scenario())
		again, err := scenario.Parse("again", text)
		if err != nil {
			rt.Fatalf("%v in\n%s", err, text)
		}
		if got := run(t, again, seed, Options{}).Hash; got != want {
			rt.Errorf("by hand %s, by its scenario %s:\n%s", want, got, text)
		}
	})
}

// TestPassChangesNothing holds that it is one whether time passes at once or in pieces.
func TestPassChangesNothing(t *testing.T) {
	s := load(t, small)
	want := run(t, s, 3, Options{}).Hash
	l := open(t, small, 3)
	for l.Pass(777 * time.Millisecond) {
	}
	if got := l.Finish().Hash; got != want {
		t.Errorf("in pieces %s, at once %s", got, want)
	}
}

func TestPassStandsBeforeItsMoment(t *testing.T) {
	l := open(t, "members 1 server\nlasts 1m\nat 10s crash m1", 1)
	if !l.Pass(10*time.Second) || !l.Up("m1") {
		t.Error("what happens at 10s had happened when 10s had passed")
	}
	if !l.Pass(100*time.Microsecond) || l.Up("m1") || l.Now() != 10*time.Second+time.Millisecond {
		t.Errorf("a bit more, and it is %s, with m1 up: %v", l.Now(), l.Up("m1"))
	}
	if l.Pass(time.Hour) || l.Now() != time.Minute {
		t.Errorf("passed beyond the end: it is %s", l.Now())
	}
}

func TestTakeHearsTheAnswer(t *testing.T) {
	l := open(t, byHand, 1)
	l.Pass(4 * time.Second)
	var heard *orrerypb.Response
	if err := l.Take(scenario.Step{Verb: scenario.StepRun, Job: "report"}, func(r *orrerypb.Response) { heard = r }); err != nil {
		t.Fatal(err)
	}
	if heard != nil {
		t.Error("answered in no time")
	}
	l.Pass(3 * time.Second)
	if heard.GetAnswer().GetExecution() == 0 {
		t.Errorf("answered %v, want an execution", heard)
	}
	list := &orrerypb.ListExecutionsRequest{Job: "report"}
	if r := l.Read(&orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: list}}); len(r.GetExecutions()) != 1 {
		t.Errorf("the log says %v", r)
	}
}

// TestPutChangesProcessesWhenItIsAsked holds that the processes of a job do what it said
// before somebody put it anew.
func TestPutChangesProcessesWhenItIsAsked(t *testing.T) {
	r := run(t, load(t, "members 1 server\nlasts 1m\njob a every 10s takes 1s\nat 35s put a every 10s takes 3s"), 1, Options{})
	for _, p := range r.History.Processes {
		want := time.Second
		if p.Started > 35*time.Second {
			want = 3 * time.Second
		}
		if took := (p.Ended - p.Started).Round(time.Millisecond); p.Ended >= 0 && took != want {
			t.Errorf("started at %s, took %s, want %s", p.Started, took, want)
		}
	}
	if len(r.History.Processes) < 5 {
		t.Errorf("%d processes", len(r.History.Processes))
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	cases := map[string]struct {
		do   func(*Live) error
		want string
	}{
		"whom nobody hit":       {strike(scenario.Fault{Verb: scenario.Crash, Targets: []scenario.Target{scenario.It}}), "no fault above"},
		"who is not there":      {strike(scenario.Fault{Verb: scenario.Crash, Targets: []scenario.Target{"m9"}}), "crash m9: there is no member m9; members are m1..m4"},
		"a swarm":               {strike(scenario.Fault{Verb: scenario.Swarm}), "takes a line of the scenario"},
		"an upgrade to oneself": {strike(scenario.Fault{Verb: scenario.Upgrade, Targets: []scenario.Target{"m1"}}), "a line of the scenario with an upgrade"},
		"a job that is not":     {take(scenario.Step{Verb: scenario.StepRun, Job: "raport"}), "run raport: there is no job \"raport\"; did you mean report?"},
		"a job that cannot be":  {take(scenario.Step{Verb: scenario.StepPut, Job: "x", Put: scenario.Job{Name: "x", Schedule: scenario.Schedule{Kind: scenario.Cron, Cron: "61 * * * * *"}}}), "put x: "},
		"after the end": {func(l *Live) error {
			l.Finish()
			return strike(scenario.Fault{Verb: scenario.Heal})(l)
		}, "heal: the run is over"},
		"after the core was healed": {func(l *Live) error {
			if err := strike(scenario.Fault{Verb: scenario.Heal, Core: true})(l); err != nil {
				return err
			}
			return strike(scenario.Fault{Verb: scenario.Heal})(l)
		}, "the core was healed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.do(open(t, "members 3 servers, 1 agent\nlasts 1m\njob report manually", 1))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func strike(f scenario.Fault) func(*Live) error {
	return func(l *Live) error {
		_, err := l.Strike(f)
		return err
	}
}

func take(st scenario.Step) func(*Live) error {
	return func(l *Live) error { return l.Take(st, nil) }
}
