package actors

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// fakeDisk keeps records as the port allows: what was handed over is durable when it
// was answered, and until then it may or may not survive the power.
type fakeDisk struct {
	records map[string][]byte
	writes  []diskWrite // handed over, not answered
}

type diskWrite struct {
	key    string
	value  []byte
	remove bool
}

func newFakeDisk() *fakeDisk { return &fakeDisk{records: make(map[string][]byte)} }

func (d *fakeDisk) Put(key string, value []byte) {
	d.writes = append(d.writes, diskWrite{key: key, value: bytes.Clone(value)})
}

func (d *fakeDisk) Delete(key string) { d.writes = append(d.writes, diskWrite{key: key, remove: true}) }

func (d *fakeDisk) has(fence orrery.Fence) bool { return d.records[attemptKey(fence)] != nil }

// answer ends the oldest write. A write that failed may have happened all the same.
func (d *fakeDisk) answer(failed, happened bool) store.DiskDone {
	w := d.writes[0]
	d.writes = d.writes[1:]
	if !failed || happened {
		d.do(w)
	}
	if failed {
		return store.DiskDone{Key: w.key, Err: "no space left"}
	}
	return store.DiskDone{Key: w.key}
}

func (d *fakeDisk) do(w diskWrite) {
	if w.remove {
		delete(d.records, w.key)
	} else {
		d.records[w.key] = w.value
	}
}

// crash is the end of the agent: what it handed over is carried out, unanswered.
func (d *fakeDisk) crash() {
	for len(d.writes) > 0 {
		d.answer(false, true)
	}
}

// powerLoss carries out the first n of what was handed over.
func (d *fakeDisk) powerLoss(n int) {
	for range n {
		d.answer(false, true)
	}
	d.writes = nil
}

// fakeSupervisor runs processes that are nothing but a record of when they ran. It
// keeps the lease by the boot-time clock of its member, whatever the agent does.
type fakeSupervisor struct {
	boot      func() time.Duration
	processes map[orrery.Fence]*fakeProcess // not forgotten
	every     []*fakeProcess                // ever begun, in order
	until     time.Duration
	answers   []any // on their way to the Executor
	told      int   // how often End was called
	onBegin   func(*fakeProcess)
	onEnd     func(*fakeProcess)
}

type fakeProcess struct {
	fence    orrery.Fence
	start    StartProcess
	leased   bool
	began    time.Duration
	termAt   time.Duration // when it was told to end; 0: it was not
	why      orrery.Reason
	stubborn bool // it ignores TERM
	ended    bool
	killed   bool // by a power loss: nobody knows how it ended
	result   orrery.Result
}

func newFakeSupervisor(boot func() time.Duration) *fakeSupervisor {
	return &fakeSupervisor{
		boot: boot, processes: make(map[orrery.Fence]*fakeProcess),
		onBegin: func(*fakeProcess) {}, onEnd: func(*fakeProcess) {},
	}
}

func (s *fakeSupervisor) Start(p StartProcess) {
	fence := orrery.Fence(p.Run.GetAttempt().GetFence())
	known := s.processes[fence]
	if known == nil {
		known = &fakeProcess{fence: fence, start: p, leased: p.Leased, began: s.boot()}
		s.processes[fence] = known
		s.every = append(s.every, known)
		s.onBegin(known)
	}
	if known.ended {
		s.answers = append(s.answers, ProcessEnded{fence, known.result})
	} else {
		s.answers = append(s.answers, ProcessStarted{fence})
	}
	s.keepLease()
}

func (s *fakeSupervisor) End(fence orrery.Fence, reason orrery.Reason) {
	s.told++
	if p := s.processes[fence]; p != nil && !p.ended && p.termAt == 0 {
		p.termAt, p.why = s.boot(), reason
	}
}

func (s *fakeSupervisor) SetLease(until time.Duration) { s.until = until }

func (s *fakeSupervisor) SetLeased(fence orrery.Fence, leased bool) {
	if p := s.processes[fence]; p != nil {
		p.leased = leased
	}
}

func (s *fakeSupervisor) Forget(fence orrery.Fence) {
	if p := s.processes[fence]; p != nil && !p.ended {
		panic(fmt.Sprintf("fence %d was forgotten while its process runs", fence))
	}
	delete(s.processes, fence)
}

// keepLease ends what the lease and kill graces end, as of now. It is to be called
// whenever time has passed.
func (s *fakeSupervisor) keepLease() {
	now := s.boot()
	for _, p := range s.running() {
		if p.leased && now >= s.until-p.start.Grace && p.termAt == 0 {
			p.termAt, p.why = now, orrery.ReasonCutOff
		}
		switch {
		case p.leased && now >= s.until:
			s.end(p, orrery.Result{Reason: orrery.ReasonCutOff})
		case p.termAt != 0 && (!p.stubborn || now >= p.termAt+p.start.Grace):
			s.end(p, orrery.Result{Reason: p.why})
		}
	}
}

func (s *fakeSupervisor) end(p *fakeProcess, result orrery.Result) {
	p.ended, p.result = true, result
	s.answers = append(s.answers, ProcessEnded{p.fence, result})
	s.onEnd(p)
}

func (s *fakeSupervisor) running() []*fakeProcess {
	var running []*fakeProcess
	for _, fence := range slices.Sorted(maps.Keys(s.processes)) {
		if p := s.processes[fence]; !p.ended {
			running = append(running, p)
		}
	}
	return running
}

// crash is the end of the agent: answers on their way to it are lost. An end is told
// again to the next agent, as found.
func (s *fakeSupervisor) crash() { s.answers = nil }

// powerLoss ends every process, and nobody will know how. What had ended is kept.
func (s *fakeSupervisor) powerLoss() {
	s.answers, s.until = nil, 0
	for _, p := range s.running() {
		p.ended, p.killed = true, true
		delete(s.processes, p.fence)
		s.onEnd(p)
	}
}

// found is what the next agent is born with.
func (s *fakeSupervisor) found() []ProcessFound {
	var all []ProcessFound
	for _, fence := range slices.Sorted(maps.Keys(s.processes)) {
		p := s.processes[fence]
		f := ProcessFound{Run: p.start.Run}
		if p.ended {
			f.Ended = &p.result
		}
		all = append(all, f)
	}
	return all
}

// The shortest messages of an attempt, for tests that care for little else.

func attemptRef(fence uint64) *orrerypb.AttemptRef {
	return wire.FromAttempt(orrery.AttemptID{Execution: orrery.ExecutionID(fence + 1000), Slot: 0, N: 1}, orrery.Fence(fence))
}
