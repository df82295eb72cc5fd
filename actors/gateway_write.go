package actors

import (
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

const (
	// maxTries is how often a write is computed again because the job changed between
	// reading and applying; others were faster that often.
	maxTries = 8

	// triesAfter is the pause before the second try, doubled with each further one: the
	// Scheduler must get its turn in between.
	triesAfter = 5 * time.Millisecond
)

// writeInHand is what the leader's Gateway knows of a write while it works on it.
type writeInHand struct {
	term    uint64           // that it is computed under
	ref     uint64           // of the ReadJob that is open
	written *orrerypb.Answer // the job is written, it is to run now; nil: not so far
}

// begin works on a write. Nothing is judged that the state can judge: the state looks
// for the stored answer of the request id before anything else.
func (g *Gateway) begin(r *clientRequest) {
	if g.turns.doubles(r) {
		g.drop(r)
		return
	}
	if !g.turns.take(r) {
		return
	}
	r.write = &writeInHand{term: g.term}
	if name, wanted := jobWanted(r.body); wanted {
		r.write.ref = g.ask(r)
		g.env.Send(Address{Actor: StoreName}, ReadJob{ReplyTo: GatewayName, Ref: r.write.ref, Name: name})
		return
	}
	command := &orrerypb.Command{}
	switch b := r.body.GetBody().(type) {
	case *orrerypb.Request_Run:
		command.Body = runCommand(b.Run.GetName())
	case *orrerypb.Request_Cancel:
		command.Body = &orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{
			Execution: b.Cancel.GetExecution(), Reason: string(orrery.ReasonUser),
		}}
	case *orrerypb.Request_Pause:
		command.Body = &orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: b.Pause.GetPaused()}}
	case *orrerypb.Request_Config:
		if err := checkConfig(wire.ToConfig(b.Config.GetConfig())); err != nil {
			g.finish(r, refusalOf(err))
			return
		}
		command.Body = &orrerypb.Command_SetClusterConfig{SetClusterConfig: b.Config}
	}
	g.propose(r, command, g.clock.now())
}

func runCommand(job string) *orrerypb.Command_Trigger {
	return &orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{
		Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: job}},
	}}
}

// jobWanted names the job that a write is computed from.
func jobWanted(r *orrerypb.Request) (name string, wanted bool) {
	switch b := r.GetBody().(type) {
	case *orrerypb.Request_PutJob:
		return b.PutJob.GetJob().GetName(), true
	case *orrerypb.Request_DeleteJob:
		return b.DeleteJob.GetName(), true
	case *orrerypb.Request_Toggle:
		return b.Toggle.GetName(), true
	case *orrerypb.Request_Backfill:
		return b.Backfill.GetName(), true
	case *orrerypb.Request_ClearHistory:
		return b.ClearHistory.GetName(), true
	}
	return "", false
}

// jobRead computes the command of a write of a job.
func (g *Gateway) jobRead(m JobRead) {
	r := g.about(m.Ref)
	if r == nil || r.write.ref != m.Ref {
		return
	}
	if r.write.term != g.term {
		g.env.Emit(ProbeTermPassedReading)
		g.route(r)
		return
	}
	edit := jobEdit{JobRead: m, at: g.clock.now()}
	command := &orrerypb.Command{}
	var err error
	switch b := r.body.GetBody().(type) {
	case *orrerypb.Request_PutJob:
		command.Body, err = edit.put(b.PutJob)
	case *orrerypb.Request_DeleteJob:
		command.Body = edit.delete(b.DeleteJob)
	case *orrerypb.Request_Toggle:
		command.Body, err = edit.toggle(b.Toggle)
	case *orrerypb.Request_Backfill:
		command.Body, err = edit.backfill(b.Backfill)
	case *orrerypb.Request_ClearHistory:
		command.Body = edit.clear(b.ClearHistory)
		err = g.checkRaised(command, m)
	}
	if err != nil {
		g.finish(r, refusalOf(err))
		return
	}
	if settlesDues(command) {
		g.env.Emit(ProbeEditSettled)
	}
	g.propose(r, command, edit.at)
}

// settlesDues reports whether a write decides due times on its way.
func settlesDues(c *orrerypb.Command) bool {
	for _, settle := range []*orrerypb.Decision{
		c.GetPutJob().GetSettle(), c.GetDeleteJob().GetSettle(), c.GetSetEnabled().GetSettle(),
	} {
		if settle != nil {
			return true
		}
	}
	return false
}

// propose has a command decided: stamped by the leader's clock, under the client's id.
func (g *Gateway) propose(r *clientRequest, command *orrerypb.Command, at time.Time) {
	command.RequestId, command.AtNs, command.IssuedNs = r.body.GetRequestId(), wire.Nanos(at), g.issued(r, at)
	if r.write.written != nil {
		command.RequestId += "/run"
	}
	r.proposed = true
	g.env.Send(Address{Actor: ProposerName}, Propose{
		ReplyTo: GatewayName, Ref: g.ask(r), Term: r.write.term, Command: command,
	})
}

// issued is when a request was first sent. Where its client did not say, it is when it
// reached the first gateway: a span, told by that member, before the leader's now.
func (g *Gateway) issued(r *clientRequest, at time.Time) int64 {
	if r.body.GetIssuedNs() != 0 {
		return r.body.GetIssuedNs()
	}
	return wire.Nanos(at.Add(r.since - g.env.Boot()))
}

func (g *Gateway) proposed(m Proposed) {
	r := g.about(m.Ref)
	if r == nil {
		return
	}
	r.proposed = false
	switch m.Fate {
	case FateApplied:
		g.applied(r, m.Answer)
	case FateRefused:
		g.notTaken(r, "the leader did not take it")
	case FateUnknown:
		r.risked = true
		g.notTaken(r, "the leader lost its lead while it was decided")
	}
}

// notTaken routes a write again: at once when leadership has moved on, in a while when
// this leader may still take it.
func (g *Gateway) notTaken(r *clientRequest, why string) {
	r.refusal = refusal(orrery.Unavailable, "%s", why)
	if g.term != r.write.term {
		g.route(r)
		return
	}
	g.tryAgain(r, refusedAfter)
}

// applied: the command came out of the log, and the state has answered it.
func (g *Gateway) applied(r *clientRequest, answer *orrerypb.Answer) {
	g.markAnswer(r, answer)
	put, isPut := r.body.GetBody().(*orrerypb.Request_PutJob)
	switch {
	case orrery.Code(answer.GetCode()) == orrery.Unavailable:
		g.thwarted(r, answer)
	case r.write.written != nil:
		g.decided(r, withExecution(r.write.written, answer))
	case isPut && put.PutJob.GetRunOnCreate() && answer.GetChanged() && answer.GetVersion() == 1:
		r.write.written = answer
		r.risked = true // from here on it is done in part
		g.propose(r, &orrerypb.Command{Body: runCommand(put.PutJob.GetJob().GetName())}, g.clock.now())
	default:
		g.decided(r, answer)
	}
}

// decided answers a write, and those that are the same request.
func (g *Gateway) decided(r *clientRequest, answer *orrerypb.Answer) {
	for _, same := range g.turns.copies(r) {
		g.finish(same, &orrerypb.Response{Answer: answer})
	}
	g.finish(r, &orrerypb.Response{Answer: answer})
}

// markAnswer tells of rare answers of the state.
func (g *Gateway) markAnswer(r *clientRequest, answer *orrerypb.Answer) {
	switch orrery.Code(answer.GetCode()) {
	case orrery.Unavailable:
		g.env.Emit(ProbeWriteThwarted)
	case orrery.Conflict:
		g.env.Emit(ProbeWriteRefused)
	}
}

// thwarted computes a write again whose job changed while it was on its way. When others
// were faster too often it is unavailable, and no conflict, which would be the last word:
// another copy of the request may be on its way and luckier.
func (g *Gateway) thwarted(r *clientRequest, answer *orrerypb.Answer) {
	r.tries++
	if r.tries == maxTries {
		g.finish(r, &orrerypb.Response{Answer: answer})
		return
	}
	r.refusal = answer
	g.tryAgain(r, triesAfter<<r.tries)
}

// withExecution is the answer of a write that also ran the job.
func withExecution(written, run *orrerypb.Answer) *orrerypb.Answer {
	return &orrerypb.Answer{
		Uid: written.GetUid(), Version: written.GetVersion(), Changed: true, Index: written.GetIndex(),
		Execution: run.GetExecution(),
	}
}

// refusalOf is the answer to a request that can never be done.
func refusalOf(err error) *orrerypb.Response {
	return &orrerypb.Response{Answer: refusal(orrery.CodeOf(err), "%s", err)}
}
