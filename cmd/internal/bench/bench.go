//go:build linux

// Package bench measures clusters of real agents over their API: it starts them on this
// machine, or takes one that runs, gives them work, and counts what comes of it. It knows
// nothing of how agents are made.
package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"orrery/cmd/internal/live"
)

// Options say what is measured on. All must be set but for those that say otherwise.
type Options struct {
	Program  string // the agent's, with which clusters are started
	Servers  int
	Dir      string         // where clusters are made; "": the system's temporary folder
	Settings map[string]any // of every member's configuration; nil: none
	Keep     bool           // folders stay when clusters have ended

	Addr  string // of a cluster that runs, with a scheme; "": one is started for each measurement
	Token string // for it; "": none
	Sink  string // host:port where the calls of jobs are taken; the members must reach it

	Clients  int           // that ask at once
	Duration time.Duration // of a measurement of throughput
	Rates    []int         // executions due a second, one after the other; nil: as the measurement has them
	Kills    int           // of leaders
	Idle     int           // jobs that never run, there while leaders end
	Jobs     []int         // of which the cost of having them is measured

	Say func(format string, args ...any) // progress
}

// Measurement is one kind of what can be measured.
type Measurement struct {
	Name, About string
	Remote      bool // a cluster that runs already will do
	run         func(*Bench, context.Context, *Result) error
}

// Measurements lists all kinds.
var Measurements = []Measurement{
	{"writes", "jobs written a second by clients over the API, as jobs grow", true, (*Bench).writes},
	{"executions", "executions of the http executor at rates, their lateness and the leader's memory", true, (*Bench).executions},
	{"lateness", "the same, at 100 a second alone", true, (*Bench).lateness},
	{"burst", "1000 jobs that are due at the same instant, every five seconds", false, (*Bench).burst},
	{"failover", "leaders killed under load: how long nothing starts, what is lost or doubled", false, (*Bench).failover},
	{"graceful", "the same with leaders that are stopped", false, (*Bench).graceful},
	{"scale", "jobs that never run: memory, time of lists, time of a cold start", false, (*Bench).scale},
	{"shell", "executions of the shell executor with the command true, at growing rates", false, (*Bench).shell},
}

// Bench measures.
type Bench struct {
	opts Options
	http *http.Client
}

// New makes a Bench. It starts nothing yet.
func New(opts Options) *Bench {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, opts.Clients
	return &Bench{opts: opts, http: &http.Client{Transport: transport, Timeout: time.Minute}}
}

// Run measures one kind. When ctx ends it, or something fails, the result holds what was
// measured until then; the error of an end by ctx is nil.
func (b *Bench) Run(ctx context.Context, m Measurement) (Result, error) {
	r := Result{Measurement: m.Name, About: m.About, Cluster: b.shape(), Began: time.Now(), Cores: runtime.NumCPU(), LoadBefore: load()}
	err := m.run(b, ctx, &r)
	r.Took = Seconds(time.Since(r.Began))
	r.LoadAfter = load()
	if ctx.Err() != nil {
		r.Notes = append(r.Notes, "interrupted")
		return r, nil
	}
	if err != nil {
		err = fmt.Errorf("measure %s: %w", m.Name, err)
	}
	return r, err
}

func (b *Bench) shape() string {
	if b.opts.Addr != "" {
		return "that of " + b.opts.Addr
	}
	return fmt.Sprintf("%d servers on loopback, mTLS", b.opts.Servers)
}

// within runs a part of a measurement on a cluster of its own.
func (b *Bench) within(ctx context.Context, part func(*cluster) error) error {
	c, err := b.start(ctx)
	if err != nil {
		return err
	}
	return errors.Join(part(c), c.close())
}

// sleep waits, or ends with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// patience is how long a cluster may take for what takes it seconds.
const patience = time.Minute

// poll asks until there is no error.
func poll(ctx context.Context, ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return live.Poll(ctx, 5*time.Millisecond, func() error { return ask(ctx) })
}
