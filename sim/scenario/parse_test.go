package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// alike compares scenarios, or parts of them, by what they mean: lines do not count, and no elements are no elements.
var alike = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(Tag{}, "Line"), cmpopts.IgnoreFields(Slots{}, "Line"), cmpopts.IgnoreFields(Job{}, "Line"),
	cmpopts.IgnoreFields(Clients{}, "Line"), cmpopts.IgnoreFields(Step{}, "Line"), cmpopts.IgnoreFields(Fault{}, "Line"),
	cmpopts.IgnoreFields(Promise{}, "Line"), cmpopts.IgnoreFields(Waiver{}, "Line"), cmpopts.IgnoreFields(Expect{}, "Line"),
	cmpopts.IgnoreFields(Knob{}, "Line"), cmpopts.IgnoreFields(MustBreak{}, "Line"), cmpopts.IgnoreFields(Engines{}, "Line"),
}

const preamble = "members 3 servers, 2 agents\nlasts 10m\njob report manually\njob backup manually\njob tick manually times 9\n"

func mustParse(t *testing.T, text string) *Scenario {
	t.Helper()
	s, err := Parse("x.scenario", []byte(text))
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, text)
	}
	return s
}

func TestOptionsOfJobsMeanWhatTheySay(t *testing.T) {
	manually := Schedule{Kind: Manually}
	tests := map[string]Job{
		"takes 3s..5s":       {Takes: Range{3 * time.Second, 5 * time.Second}},
		"takes 1500ms":       {Takes: Exactly(1500 * time.Millisecond)},
		"fails 20%":          {Fails: 200_000},
		"fails always":       {Fails: Always},
		"fails first 2":      {FailsFirst: 2},
		"hangs 0.5%":         {Hangs: 5_000},
		"ignores term":       {IgnoresTerm: true},
		"output 200":         {Output: 200},
		"retries 2":          {Retries: 2},
		"retries 0":          {},
		"backoff 5s":         {Backoff: Backoff{Initial: 5 * time.Second}},
		"backoff 5s max 1m":  {Backoff: Backoff{Initial: 5 * time.Second, Max: time.Minute}},
		"backoff 5s max 5s":  {Backoff: Backoff{Initial: 5 * time.Second, Max: 5 * time.Second}},
		"retry-on different": {RetryOn: RetryOnDifferent},
		"overlap forbid":     {Overlap: OverlapSkip},
		"overlap replace":    {Overlap: OverlapReplace},
		"queue-limit 3":      {QueueLimit: 3},
		"queue-keep latest":  {QueueKeep: KeepLatest},
		"max-parallel 2":     {MaxParallel: 2},
		"misfire all":        {Misfire: MisfireAll},
		"misfire-window 1h":  {MisfireWindow: time.Hour},
		"misfire-max 10":     {MisfireMax: 10},
		"timeout 30s":        {Timeout: 30 * time.Second},
		"deadline 5m":        {Deadline: 5 * time.Minute},
		"start-deadline 1m":  {StartDeadline: time.Minute},
		"kill-grace 5s":      {KillGrace: 5 * time.Second},
		"delivery exclusive": {Delivery: Exclusive},
		"on-lost wait":       {OnLost: LostWaits},
		"on role=web":        {On: []Place{{Key: "role", Value: "web"}}},
		"everywhere":         {Everywhere: true},
		"zone Europe/Berlin": {Zone: "Europe/Berlin"},
		"gap shift":          {Gap: GapShift},
		"repeat both":        {Repeat: RepeatBoth},
		"starts-at 1m":       {StartsAt: time.Minute},
		"expires 1d2h":       {Expires: 26 * time.Hour},
		"disabled":           {Disabled: true},
		"ephemeral":          {Ephemeral: true},
		"history 5":          {History: 5},
		"times 100":          {Times: 100},

		"backoff 5s max 1m factor 1.5": {Backoff: Backoff{Initial: 5 * time.Second, Factor: 1500, Max: time.Minute}},
		"on role=web:2 disk=ssd everywhere": {
			On: []Place{{Key: "role", Value: "web", Count: 2}, {Key: "disk", Value: "ssd"}}, Everywhere: true,
		},
	}
	covered := map[string]bool{}
	for text, want := range tests {
		covered[strings.Fields(text)[0]] = true
		want.Name, want.Schedule = "a", manually
		t.Run(text, func(t *testing.T) {
			s := mustParse(t, preamble+"job a manually "+text)
			if diff := cmp.Diff(want, s.Jobs[3], alike); diff != "" {
				t.Errorf("job differs (-want +got):\n%s", diff)
			}
			if s.Jobs[3].Line != 6 {
				t.Errorf("job is on line %d, want 6", s.Jobs[3].Line)
			}
		})
	}
	for _, word := range optionWords(jobOptions) {
		if !covered[word] {
			t.Errorf("option %s is not in the table", word)
		}
	}
}

func TestSchedulesMeanWhatTheySay(t *testing.T) {
	tests := map[string]Schedule{
		"every 10s":          {Kind: Every, Every: 10 * time.Second},
		`cron "0 * * * * *"`: {Kind: Cron, Cron: "0 * * * * *"},
		"at 2m":              {Kind: AtOnce, At: 2 * time.Minute},
		"at 0s":              {Kind: AtOnce},
		"manually":           {Kind: Manually},
		"after report":       {Kind: After, Join: JoinAll, Needs: []Need{{"report", OnSuccess}}},
		"after tick-9 on lost": {
			Kind: After, Join: JoinAll, Needs: []Need{{"tick-9", OnLoss}},
		},
		"needs report and backup on failure": {
			Kind: After, Join: JoinAll, Needs: []Need{{"report", OnSuccess}, {"backup", OnFailure}},
		},
		"needs report on always or backup": {
			Kind: After, Join: JoinAny, Needs: []Need{{"report", OnAlways}, {"backup", OnSuccess}},
		},
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			s := mustParse(t, preamble+"job a "+text+" takes 1s")
			if diff := cmp.Diff(want, s.Jobs[3].Schedule); diff != "" {
				t.Errorf("schedule differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMomentsMeanWhatTheySay(t *testing.T) {
	const s, m = time.Second, time.Minute
	tests := map[string]When{
		"at 60s drop 2%":                          {Kind: At, Span: Exactly(m)},
		"at 60s..90s drop 2%":                     {Kind: At, Span: Range{m, 90 * s}},
		"at 2m..5m drop 2% every 60s for 10s":     {Kind: Within, Span: Range{2 * m, 5 * m}, Every: m},
		"about every 1m drop 2%":                  {Kind: About, Every: m},
		"about every 1m drop 2% from 2m to 5m":    {Kind: About, Every: m, Span: Range{2 * m, 5 * m}},
		"about every 1m drop 2% from 2m":          {Kind: About, Every: m, Span: Range{Lo: 2 * m}},
		"sometimes drop 2%":                       {Kind: Sometimes},
		"sometimes drop 2% from 0s to 5m":         {Kind: Sometimes, Span: Range{Hi: 5 * m}},
		"at firing drop 2%":                       {Kind: Upon, Event: Firing, Nth: 1},
		"at firing report drop 2%":                {Kind: Upon, Event: Firing, Job: "report", Nth: 1},
		"at 3rd finishing tick drop 2%":           {Kind: Upon, Event: Finishing, Job: "tick", Nth: 3},
		"at every losing tick-3 drop 2%":          {Kind: Upon, Event: Losing, Job: "tick-3"},
		"at 11th committing drop 2%":              {Kind: Upon, Event: Committing, Nth: 11},
		"at every electing drop 2% duplicate 50%": {Kind: Upon, Event: Electing},
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			got := mustParse(t, preamble+text).Faults[0].When
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("moment differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStepsMeanWhatTheySay(t *testing.T) {
	put := Job{Name: "new", Schedule: Schedule{Kind: Every, Every: 5 * time.Second}, Retries: 2}
	tests := map[string]Step{
		"run tick-2":                    {Verb: StepRun, Job: "tick-2"},
		"toggle report":                 {Verb: StepToggle, Job: "report"},
		"delete report":                 {Verb: StepDelete, Job: "report"},
		"clear report":                  {Verb: StepClear, Job: "report"},
		"put new every 5s retries 2":    {Verb: StepPut, Job: "new", Put: put},
		"cancel report":                 {Verb: StepCancel, Job: "report"},
		"pause scheduler":               {Verb: StepPauseScheduler},
		"resume scheduler # not m1..m5": {Verb: StepResumeScheduler},
	}
	for text, want := range tests {
		want.When = When{Kind: At, Span: Exactly(30 * time.Second)}
		t.Run(text, func(t *testing.T) {
			s := mustParse(t, preamble+"at 30s "+text)
			if diff := cmp.Diff([]Step{want}, s.Steps, alike); diff != "" {
				t.Errorf("step differs (-want +got):\n%s", diff)
			}
			if s.Faults != nil {
				t.Errorf("the step is also read as a fault: %v", s.Faults)
			}
		})
	}
}

func TestTheRestOfTheLanguageMeansWhatItSays(t *testing.T) {
	got := mustParse(t, `# About
# this.

members 3 servers, 2 agents
seeds 3..9
lasts 10m
starts 2026-03-29T02:50:00+02:00
zone Europe/Berlin
engines live, sandbox   # the model's #1 has none
set soak, smoke
tag m4, m5 role=web disk=ssd
slots m1, m4 2
cluster lost-after 30s misfire-after 10s heartbeat 1s max-clock-skew 500ms history-max-bytes 65536
network latency 2ms
clients 4 put, get rate 30/m
clients 1 pause timeout 1s
promise calm within 20s of heal
promise timely within 2s
waive no-overlap because "so \"it\" goes"
expect probe p
knob k
must-break chain-once
`)
	want := &Scenario{
		Name:    "x.scenario",
		About:   "About\nthis.",
		Members: Members{Servers: 3, Agents: 2},
		Seeds:   Seeds{3, 9},
		Lasts:   10 * time.Minute,
		Starts:  time.Date(2026, 3, 29, 0, 50, 0, 0, time.UTC),
		Zone:    "Europe/Berlin",
		Engines: Engines{Only: []Engine{EngineLive, EngineSandbox}, Why: "the model's #1 has none"},
		Sets:    []string{"soak", "smoke"},
		Tags: []Tag{
			{Member: "m4", Key: "role", Value: "web"}, {Member: "m4", Key: "disk", Value: "ssd"},
			{Member: "m5", Key: "role", Value: "web"}, {Member: "m5", Key: "disk", Value: "ssd"},
		},
		Slots: []Slots{{Member: "m1", N: 2}, {Member: "m4", N: 2}},
		Cluster: Cluster{
			LostAfter: 30 * time.Second, MisfireAfter: 10 * time.Second, Heartbeat: time.Second,
			MaxClockSkew: 500 * time.Millisecond, HistoryMaxBytes: 65536,
		},
		Network: Network{Latency: Exactly(2 * time.Millisecond)},
		Clients: []Clients{
			{N: 4, Ops: []Op{OpPut, OpGet}, Rate: Rate{30, time.Minute}, Timeout: 5 * time.Second},
			{N: 1, Ops: []Op{OpPause}, Rate: Rate{1, time.Second}, Timeout: time.Second},
		},
		Promises:   []Promise{{Name: Calm, Within: 20 * time.Second}, {Name: Timely, Within: 2 * time.Second}},
		Waivers:    []Waiver{{Promise: NoOverlap, Because: `so "it" goes`}},
		Expects:    []Expect{{Probe: "p"}},
		Knobs:      []Knob{{Name: "k"}},
		MustBreaks: []MustBreak{{Promise: ChainOnce}},
	}
	if diff := cmp.Diff(want, got, alike); diff != "" {
		t.Errorf("scenario differs (-want +got):\n%s", diff)
	}
}

func TestAScenarioIsForTheEnginesThatItNames(t *testing.T) {
	tests := map[string][]Engine{
		"":                        {EngineModel, EngineSandbox, EngineLive},
		"engines model":           {EngineModel},
		"engines sandbox, live #": {EngineSandbox, EngineLive},
	}
	for text, want := range tests {
		s := mustParse(t, preamble+text)
		var got []Engine
		for _, e := range engines.now {
			if s.Engines.Include(e) {
				got = append(got, e)
			}
		}
		if !slices.Equal(got, want) || s.Engines.Why != "" {
			t.Errorf("%q is for %v because %q, want %v", text, got, s.Engines.Why, want)
		}
	}
}

func TestTheStartIsInUTCWhereverItWasWritten(t *testing.T) {
	got := mustParse(t, "members 1 server\nlasts 1m\nstarts 2026-03-29T02:50:00+02:00").Starts
	if want := time.Date(2026, 3, 29, 0, 50, 0, 0, time.UTC); got != want {
		t.Errorf("the start is %v, want %v", got, want)
	}
}

func TestLinesMayEndAsOnWindows(t *testing.T) {
	got := mustParse(t, "# About\r\n\r\nmembers 1 server\r\nlasts 1m\r\n")
	if diff := cmp.Diff(mustParse(t, "# About\n\nmembers 1 server\nlasts 1m\n"), got); diff != "" {
		t.Errorf("carriage returns make a difference:\n%s", diff)
	}
}

func TestWhatIsNotSaidHasADefault(t *testing.T) {
	got := mustParse(t, "members 1 server\nlasts 1m")
	want := &Scenario{
		Name:    "x.scenario",
		Members: Members{Servers: 1},
		Seeds:   Seeds{1, 1},
		Lasts:   time.Minute,
		Starts:  time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC),
		Zone:    "UTC",
		Network: Network{Latency: Range{time.Millisecond, 5 * time.Millisecond}},
	}
	if diff := cmp.Diff(want, got, alike); diff != "" {
		t.Errorf("scenario differs (-want +got):\n%s", diff)
	}
}

func TestNamesOfMembersAndOfFamilies(t *testing.T) {
	s := mustParse(t, "members 2 servers, 1 agent\nlasts 1m\njob a manually\njob b manually times 2")
	if diff := cmp.Diff([]string{"m1", "m2", "m3"}, s.Members.Names()); diff != "" {
		t.Errorf("members differ:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a"}, s.Jobs[0].Names()); diff != "" {
		t.Errorf("a single job:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b-1", "b-2"}, s.Jobs[1].Names()); diff != "" {
		t.Errorf("a family:\n%s", diff)
	}
}

func TestNamesOfMembers(t *testing.T) {
	tests := map[string]int{"m1": 1, "m12": 12, "m0": 0, "m01": 0, "m": 0, "m+1": 0, "n1": 0, "leader": 0, "m1x": 0, "m1000": 1000, "m1001": 0}
	for name, want := range tests {
		if got := Target(name).Member(); got != want {
			t.Errorf("Member of %q is %d, want %d", name, got, want)
		}
	}
}

func TestNearestWord(t *testing.T) {
	known := []string{"crash", "clog", "at", "heal", "drop"}
	tests := map[string]string{
		"krash": "crash", "carsh": "crash", "crashes": "crash", "cra": "", "krush": "crash", "crush": "crash",
		"xyz": "", "on": "", "ta": "at", "heel": "heal", "dorp": "drop", "clg": "clog", "clock": "clog", "": "",
	}
	for word, want := range tests {
		if got, _ := nearest(word, known); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

func TestACloneIsIndependent(t *testing.T) {
	s := mustParse(t, whole(strings.Join([]string{
		"members 3 servers, 2 agents", "lasts 10m", "engines live", "set smoke", "job a manually", "tag m1 a=b", "slots m1 2", "clients 1 get", "at 1s run a",
		"at 2s crash m1", "promise calm", `waive chain-once because "x"`, "expect probe p", "knob k", "must-break no-overlap",
	}, "\n")))
	before := string(Print(s))
	c := s.Clone()
	if diff := cmp.Diff(s, c); diff != "" {
		t.Fatalf("the clone differs:\n%s", diff)
	}
	c.Sets[0] = "soak"
	c.Engines.Only[0], c.Tags[0].Key, c.Slots[0].N, c.Jobs[0].Name, c.Clients[0].N = "x", "x", 9, "x", 9
	c.Steps[0].Job, c.Faults[0].Verb, c.Promises[0].Name, c.Waivers[0].Because = "x", Pause, StatesAgree, "y"
	c.Expects[0].Probe, c.Knobs[0].Name, c.MustBreaks[0].Promise = "x", "x", Calm
	if after := string(Print(s)); after != before {
		t.Errorf("writing to the clone changed the original:\n%s", cmp.Diff(before, after))
	}
}

func TestMoreThanAScenarioMayHold(t *testing.T) {
	lines := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format+"\n", i)
		}
		return b.String()
	}
	tests := map[string]struct{ most, more string }{
		"tags":   {lines(maxTags/2, "tag m1, m2 k%d=v"), "tag m1, m2 k=v"},
		"jobs":   {lines(maxJobs, "job j%d manually"), "job j manually"},
		"a name": {"job " + strings.Repeat("j", maxName) + " manually\n", "job " + strings.Repeat("i", maxName+1) + " manually"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := "members 3 servers\nlasts 1m\n" + test.most
			mustParse(t, text)
			if _, err := Parse("x.scenario", []byte(text+test.more)); err == nil {
				t.Errorf("one more is accepted")
			}
		})
	}
}
