// Package process is a model of the supervisor of one member and of the job processes
// under it: they start, run, write, fail, hang, heed TERM or ignore it, and outlive the
// agent that asked for them. It knows no schedule and no cluster; what a process does is
// told by a plan.
//
// What it may do, as the comment of actors.Supervisor says: take its time to start a
// process, to note its end and to answer; lose what it was about to say when the agent
// dies; say of an ended process again that it has ended; find that TERM is ignored; lose
// with the power the end of a process that it had not noted yet.
//
// What it never does: start a fence twice while it knows it, start a leased process when
// the lease has run out, let one live past the lease, forget an order that was given
// before the agent crashed, answer out of order, say that a process has ended before that
// would survive a power loss.
package process

import (
	"time"

	"orrery"
	"orrery/netsim"
	"orrery/proto/orrerypb"
)

// Plan is what a process does.
type Plan struct {
	Takes       time.Duration
	Hangs       bool // does not end by itself
	IgnoresTERM bool // only KILL ends it
	StartFails  bool // cannot be started: no such command
	ExitCode    int
	Output      []byte // what it writes; cut to a tail as in production
}

// Process is one attempt under the supervisor.
//
//	         begins             exits, TERM, KILL         noted
//	starting ──────▶ running ─────────────────────▶ noting ─────▶ ended ──Forget──▶
//	   │                                              ▲
//	   └── cannot be started, lease over, End ────────┘
//
// A power loss keeps what has ended, and nothing else.
type Process struct {
	Run       *orrerypb.RunAttempt
	Result    orrery.Result // once it has ended
	PowerLost bool          // its end went with its machine: nobody was told, nobody will be

	fence     orrery.Fence
	plan      Plan
	step      step
	ran       bool
	leased    bool
	grace     time.Duration
	timeout   time.Duration
	reason    orrery.Reason // why it was told to end; the first one counts
	timers    []func()      // stop functions of all that is to happen to it
	stopWatch func()        // of the look at the lease that is to come
}

// step says how far a process is.
type step uint8

const (
	starting step = iota
	running
	noting // it has ended; the supervisor's disk is writing how
	ended
)

// at has f done to the process later, unless its end or the power's comes first.
func (p *Process) at(host Host, d time.Duration, f func()) {
	p.timers = append(p.timers, host.After(d, f))
}

// stop calls off what was to happen to the process.
func (p *Process) stop() {
	for _, stop := range p.timers {
		stop()
	}
	p.timers = nil
	p.stopWatch()
}

// pace is how long something takes: usual, but for some in a million that take slow.
type pace struct {
	usual   netsim.Range
	slowPPM uint32
	slow    netsim.Range
}

// The paces of the model. What is slow stays below a heartbeat, a second: long enough for
// other things to happen in between, and rare enough to be an exception.
var (
	// From the order to the first instruction: a fork, or one on a loaded machine.
	startTakes = pace{
		netsim.Range{Lo: time.Millisecond, Hi: 20 * time.Millisecond},
		5_000, netsim.Range{Lo: 50 * time.Millisecond, Hi: 500 * time.Millisecond},
	}
	// From the end of a process to its exit status on the disk: a sync.
	noteTakes = pace{
		netsim.Range{Lo: 200 * time.Microsecond, Hi: 2 * time.Millisecond},
		5_000, netsim.Range{Lo: 20 * time.Millisecond, Hi: 50 * time.Millisecond},
	}
	// From the supervisor's mouth to the agent's ear: a socket of one machine.
	answerTakes = pace{
		netsim.Range{Lo: 10 * time.Microsecond, Hi: time.Millisecond},
		10_000, netsim.Range{Lo: 20 * time.Millisecond, Hi: 500 * time.Millisecond},
	}
	// From TERM to the exit of a process that heeds it.
	termTakes = pace{usual: netsim.Range{Lo: 0, Hi: 200 * time.Millisecond}}
)

// The exit codes that a shell shows for processes that were signalled.
const (
	exitTERM = 128 + 15
	exitKILL = 128 + 9
)

// tail is what production keeps of an output: its end, as long as a chain may want it.
func tail(output []byte) (kept []byte, truncated bool) {
	if len(output) <= orrery.MaxChainOutput {
		return output, false
	}
	return output[len(output)-orrery.MaxChainOutput:], true
}
