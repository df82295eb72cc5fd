package actors

import (
	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// finishes are results on their way into the state, each once.
type finishes struct {
	known map[orrery.Fence]bool
	queue []finish
	later []finish // were not taken; to be proposed again at the next tick
	busy  bool     // one Finish is under way
}

type finish struct {
	item   *orrerypb.FinishItem
	member string // to acknowledge to
}

// maxFinishes bounds the results on their way: a few entries' worth. Beyond, a result
// is as good as lost on the network, and told again by its member.
const maxFinishes = 16 * maxItems

// again moves what was not taken back into the queue.
func (f *finishes) again() {
	f.queue = append(f.queue, f.later...)
	f.later = nil
}

// attemptDone has a result decided, also one that is late: the state tells what it is
// worth. The member keeps it until then.
func (d *Dispatcher) attemptDone(m *orrerypb.AttemptDone) {
	_, fence := wire.ToAttempt(m.GetAttempt())
	if d.env.Knob(KnobAckBeforeCommit) {
		d.acknowledge(m.GetMember(), fence)
	}
	delete(d.strays, fence)
	if a := d.current(m.GetAttempt(), m.GetMember()); a != nil {
		a.ended = true
		d.setHeld(a, true)
	} else if d.mirrored {
		d.env.Emit(ProbeResultLate)
	}
	if d.finishes.known[fence] || len(d.finishes.known) >= maxFinishes {
		return
	}
	d.finishes.known[fence] = true
	d.finishes.queue = append(d.finishes.queue, finish{
		item:   &orrerypb.FinishItem{Attempt: m.GetAttempt(), Result: m.GetResult()},
		member: m.GetMember(),
	})
}

// proposeFinish proposes what has ended, one Finish at a time: what ends while it is on
// its way shares the next one.
func (d *Dispatcher) proposeFinish() {
	f := &d.finishes
	if f.busy || len(f.queue) == 0 {
		return
	}
	n := min(d.batch(), len(f.queue))
	batch := f.queue[:n:n]
	f.queue, f.busy = f.queue[n:], true
	command := &orrerypb.Finish{}
	for _, one := range batch {
		command.Items = append(command.Items, one.item)
	}
	d.propose(&orrerypb.Command{Body: &orrerypb.Command_Finish{Finish: command}}, func(p Proposed) { d.finished(p, batch) })
}

// finished acknowledges results that are part of the state. Only an applied Finish says
// so, even one that changed nothing; whatever else came of it, it is proposed again.
func (d *Dispatcher) finished(p Proposed, batch []finish) {
	d.finishes.busy = false
	if !taken(p) {
		d.env.Emit(ProbeResultAgain)
		d.finishes.later = append(d.finishes.later, batch...)
		return
	}
	for _, f := range batch {
		fence := orrery.Fence(f.item.GetAttempt().GetFence())
		delete(d.finishes.known, fence)
		d.acknowledge(f.member, fence)
	}
}

func (d *Dispatcher) acknowledge(member string, fence orrery.Fence) {
	d.env.Send(memberAddress(d.env, member, ExecutorName), &orrerypb.AttemptDoneAck{Fence: uint64(fence)})
}
