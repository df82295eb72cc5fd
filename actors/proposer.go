package actors

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

const (
	// maxBatch and maxBatchBytes bound one entry: what a server applies within a few
	// milliseconds, and what one write to the log's disk carries well.
	maxBatch      = 512
	maxBatchBytes = 1 << 20

	// maxFlights is how many entries are on their way at once: while one is written,
	// the next one gathers, and two more hide the way to the followers. More would make
	// the entries smaller, not the way shorter.
	maxFlights = 4

	// maxQueue bounds the commands that wait for a flight: 32 full entries, a second's
	// worth of the fastest log. Who comes later is better told now than later.
	maxQueue = 16_384

	// proposeDeadline is how long an outcome may take. A log that has not answered by
	// then is cut off and does not know it yet: longer than any election.
	proposeDeadline = 10 * time.Second
)

// proposeOverdue is the Proposer's timer: the entry has not come out of the log.
type proposeOverdue struct{ seq uint64 }

// Proposer has commands decided by the log, many in one entry, and tells each asker
// what became of its command: exactly one Proposed for each Propose. An entry is only
// proposed under the leadership that its commands were computed under.
//
//	           ┌─other term, queue full──────────────────────────────▶ refused
//	Propose ───┼─▶ queued ──flight free──▶ in flight ──Applied───────▶ applied
//	           │     └─LeadershipLost, overdue─▶ refused
//	           │                             ├─ProposalFailed────────▶ refused or unknown
//	           │                             └─LeadershipLost, overdue─▶ unknown
//
// An entry that comes out of the log after its fate was told unknown changes nothing
// here.
type Proposer struct {
	env Env
	log store.Log

	term    uint64 // of the leadership held; 0: none
	seq     uint64 // of the newest ticket
	queue   []waitingCommand
	flights []flight         // in the order of proposing
	refused []waitingCommand // for KnobProposeInOldTerm alone
}

// waitingCommand is a command that is in no entry yet.
type waitingCommand struct {
	asker   asker
	command *orrerypb.Command
	since   time.Duration // by Boot
}

// asker is whom an outcome is told to.
type asker struct {
	actor string
	ref   uint64
}

// flight is an entry on its way through the log.
type flight struct {
	seq      uint64
	batch    []waitingCommand
	stopWait func()
}

// NewProposer returns the Proposer of a server.
func NewProposer(env Env, log store.Log) *Proposer { return &Proposer{env: env, log: log} }

// Receive takes one message.
func (p *Proposer) Receive(msg any) {
	switch m := msg.(type) {
	case Start:
	case LeadershipGained:
		p.lead(m.Term)
	case LeadershipLost:
		p.stepDown(m.Term)
	case Propose:
		p.propose(m)
	case Applied:
		p.applied(m)
	case store.ProposalFailed:
		p.failed(m)
	case proposeOverdue:
		p.overdue(m.seq)
	default:
		unexpected(ProposerName, msg)
	}
}

func (p *Proposer) lead(term uint64) {
	p.stepDown(p.term)
	p.term = term
	p.queue, p.refused = p.refused, nil
	p.fill()
}

// stepDown ends what was proposed under term. What is in flight may still be committed.
func (p *Proposer) stepDown(term uint64) {
	if term != p.term {
		return
	}
	p.term = 0
	flights, queue := p.flights, p.queue
	p.flights, p.queue = nil, nil
	if len(flights) > 0 {
		p.env.Emit(ProbeOutcomeUnknown)
	}
	if len(queue) > 0 {
		p.env.Emit(ProbeQueueDropped)
	}
	for _, f := range flights {
		f.stopWait()
		p.tellAll(f.batch, FateUnknown)
	}
	p.tellAll(queue, FateRefused)
}

func (p *Proposer) propose(m Propose) {
	to := asker{m.ReplyTo, m.Ref}
	if reason := p.refuses(m); reason != "" {
		p.env.Emit(reason)
		p.tell(to, Proposed{Fate: FateRefused})
		return
	}
	if p.env.Knob(KnobAckBeforeCommitWrite) && isWrite(m.Command) {
		p.tell(to, Proposed{Fate: FateApplied, Answer: &orrerypb.Answer{Changed: true}})
		to = asker{}
	}
	p.queue = append(p.queue, waitingCommand{asker: to, command: m.Command, since: p.env.Boot()})
	if len(p.flights) == maxFlights {
		p.env.Emit(ProbeFlightsFull)
	}
	p.fill()
}

// refuses says why a command is not to be proposed; "": it is.
func (p *Proposer) refuses(m Propose) Probe {
	switch {
	case p.term == 0 || m.Term != p.term:
		return ProbeTermPassed
	case len(p.queue) >= maxQueue:
		return ProbeQueueFull
	}
	return ""
}

// fill turns what waits into entries while there is room for them.
func (p *Proposer) fill() {
	for len(p.queue) > 0 && len(p.flights) < maxFlights {
		p.fly(p.batch())
	}
	if len(p.queue) == 0 {
		p.queue = nil // do not hold the memory of the longest queue ever
	}
}

// batch takes the longest run of commands that one entry holds off the queue, at least
// one: what a command may be in size is the asker's matter.
func (p *Proposer) batch() []waitingCommand {
	n, size := 0, 0
	for n < min(len(p.queue), maxBatch) {
		size += proto.Size(p.queue[n].command)
		if n > 0 && size > maxBatchBytes {
			break
		}
		n++
	}
	batch := p.queue[:n:n]
	p.queue = p.queue[n:]
	if len(p.queue) > 0 {
		p.env.Emit(ProbeBatchSplit)
	}
	return batch
}

func (p *Proposer) fly(batch []waitingCommand) {
	p.seq++
	entry := &orrerypb.Entry{
		Term:     p.term,
		Ticket:   &orrerypb.Ticket{Member: p.env.Self(), Incarnation: p.env.Incarnation(), Seq: p.seq},
		Commands: make([]*orrerypb.Command, len(batch)),
	}
	f := flight{seq: p.seq, batch: batch}
	fires, edits := false, false
	for i, w := range batch {
		entry.Commands[i] = w.command
		entry.NeedsVersion = max(entry.NeedsVersion, store.NeedsVersion(w.command))
		fires = fires || w.command.GetFire() != nil
		edits = edits || isWrite(w.command)
	}
	if fires && edits {
		p.env.Emit(ProbeEditBesideFire)
	}
	encoded, err := wire.EncodeEntry(entry)
	if err != nil {
		panic(fmt.Sprintf("actors: proposer was given a command that cannot be encoded: %v", err))
	}
	f.stopWait = p.env.After(proposeDeadline, proposeOverdue{f.seq})
	p.flights = append(p.flights, f)
	p.log.Propose(f.seq, p.term, encoded)
}

// applied: the entry came out of the log.
func (p *Proposer) applied(m Applied) {
	f, ok := p.land(m.Seq)
	if !ok {
		p.env.Emit(ProbeLandedLate)
		return
	}
	if len(m.Answers) != len(f.batch) {
		panic(fmt.Sprintf("actors: entry %d has %d commands and %d answers", m.Index, len(f.batch), len(m.Answers)))
	}
	for i, w := range f.batch {
		if done := m.Answers[i].GetIndex(); done != 0 && done != m.Index {
			p.env.Emit(ProbeFoundDone)
		}
		p.tell(w.asker, Proposed{Fate: FateApplied, Answer: m.Answers[i]})
	}
	p.fill()
}

func (p *Proposer) failed(m store.ProposalFailed) {
	f, ok := p.land(m.Seq)
	if !ok {
		return
	}
	fate := FateRefused
	if m.Unknown {
		p.env.Emit(ProbeOutcomeUnknown)
		fate = FateUnknown
	}
	p.tellAll(f.batch, fate)
	p.fill()
}

// overdue gives up an entry, and the commands that have waited for as long and were
// never proposed.
func (p *Proposer) overdue(seq uint64) {
	f, ok := p.land(seq)
	if !ok {
		return
	}
	p.env.Emit(ProbeEntryOverdue)
	p.tellAll(f.batch, FateUnknown)
	latest := p.env.Boot() - proposeDeadline
	for len(p.queue) > 0 && p.queue[0].since <= latest {
		w := p.queue[0]
		p.queue = p.queue[1:]
		p.tell(w.asker, Proposed{Fate: FateRefused})
	}
	p.fill()
}

// land takes a flight out of those under way. There is none when its outcome was told.
func (p *Proposer) land(seq uint64) (flight, bool) {
	i := slices.IndexFunc(p.flights, func(f flight) bool { return f.seq == seq })
	if i < 0 {
		return flight{}, false
	}
	f := p.flights[i]
	f.stopWait()
	p.flights = slices.Delete(p.flights, i, i+1)
	return f, true
}

func (p *Proposer) tellAll(batch []waitingCommand, fate Fate) {
	for _, w := range batch {
		p.tell(w.asker, Proposed{Fate: fate})
	}
	if fate == FateRefused && p.env.Knob(KnobProposeInOldTerm) {
		p.keep(batch)
	}
}

// keep has commands proposed under the next leadership, whoever leads in between.
func (p *Proposer) keep(batch []waitingCommand) {
	for _, w := range batch {
		w.asker = asker{} // was told
		p.refused = append(p.refused, w)
	}
}

func (p *Proposer) tell(to asker, outcome Proposed) {
	if to == (asker{}) {
		return // a knob has told it already
	}
	outcome.Ref = to.ref
	p.env.Send(Address{Actor: to.actor}, outcome)
}

// isWrite reports whether a client waits for the command.
func isWrite(c *orrerypb.Command) bool {
	switch c.Body.(type) {
	case *orrerypb.Command_PutJob, *orrerypb.Command_DeleteJob, *orrerypb.Command_SetEnabled,
		*orrerypb.Command_SetClusterConfig, *orrerypb.Command_SetPaused, *orrerypb.Command_ClearHistory:
		return true
	}
	return false
}
