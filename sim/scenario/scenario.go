// Package scenario holds the scenario language: what a simulated cluster is made of, what its clients do, what goes wrong and
// what must hold all the same. Parse turns text into a Scenario, Print turns a Scenario into text that parses to an equal one, and
// Check says whether the parts of a Scenario agree with each other.
//
// It refuses to know a world. It opens no file, draws no chance, and judges neither cron expressions, time zones nor the names of
// knobs and probes; it hands them on as text, with the line they stood on, to those who know. The language is told in scenarios/README.md.
package scenario

import (
	"slices"
	"strconv"
	"time"
)

// Scenario is one scenario, parsed. It is flat, so that a shrinker can drop any element of any slice, call Check, and run what is
// left: elements refer to each other by name or by order, never by pointer. Line, wherever it occurs, is the line in the file, or 0
// for what no file holds; it bears no meaning.
type Scenario struct {
	Name  string // the file's name as given to Parse, for errors
	About string // the comment block at the top, without its # signs

	Members Members
	Seeds   Seeds         // 1..1 unless the file says otherwise
	Lasts   time.Duration // virtual time from the start to the end
	Starts  time.Time     // the wall clock of the world at its start, in UTC
	Zone    string        // of jobs that name none; not checked here
	Engines Engines
	Sets    []string // the collections that it belongs to, such as smoke; empty for none

	Tags    []Tag
	Slots   []Slots
	Cluster Cluster
	Network Network

	Jobs    []Job
	Clients []Clients
	Steps   []Step  // what one client does at a stated moment, in the order of the file
	Faults  []Fault // in the order of the file: the target "it" looks back along it

	Promises   []Promise   // parameters; a promise without an entry is judged as well
	Waivers    []Waiver    // promises that are not judged
	Expects    []Expect    // probes that the runs over all seeds must reach
	Knobs      []Knob      // rules that are broken on purpose
	MustBreaks []MustBreak // promises that must then be seen broken
}

// Members says how large the cluster is. Its members are called m1, m2, …; the servers come first.
type Members struct {
	Servers int // at least 1
	Agents  int
}

// Names lists the members, servers first.
func (m Members) Names() []string {
	names := make([]string, m.Servers+m.Agents)
	for i := range names {
		names[i] = "m" + strconv.Itoa(i+1)
	}
	return names
}

// Seeds is the range of seeds that a sweep tries, both ends included; a single run takes First.
type Seeds struct{ First, Last uint64 }

// Tag is one tag of one member.
type Tag struct {
	Member     string
	Key, Value string
	Line       int
}

// Slots is how many attempts a member carries at once. A member without an entry has what the agent's default gives it.
type Slots struct {
	Member string
	N      int // at least 1
	Line   int
}

// Cluster holds the settings of the cluster that a scenario may change; zero leaves the product's default.
type Cluster struct {
	LostAfter       time.Duration
	MisfireAfter    time.Duration
	Heartbeat       time.Duration
	MaxClockSkew    time.Duration
	HistoryMaxBytes int
}

// Network is the network while nothing is wrong with it.
type Network struct {
	Latency Range // of one frame, drawn for each
}

// Clients is a group of clients that behave alike, each choosing among Ops by chance.
type Clients struct {
	N       int           // at least 1
	Ops     []Op          // at least one, none twice
	Rate    Rate          // of each client
	Timeout time.Duration // how long a client waits for an answer
	Line    int
}

// Rate is a number of requests per unit of time.
type Rate struct {
	Count int           // at least 1
	Per   time.Duration // a second, a minute or an hour
}

// Op is one thing that clients ask for.
type Op string

// Put writes a job anew, edit changes one that exists, clear deletes its ended executions, pause stops the scheduler of the cluster or lets it go on.
const (
	OpPut    Op = "put"
	OpGet    Op = "get"
	OpRun    Op = "run"
	OpToggle Op = "toggle"
	OpDelete Op = "delete"
	OpCancel Op = "cancel"
	OpList   Op = "list"
	OpPause  Op = "pause"
	OpEdit   Op = "edit"
	OpClear  Op = "clear"
)

var ops = vocabulary[Op]{
	kind: "request",
	now:  []Op{OpPut, OpGet, OpRun, OpToggle, OpDelete, OpCancel, OpList, OpPause, OpEdit, OpClear},
}

// Engine is one way to run a scenario.
type Engine string

// The model is our components over models of raft, gossip, disk and processes; the sandbox is the agent itself on a virtual machine;
// live are real agents on this machine and its clock.
const (
	EngineModel   Engine = "model"
	EngineSandbox Engine = "sandbox"
	EngineLive    Engine = "live"
)

var engines = vocabulary[Engine]{kind: "engine", now: []Engine{EngineModel, EngineSandbox, EngineLive}}

// Engines says which engines may run a scenario. The zero value is all there are.
type Engines struct {
	Only []Engine // these and no others, none twice; empty: all
	Why  string   // the comment on the line, without its # sign; "" without one
	Line int
}

// Include says whether an engine is among them.
func (e Engines) Include(engine Engine) bool {
	return len(e.Only) == 0 || slices.Contains(e.Only, engine)
}

// String lists them as a scenario does: model, live; "" for all there are.
func (e Engines) String() string { return join(e.Only) }

// sets is the collections of scenarios that are run together. Smoke is for each change, faults has each fault in some scenario, and
// soak is for who has hours.
var sets = vocabulary[string]{kind: "set", now: []string{"smoke", "faults", "soak"}}

// What a scenario gets that does not say otherwise.
const (
	defaultZone    = "UTC"
	defaultTimeout = 5 * time.Second // longer than an election, so that a client rides out the loss of a leader
)

var (
	// defaultStarts is a Monday midnight far from any change of clocks: who wants one says so.
	defaultStarts  = time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC)
	defaultLatency = Range{Lo: time.Millisecond, Hi: 5 * time.Millisecond} // within one region
	defaultRate    = Rate{Count: 1, Per: time.Second}
)

// blank returns a scenario that says nothing: all defaults, no members, no end.
func blank(name string) *Scenario {
	return &Scenario{
		Name:    name,
		Seeds:   Seeds{First: 1, Last: 1},
		Starts:  defaultStarts,
		Zone:    defaultZone,
		Network: Network{Latency: defaultLatency},
	}
}

// Clone returns a copy whose slices can be cut, reordered and written to without a trace in s. A slice inside an element (the ops of
// clients, the targets of a fault, the parents of a job) is shared by both: replace it, do not write into it.
func (s *Scenario) Clone() *Scenario {
	c := *s
	c.Engines.Only = slices.Clone(s.Engines.Only)
	c.Sets = slices.Clone(s.Sets)
	c.Tags = slices.Clone(s.Tags)
	c.Slots = slices.Clone(s.Slots)
	c.Jobs = slices.Clone(s.Jobs)
	c.Clients = slices.Clone(s.Clients)
	c.Steps = slices.Clone(s.Steps)
	c.Faults = slices.Clone(s.Faults)
	c.Promises = slices.Clone(s.Promises)
	c.Waivers = slices.Clone(s.Waivers)
	c.Expects = slices.Clone(s.Expects)
	c.Knobs = slices.Clone(s.Knobs)
	c.MustBreaks = slices.Clone(s.MustBreaks)
	return &c
}
