//go:build linux

package engine

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc64"
	"slices"
	"time"

	"orrery"
	"orrery/cmd/internal/live"
	"orrery/cmd/internal/live/ledger"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
	"orrery/store"
)

// This file makes of what was seen and of what the servers' disks hold the history that
// the judges take.

// unseen says of the promises that only the model can judge why.
var unseen = map[string]string{
	"bounded":  "mailboxes, timers and held frames are inside the agents; the state and the log are judged by the benchmarks",
	"notified": "nobody outside listens to webhooks here",
}

// judge judges a run whose members are gone.
func (w *world) judge() (*sim.Result, error) {
	h := w.history
	logs := map[string][]written{}
	for _, m := range w.cluster.Servers() {
		log, err := readLog(m)
		if err != nil {
			return nil, err
		}
		logs[m.Name] = log
	}
	committed, notes := w.enter(logs)
	if len(notes) > 0 {
		return nil, fmt.Errorf("the run cannot be judged: %v; live it in less time (--limit)", notes)
	}
	replica, err := store.Open()
	if err != nil {
		return nil, err
	}
	defer replica.Close()
	if err := w.replay(replica, committed); err != nil {
		return nil, err
	}
	if err := replica.CheckInvariants(); err != nil {
		h.Panics = append(h.Panics, promise.Panic{At: h.End, Member: "replay", Actor: "state", Reason: err.Error()})
	}
	h.Hashes = append(h.Hashes, w.hashes...)
	h.Counters = counters(replica)
	w.fillIn()
	return w.result(), nil
}

// takeSnapshots asks each server for its state and hashes it.
func (w *world) takeSnapshots() (hashes []promise.StateHash) {
	for _, m := range w.cluster.Servers() {
		if !m.Up() || !w.inCore(m.Name) {
			continue
		}
		var text []byte
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := live.Poll(ctx, 100*time.Millisecond, func() (err error) { // one that has just started does not answer yet
			text, err = m.Snapshot(ctx)
			return err
		})
		cancel()
		if err != nil {
			w.panicked(m.Name, "it gives no snapshot: "+err.Error())
			continue
		}
		state, err := store.Open()
		if err != nil {
			w.fail(err)
			return hashes
		}
		if err := state.Restore(bytes.NewReader(text)); err != nil {
			w.panicked(m.Name, "its snapshot cannot be read: "+err.Error())
		} else {
			hashes = append(hashes, promise.StateHash{At: w.now(), Member: m.Name, Index: state.Index(), Hash: state.Hash()})
		}
		state.Close()
	}
	return hashes
}

// replay applies the log to a replica that nobody disturbed, and looks at it whenever the
// run was looked at.
func (w *world) replay(replica *store.State, committed []written) error {
	h := w.history
	samples := h.Samples
	term := uint64(0)
	for _, e := range committed {
		at := w.at(e.at)
		for len(samples) > 0 && samples[0].At < at {
			w.lookBack(replica, &samples[0], term)
			samples = samples[1:]
		}
		term = e.term
		c := promise.Commit{At: at, Index: e.index, Term: e.term, EntryHash: crc64.Checksum(e.content, logTable)}
		if len(e.content) > 0 {
			entry, err := wire.DecodeEntry(e.content)
			if err != nil {
				return fmt.Errorf("entry %d of the log does not decode: %w", e.index, err)
			}
			c.Entry = entry
			c.Answers, c.Events = replica.Apply(e.index, e.term, entry)
		} else {
			replica.Apply(e.index, e.term, nil)
		}
		h.Commits = append(h.Commits, c)
		h.Hashes = append(h.Hashes, promise.StateHash{At: at, Member: "replay", Index: e.index, Hash: replica.Hash()})
	}
	for i := range samples {
		w.lookBack(replica, &samples[i], term)
	}
	return nil
}

// lookBack adds to a sample what the log says of its moment.
func (w *world) lookBack(replica *store.State, s *promise.Sample, term uint64) {
	s.Term = term
	wall := w.start.Add(s.At)
	if due, _ := replica.Due(wall, 1); len(due) > 0 && !replica.Paused() {
		s.Undecided = wall.Sub(due[0].Head)
	}
	s.Unreported, s.Orphans = w.strays(replica, s.At)
}

// strays counts what the state and the processes did not agree on for longer than a few
// heartbeats, at a moment: ended processes whose result was not committed, and attempts
// that the state called running although no process of theirs was there.
func (w *world) strays(replica *store.State, now time.Duration) (unreported, orphans int) {
	const page = 512
	grace := 5 * w.history.Config.HeartbeatEvery
	const running, reporting, overdue = 1, 2, 3
	processes := map[uint64]int{}
	for i := range w.history.Processes {
		p := &w.history.Processes[i]
		switch ended := p.Ended >= 0 && p.Ended <= now; {
		case p.Started > now:
		case !ended:
			processes[uint64(p.Fence)] = running
		case p.PowerLost:
			delete(processes, uint64(p.Fence))
		case p.Ended >= now-grace:
			processes[uint64(p.Fence)] = reporting
		default:
			processes[uint64(p.Fence)] = overdue
		}
	}
	wall := w.start.Add(now).UnixNano()
	for after, more := orrery.ExecutionID(0), true; more; {
		batch := replica.Assigned(after, page)
		for _, e := range batch {
			for _, slot := range e.Execution.GetSlots() {
				attempts := slot.GetAttempts()
				if orrery.State(slot.GetState()) != orrery.StateRunning || len(attempts) == 0 || !w.inCore(slot.GetMember()) {
					continue
				}
				switch processes[slot.GetFence()] {
				case overdue:
					unreported++
				case 0:
					if wall-attempts[len(attempts)-1].GetAssignedNs() > int64(grace) {
						orphans++
					}
				}
			}
			after = orrery.ExecutionID(e.Execution.GetId())
		}
		more = len(batch) == page
	}
	return unreported, orphans
}

// counters are what the jobs say at the end of how their executions ended.
func counters(replica *store.State) []promise.Counter {
	list := replica.Answer(&orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{}}})
	all := make([]promise.Counter, len(list.GetJobs()))
	for i, j := range list.GetJobs() {
		all[i] = promise.Counter{
			Job: j.GetRecord().GetJob().GetName(), UID: orrery.UID(j.GetRecord().GetUid()),
			Successes: j.GetState().GetSuccessCount(), Errors: j.GetState().GetErrorCount(),
		}
	}
	return all
}

// fillIn adds to the history what those who were asked could not tell: processes do not
// know the numbers of their jobs, and the API does not say them.
func (w *world) fillIn() {
	h := w.history
	l := readSaid(h)
	for _, j := range sim.Jobs(w.scenario) {
		l.writes[j.Name] = j.Output
	}
	for i := range h.Processes {
		p := &h.Processes[i]
		x := l.executions[uint64(p.Attempt.Execution)]
		p.UID, p.Exclusive = x.uid, x.exclusive
		l.reconcile(w, p)
	}
	h.FillIn()
}

// said is what the log says of executions and results.
type said struct {
	executions map[uint64]ofExecution
	results    map[uint64]*orrerypb.Result // the first that was committed, by fence
	writes     map[string]int              // bytes that processes write, by the scenario's jobs
}

type ofExecution struct {
	uid       orrery.UID
	exclusive bool
}

func readSaid(h *promise.History) said {
	l := said{map[uint64]ofExecution{}, map[uint64]*orrerypb.Result{}, map[string]int{}}
	type version struct{ uid, number uint64 }
	exclusive := map[version]bool{}
	last := map[uint64]bool{} // by uid
	for _, c := range h.Commits {
		if c.Entry == nil || c.Entry.GetTerm() != c.Term {
			continue
		}
		for i, command := range c.Entry.GetCommands() {
			if put := command.GetPutJob(); put != nil && c.Answers[i].GetChanged() {
				v := version{c.Answers[i].GetUid(), c.Answers[i].GetVersion()}
				job := wire.ToJob(put.GetJob())
				exclusive[v] = job.WithDefaults(h.Config).Delivery == orrery.DeliveryExclusive
			}
			for _, item := range command.GetFinish().GetItems() {
				if fence := item.GetAttempt().GetFence(); l.results[fence] == nil {
					l.results[fence] = item.GetResult()
				}
			}
		}
		for _, e := range c.Events {
			if e.GetExecution() == 0 || e.GetUid() == 0 {
				continue
			}
			is, known := exclusive[version{e.GetUid(), e.GetVersion()}]
			if known {
				last[e.GetUid()] = is
			}
			if _, there := l.executions[e.GetExecution()]; !there {
				l.executions[e.GetExecution()] = ofExecution{orrery.UID(e.GetUid()), last[e.GetUid()]}
			}
		}
	}
	return l
}

const (
	// slack is by how much what a supervisor notes of a process may differ from what the
	// process wrote itself: it begins before its first line and ends after its last.
	slack = 5 * time.Second
)

// reconcile lets a process have ended as was recorded, where it cannot know better itself:
// who killed it, and when exactly it was seen to begin and to end. What it does know stays,
// for the judges to compare.
func (l said) reconcile(w *world, p *promise.Process) {
	own := p.Result
	own.Output, own.Truncated = l.output(p)
	p.Result = own
	recorded := l.results[uint64(p.Fence)]
	if recorded == nil {
		return
	}
	r := wire.ToResult(recorded)
	begun, ended := w.at(r.Started), w.at(r.Finished)
	if begun <= p.Started && p.Started-begun < slack {
		p.Result.Started = r.Started
	}
	if own.Reason == killed {
		if !r.Succeeded && r.Reason != orrery.ReasonExit || r.Reason == orrery.ReasonExit && r.ExitCode > 128 {
			p.Result.Reason, p.Result.ExitCode = r.Reason, r.ExitCode
		}
		if ended >= p.Started && ended < p.Ended && p.Ended-ended < slack {
			p.Ended = ended // it was gone before it was seen to be
		}
	}
	if p.Ended >= 0 && (ended-p.Ended).Abs() < slack {
		p.Result.Finished = r.Finished
	}
	if own.Reason == orrery.ReasonExit && own.ExitCode == r.ExitCode && r.Reason != orrery.ReasonExit {
		p.Result.Reason = r.Reason // it was told to end, and had ended
	}
}

// output is what a process wrote, as far as a result keeps it.
func (l said) output(p *promise.Process) (tail []byte, truncated bool) {
	length, known := l.writes[p.Job]
	if !known {
		length = poolJob.Output
	}
	all := ledger.Output(ledger.Line{Job: p.Job, Execution: uint64(p.Attempt.Execution), Slot: p.Attempt.Slot, Attempt: p.Attempt.N}, length)
	if len(all) <= orrery.MaxChainOutput {
		return all, false
	}
	return all[len(all)-orrery.MaxChainOutput:], true
}

// result judges the history.
func (w *world) result() *sim.Result {
	h := w.history
	r := &sim.Result{
		Scenario: w.scenario.Name, Seed: w.seed, Stopped: h.Stopped, Virtual: h.End, Faults: len(w.nemesis.schedule),
		Schedule: w.nemesis.schedule, History: h, Messages: uint64(len(h.Commits)), Probes: map[string]uint64{},
	}
	r.Verdicts = append(r.Verdicts, promise.Panics(h))
	for _, p := range promise.All {
		if slices.ContainsFunc(w.scenario.Waivers, func(x scenario.Waiver) bool { return string(x.Promise) == p.Name }) {
			continue
		}
		if why, not := unseen[p.Name]; not {
			r.Verdicts = append(r.Verdicts, promise.Verdict{Promise: p.Name, Notes: []string{"the whole of it: " + why}})
			continue
		}
		r.Verdicts = append(r.Verdicts, p.Check(h, sim.Params(w.scenario, p.Name)))
	}
	r.Kept = !slices.ContainsFunc(r.Verdicts, func(v promise.Verdict) bool { return !v.Kept() })
	return r
}
