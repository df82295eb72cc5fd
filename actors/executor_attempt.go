package actors

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// runAttempt starts an attempt, or answers again for one that is known. It says nothing
// to what belongs to another session: the leader repeats it, and the two will agree on
// a session first.
func (x *Executor) runAttempt(m *orrerypb.RunAttempt) {
	_, fence := wire.ToAttempt(m.GetAttempt())
	if h := x.attempts[fence]; h != nil {
		x.runAgain(h, m)
		return
	}
	if x.isOver(fence) && !x.env.Knob(KnobIgnoreFence) {
		x.answerOver(m.GetAttempt())
		return
	}
	if m.GetIncarnation() != x.env.Incarnation() && !x.env.Knob(KnobIgnoreIncarnation) {
		x.env.Emit(ProbeForeignIncarnation)
		x.refuse(m.GetAttempt(), orrery.ReasonRestarted)
		return
	}
	if !x.mayStart(m) {
		x.env.Emit(ProbeStartWithoutLease)
		return
	}
	if !x.able(m.GetExecutor()) {
		x.bar(m.GetAttempt(), orrery.ReasonRefused)
		return
	}
	x.note(fence, m)
}

// runAgain answers for an attempt that is held. One that only waits for a live session
// may begin.
func (x *Executor) runAgain(h *held, m *orrerypb.RunAttempt) {
	switch h.step {
	case noting, noted:
		if !x.mayStart(m) {
			return
		}
		h.run, h.leased = m, isLeased(m)
		if h.step == noted {
			x.begin(h)
		}
	case running, ended:
		x.env.Emit(ProbeToldToRunAgain)
		x.tellStarted(h)
	case done:
		x.env.Emit(ProbeToldToRunAgain)
		x.tellDone(h)
	}
}

// isOver reports whether a fence that is not held has had its time.
func (x *Executor) isOver(fence orrery.Fence) bool {
	_, remembered := x.over[fence]
	return remembered || fence < x.floor
}

// answerOver says of a barred fence again that it is. Of the others the state knows
// the end already.
func (x *Executor) answerOver(ref *orrerypb.AttemptRef) {
	x.env.Emit(ProbeFenceOver)
	if how, remembered := x.over[orrery.Fence(ref.GetFence())]; remembered && how == barred {
		x.refuse(ref, orrery.ReasonRefused)
	}
}

// able reports whether the member can take one more attempt of a kind.
func (x *Executor) able(executor string) bool {
	if x.boot.Executors != nil && !slices.Contains(x.boot.Executors, executor) {
		return false
	}
	busy := 0
	for _, h := range x.attempts {
		if h.step <= running {
			busy += partsOf(h.run.GetExecutor())
		}
	}
	return x.boot.Slots == 0 || busy < overload*slotParts*x.boot.Slots
}

// note has the disk write that the attempt starts, before anything of it exists.
func (x *Executor) note(fence orrery.Fence, m *orrerypb.RunAttempt) {
	h := &held{run: m, leased: isLeased(m)}
	x.attempts[fence] = h
	x.disk.Put(attemptKey(fence), wire.Marshal(&orrerypb.NotedAttempt{Run: m}))
	if x.env.Knob(KnobStartBeforeDurable) {
		x.begin(h)
	}
}

func isLeased(m *orrerypb.RunAttempt) bool { return m.GetExclusive() && m.GetRestartable() }

func (x *Executor) diskDone(m store.DiskDone) {
	fence, ok := attemptOfKey(m.Key)
	if !ok {
		unexpected(ExecutorName, m)
	}
	h := x.attempts[fence]
	if h == nil {
		return // given up while the disk wrote
	}
	switch h.step {
	case noting:
		x.notedDone(fence, h, m.Err)
	case ended:
		// Durable or not, it is told: the supervisor keeps it as well until Forget.
		h.step = done
		x.tellDone(h)
	}
}

func (x *Executor) notedDone(fence orrery.Fence, h *held, err string) {
	switch {
	case err != "":
		x.env.Emit(ProbeNoteFailed)
		x.drop(fence)
		x.bar(h.run.GetAttempt(), orrery.ReasonStartFailed)
	case x.mayStart(h.run):
		x.begin(h)
	default:
		x.env.Emit(ProbeLeaseOverInNoting)
		h.step = noted
	}
}

// begin hands the attempt to the supervisor.
func (x *Executor) begin(h *held) {
	id, fence := wire.ToAttempt(h.run.GetAttempt())
	h.step = running
	x.sup.Start(StartProcess{
		Run:     h.run,
		Leased:  h.leased,
		Timeout: time.Duration(h.run.GetTimeoutNs()),
		Grace:   time.Duration(h.run.GetKillGraceNs()),
	})
	x.env.Emit(AttemptBegun{id, fence, h.run.GetJob()})
	x.tellStarted(h)
}

// cancelAttempt ends an attempt, or sees to it that it never starts, should RunAttempt
// be on its way still.
func (x *Executor) cancelAttempt(m *orrerypb.CancelAttempt) {
	_, fence := wire.ToAttempt(m.GetAttempt())
	h := x.attempts[fence]
	switch {
	case h == nil && x.isOver(fence):
		x.answerOver(m.GetAttempt())
	case h == nil:
		x.env.Emit(ProbeCancelBeforeRun)
		x.bar(m.GetAttempt(), orrery.Reason(m.GetReason()))
	case h.step < running:
		x.drop(fence)
		x.bar(m.GetAttempt(), orrery.Reason(m.GetReason()))
	case h.step == running && !h.ending:
		h.ending = true
		x.sup.End(fence, orrery.Reason(m.GetReason()))
	case h.step == done:
		x.tellDone(h)
	}
}

// bar sees to it that a fence never starts here, and says so.
func (x *Executor) bar(ref *orrerypb.AttemptRef, reason orrery.Reason) {
	x.over[orrery.Fence(ref.GetFence())] = barred
	x.refuse(ref, reason)
}

func (x *Executor) refuse(ref *orrerypb.AttemptRef, reason orrery.Reason) {
	x.tell(&orrerypb.AttemptRefused{
		Term: x.term, Attempt: ref, Member: x.env.Self(), Incarnation: x.env.Incarnation(), Reason: string(reason),
	})
}

// drop forgets an attempt that was noted and not started.
func (x *Executor) drop(fence orrery.Fence) {
	delete(x.attempts, fence)
	x.disk.Delete(attemptKey(fence))
}

// updateAttempt: an edit changed whether a second start could happen elsewhere. The
// leader repeats it while the attempt runs, so nothing is lost by not knowing it yet.
func (x *Executor) updateAttempt(m *orrerypb.UpdateAttempt) {
	_, fence := wire.ToAttempt(m.GetAttempt())
	h := x.attempts[fence]
	if h == nil {
		return
	}
	h.leased = h.run.GetExclusive() && m.GetRestartable()
	if h.step == running {
		x.sup.SetLeased(fence, h.leased)
	}
}

// processStarted is no news but for a start that was handed over by the agent before
// this one and had not happened when this one looked: it was declared over since.
func (x *Executor) processStarted(fence orrery.Fence) {
	if h := x.attempts[fence]; h == nil || h.step >= ended {
		x.sup.End(fence, orrery.ReasonRestarted)
	}
}

func (x *Executor) processEnded(m ProcessEnded) {
	h := x.attempts[m.Fence]
	if h == nil {
		x.sup.Forget(m.Fence) // its result is part of the state: a Forget before got lost in a crash
		return
	}
	if h.step >= ended {
		return
	}
	id, _ := wire.ToAttempt(h.run.GetAttempt())
	h.step, h.result = ended, m.Result
	x.env.Emit(AttemptEnded{id, m.Fence, h.run.GetJob(), m.Result})
	x.disk.Put(attemptKey(m.Fence), wire.Marshal(&orrerypb.NotedAttempt{Run: h.run, Result: wire.FromResult(m.Result)}))
}

// acknowledged: the result is part of the state. Only the fence is remembered.
func (x *Executor) acknowledged(fence orrery.Fence) {
	if h := x.attempts[fence]; h != nil && h.step == done {
		x.forget(fence)
	}
}

func (x *Executor) forget(fence orrery.Fence) {
	x.drop(fence)
	x.sup.Forget(fence)
	if fence >= x.floor {
		x.over[fence] = acked
	}
}

func (x *Executor) tellStarted(h *held) {
	x.tell(&orrerypb.AttemptStarted{
		Term: x.term, Attempt: h.run.GetAttempt(), Member: x.env.Self(), Incarnation: x.env.Incarnation(),
	})
}

func (x *Executor) tellDone(h *held) {
	if x.leader == "" {
		return
	}
	if h.told {
		x.env.Emit(ProbeResultRepeated)
	}
	h.told = true
	x.tell(&orrerypb.AttemptDone{
		Member: x.env.Self(), Incarnation: x.env.Incarnation(), Attempt: h.run.GetAttempt(), Result: wire.FromResult(h.result),
	})
	if x.env.Knob(KnobDropResult) {
		x.forget(orrery.Fence(h.run.GetAttempt().GetFence()))
	}
}

// recover takes up what the agent before this one left: notes on the disk and processes
// at the supervisor, which knows better where they differ.
func (x *Executor) recover() {
	for _, key := range slices.Sorted(maps.Keys(x.boot.Records)) {
		x.recoverNote(key, x.boot.Records[key])
	}
	found := slices.SortedFunc(slices.Values(x.boot.Processes), func(a, b ProcessFound) int {
		return cmp.Compare(a.Run.GetAttempt().GetFence(), b.Run.GetAttempt().GetFence())
	})
	for _, p := range found {
		x.env.Emit(ProbeProcessFound)
		h := &held{run: p.Run, step: running}
		if p.Ended != nil {
			h.step, h.result = done, *p.Ended
		}
		x.attempts[orrery.Fence(p.Run.GetAttempt().GetFence())] = h
	}
	x.boot.Records, x.boot.Processes = nil, nil
}

// recoverNote reads a note as if there were no process: one without a result never
// started, or died with the machine. A note that cannot be read is none, as if it were
// torn.
func (x *Executor) recoverNote(key string, value []byte) {
	fence, ok := attemptOfKey(key)
	if !ok {
		return // not ours
	}
	var note orrerypb.NotedAttempt
	if err := proto.Unmarshal(value, &note); err != nil || orrery.Fence(note.GetRun().GetAttempt().GetFence()) != fence {
		x.env.Emit(ProbeNoteUnreadable)
		x.disk.Delete(key)
		return
	}
	h := &held{run: note.GetRun(), step: done, result: wire.ToResult(note.GetResult())}
	if note.GetResult() == nil {
		x.env.Emit(ProbeNeverStarted)
		h.result = orrery.Result{Reason: orrery.ReasonRestarted, Finished: x.env.Now()}
	}
	x.attempts[fence] = h
}

const attemptKeyPrefix = "attempt/"

func attemptKey(fence orrery.Fence) string {
	return attemptKeyPrefix + strconv.FormatUint(uint64(fence), 10)
}

func attemptOfKey(key string) (orrery.Fence, bool) {
	digits, ok := strings.CutPrefix(key, attemptKeyPrefix)
	if !ok {
		return 0, false
	}
	fence, err := strconv.ParseUint(digits, 10, 64)
	return orrery.Fence(fence), err == nil && fence != 0
}
