//go:build linux

package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/live"
	"orrery/cmd/internal/live/ledger"
	"orrery/sim/promise"
	"orrery/sim/scenario"
	"orrery/store"
)

// This file watches what happens: what the jobs write into the ledger, when their
// processes end, who leads, and what the state tells.

// processKey tells the starts of processes apart, also two of one attempt.
type processKey struct {
	fence uint64
	pid   int
}

// watchLedger reads the ledger as it grows.
func (w *world) watchLedger() {
	var text []byte
	var f *os.File
	for ended := false; !ended; {
		ended = !w.sleep(5 * time.Millisecond) // one more look after the end
		if f == nil {
			var err error
			if f, err = os.Open(w.cluster.Ledger); err != nil {
				continue // nobody has written yet
			}
			defer f.Close()
		}
		more, err := io.ReadAll(f)
		if err != nil {
			w.fail(fmt.Errorf("read the ledger: %w", err))
			return
		}
		lines, rest, err := ledger.ParseAll(append(text, more...))
		if err != nil {
			w.fail(fmt.Errorf("read the ledger: %w", err))
			return
		}
		text = rest
		for _, l := range lines {
			w.wrote(l)
		}
	}
}

// wrote takes a line of the ledger.
func (w *world) wrote(l ledger.Line) {
	key := processKey{l.Fence, l.PID}
	if l.Kind == ledger.End {
		w.edit(func(h *promise.History) {
			i, ok := w.open[key]
			if !ok {
				return
			}
			p := &h.Processes[i]
			p.Ended = w.at(l.At)
			p.Result = orrery.Result{Succeeded: l.Code == 0, ExitCode: l.Code, Reason: orrery.ReasonExit}
		})
		w.nemesis.happened(scenario.Finishing, l.Job)
		return
	}
	w.edit(func(h *promise.History) {
		w.open[key] = len(h.Processes)
		h.Processes = append(h.Processes, promise.Process{
			Member: l.Member, Attempt: orrery.AttemptID{Execution: orrery.ExecutionID(l.Execution), Slot: l.Slot, N: l.Attempt},
			Fence: orrery.Fence(l.Fence), Job: l.Job, Started: w.at(l.At), Ended: -1,
		})
	})
	over := live.Gone(l.PID)
	w.background(func() { w.attend(key, over) })
	w.nemesis.happened(scenario.Starting, l.Job)
}

// attend waits for the end of a process. One that wrote no line about it was killed.
func (w *world) attend(key processKey, over <-chan struct{}) {
	select {
	case <-over:
	case <-w.ctx.Done():
		return
	}
	at := w.now()
	w.sleep(50 * time.Millisecond) // for the line to be read
	w.edit(func(h *promise.History) {
		if p := &h.Processes[w.open[key]]; p.Ended < 0 {
			p.Ended, p.Result = at, orrery.Result{Reason: killed}
		}
	})
}

// killed is the reason of an end of which the process itself said nothing: who killed it
// is for the log to say.
const killed orrery.Reason = "killed"

// lostPower marks what nobody can tell of: what ran when the power went, and what ended
// so shortly before that its supervisor may not have noted it.
func (w *world) lostPower(member string) {
	const unnoted = 2 * time.Second
	w.edit(func(h *promise.History) {
		for i := range h.Processes {
			if p := &h.Processes[i]; p.Member == member && (p.Ended < 0 || p.Ended > w.now()-unnoted) {
				p.PowerLost = true
			}
		}
	})
}

// watchLeader looks who leads, for the story.
func (w *world) watchLeader() {
	vacant, led := time.Duration(0), ""
	for w.sleep(50 * time.Millisecond) {
		name := w.leaderName()
		switch {
		case w.ctx.Err() != nil:
		case name == "" && led != "":
			vacant, led = w.now(), ""
		case name != led:
			if led != "" {
				w.say("★ %s leads, after %s", name, led)
			} else {
				w.say("★ %s leads, after %v without a leader", name, (w.now() - vacant).Truncate(time.Millisecond))
			}
			led = name
		}
		w.mu.Lock()
		w.leader = led
		w.mu.Unlock()
	}
}

// followEvents listens to what a server tells of the state, and to another when that one
// is no longer heard. What nobody hears while it changes does not trigger anything.
func (w *world) followEvents() {
	var last uint64
	for w.ctx.Err() == nil {
		for _, m := range w.cluster.Servers() {
			if m.Up() && !m.Paused() {
				last = w.listen(m, last)
			}
		}
		w.sleep(20 * time.Millisecond)
	}
}

// silence is how long a server may say nothing before another is asked.
const silence = 3 * time.Second

// listen takes the events of one server, those after an index, until it is silent.
func (w *world) listen(m *live.Member, last uint64) uint64 {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	r, err := http.NewRequestWithContext(ctx, "GET", m.URL()+"/v1/events", nil)
	if err != nil {
		w.fail(err)
		return last
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return last
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		watchdog.Reset(silence)
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		var e api.Event
		if json.Unmarshal([]byte(data), &e) == nil && e.Index >= last {
			if e.Index > last {
				last = e.Index
			}
			w.told(e)
		}
	}
	return last + 1
}

// told takes an event of the state.
func (w *world) told(e api.Event) {
	switch e.Kind {
	case store.EventExecutionCreated:
		w.count("fired")
		w.nemesis.happened(scenario.Firing, e.JobName)
	case store.EventAttemptAssigned:
		w.nemesis.happened(scenario.Assigning, e.JobName)
	case store.EventAttemptLost:
		w.say("! %s lost on %s (%s)", e.JobName, e.NodeName, e.Reason)
		w.nemesis.happened(scenario.Losing, e.JobName)
	case store.EventExecutionClosed:
		w.count(e.Outcome)
	case store.EventSkipped:
		w.count("skipped (" + e.Reason + ")")
	}
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// tellNumbers tells now and then what went as it should.
func (w *world) tellNumbers() {
	for w.sleep(15 * time.Second) {
		w.mu.Lock()
		counts := w.counts
		w.counts = map[string]int{}
		w.mu.Unlock()
		var parts []string
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			parts = append(parts, fmt.Sprintf("%d %s", counts[what], what))
		}
		if len(parts) > 0 {
			w.say("· %s", strings.Join(parts, ", "))
		}
	}
}

// answers is how long a member may take to say whether it leads: one that is slow, as this
// machine may make it, still does.
const answers = 10 * time.Second

// sample looks at how the cluster stands. What the log says of it is added in the end.
func (w *world) sample() {
	s := promise.Sample{At: w.now()}
	for _, m := range w.cluster.Servers() {
		core := w.inCore(m.Name)
		if !m.Up() || !core && m.Paused() {
			continue
		}
		ctx, cancel := context.WithTimeout(w.ctx, answers)
		leads, _ := m.Leads(ctx)
		index, err := m.Applied(ctx)
		cancel()
		if leads {
			s.Leaders = append(s.Leaders, m.Name)
		}
		if err != nil {
			continue
		}
		s.MaxApplied = max(s.MaxApplied, index)
		if core && (s.MinApplied == 0 || index < s.MinApplied) {
			s.MinApplied = index
		}
	}
	w.edit(func(h *promise.History) { h.Samples = append(h.Samples, s) })
}

func (w *world) inCore(member string) (in bool) {
	w.edit(func(h *promise.History) { in = h.InCore(member) })
	return in
}
