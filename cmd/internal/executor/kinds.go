package executor

import (
	"slices"
	"sync"
	"time"

	"orrery"
	"orrery/cmd/internal/executor/spool"
	"orrery/cmd/internal/executor/supervisorpb"
	"orrery/proto/orrerypb"
)

// Options are what an operator may say about attempts of a member.
type Options struct {
	DisableShell bool // no shell attempts
	DisableSu    bool // none that run as another user

	Spool spool.Limits // of output that is kept
}

// Kinds lists the executors that a member with these options offers, by name.
func Kinds(o Options) []string {
	if o.DisableShell || !processes {
		return []string{orrery.ExecutorHTTP}
	}
	return []string{orrery.ExecutorHTTP, orrery.ExecutorShell}
}

// Processors lists the processors of output that a job may name, by name.
func Processors() []string { return []string{processorFiles, processorLog} }

func (o Options) settings() *supervisorpb.Settings {
	return &supervisorpb.Settings{
		DisableShell: o.DisableShell, DisableSu: o.DisableSu,
		SpoolAttemptBytes: o.Spool.Attempt, SpoolMaxBytes: o.Spool.Total, SpoolMaxAgeNs: int64(o.Spool.Age),
	}
}

func spoolLimits(s *supervisorpb.Settings) spool.Limits {
	return spool.Limits{Attempt: s.GetSpoolAttemptBytes(), Total: s.GetSpoolMaxBytes(), Age: time.Duration(s.GetSpoolMaxAgeNs())}
}

// kind is one way to carry out attempts: it reads the options of one. The error says what
// is wrong with them and what would have been accepted.
type kind func(run *orrerypb.RunAttempt, s *supervisorpb.Settings) (plan, error)

// plan is an attempt whose options were read.
type plan struct {
	timeout time.Duration // of its options; 0: none

	// begin begins it. Unless it fails, ended is called once, from another goroutine, when
	// nothing of the attempt is left and all its output was written.
	begin func(out *output, ended func(exit)) (task, error)
}

// task is an attempt under way.
type task interface {
	Term() // asks it to end
	Kill() // ends it
}

// exit says how a task ended. Code 0 is a success.
type exit struct {
	code int
	why  string // when the code does not say it; becomes part of the output
}

// output takes what an attempt writes: all of it for the spool, the end for the result, in
// one order for both.
type output struct {
	brief bool // what fits into the record need not be in the spool

	mu    sync.Mutex
	spool *spool.Writer
	tail  *spool.Tail
}

func newOutput(dir *spool.Dir, id orrery.AttemptID, run *orrerypb.RunAttempt) *output {
	return &output{spool: dir.Writer(id), tail: spool.NewTail(orrery.MaxChainOutput), brief: len(run.GetProcessors()) == 0}
}

func (o *output) write(stream spool.Stream, p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.tail.Write(p)
	o.spool.Write(stream, p)
}

// writeAll takes the whole output at once. What fits into the record of the attempt makes
// no file: most HTTP calls are answered in a few words, thousands a second.
func (o *output) writeAll(p []byte) {
	if o.brief && len(p) <= orrery.MaxOutputTail {
		o.mu.Lock()
		defer o.mu.Unlock()
		_, _ = o.tail.Write(p)
		return
	}
	o.write(spool.Stdout, p)
}

// say adds a line of ours.
func (o *output) say(text string) {
	if text != "" {
		o.write(spool.Stderr, []byte(text+"\n"))
	}
}

// names lists what is accepted, for errors.
func names(of map[string]kind) []string {
	var all []string
	for name := range of {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
