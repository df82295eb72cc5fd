package store

import (
	"fmt"
	"slices"

	"orrery"
	"orrery/proto/orrerypb"
)

// command carries out one command: once for each request id.
func (c *change) command(command *orrerypb.Command) *orrerypb.Answer {
	c.at = command.AtNs
	c.meta.LastAtNs = max(c.meta.LastAtNs, c.at)
	c.s.applied++
	if command.RequestId == "" || c.s.knobs["forget-requests"] {
		return c.run(command)
	}
	if answer := c.answered(command); answer != nil {
		return answer
	}
	answer := c.run(command)
	c.remember(command, answer)
	return answer
}

// run carries out a command by its kind.
func (c *change) run(command *orrerypb.Command) *orrerypb.Answer {
	if refused := c.checkRaised(command); refused != nil {
		return refused
	}
	var answer *orrerypb.Answer
	switch body := command.Body.(type) {
	case *orrerypb.Command_PutJob:
		answer = c.putJob(body.PutJob)
	case *orrerypb.Command_DeleteJob:
		answer = c.deleteJob(body.DeleteJob)
	case *orrerypb.Command_SetEnabled:
		answer = c.setEnabled(body.SetEnabled)
	case *orrerypb.Command_Fire:
		answer = c.fire(body.Fire)
	case *orrerypb.Command_Trigger:
		answer = c.trigger(body.Trigger, command.RequestId)
	case *orrerypb.Command_Assign:
		answer = c.assign(body.Assign)
	case *orrerypb.Command_Finish:
		answer = c.finish(body.Finish)
	case *orrerypb.Command_Lost:
		answer = c.lost(body.Lost)
	case *orrerypb.Command_Cancel:
		answer = c.cancel(body.Cancel)
	case *orrerypb.Command_Forget:
		answer = c.forget(body.Forget)
	case *orrerypb.Command_SetClusterConfig:
		answer = c.setClusterConfig(body.SetClusterConfig)
	case *orrerypb.Command_SetPaused:
		answer = c.setPaused(body.SetPaused)
	case *orrerypb.Command_RaiseVersion:
		answer = c.raiseVersion(body.RaiseVersion)
	case *orrerypb.Command_Drained:
		answer = c.drained(body.Drained)
	case *orrerypb.Command_ClearHistory:
		answer = c.clearHistory(body.ClearHistory)
	default:
		// The entry said which version of Apply it needs, and this one offers it.
		panic(unknownCommand)
	}
	if answer.Changed {
		answer.Index = c.s.index
	}
	return answer
}

// refuse answers a command that has no effect.
func refuse(code orrery.Code, format string, args ...any) *orrerypb.Answer {
	return &orrerypb.Answer{Code: string(code), Text: orrery.Errorf(code, format, args...).Text}
}

// outdated answers a command that was computed from what is no longer so. It had no
// effect, and nobody but the leader's actors need know: they compute it again.
func outdated(format string, args ...any) *orrerypb.Answer {
	return refuse(orrery.Unavailable, format, args...)
}

// unchanged answers a command that was late or doubled.
func unchanged() *orrerypb.Answer { return &orrerypb.Answer{} }

// about answers a command that changed a job.
func about(j *job) *orrerypb.Answer {
	return &orrerypb.Answer{Uid: j.Uid, Version: j.Version, Changed: true}
}

// answered returns the answer that a request got before; nil: it is new. A request
// from before the floor may have been forgotten: nobody can say what became of it.
func (c *change) answered(command *orrerypb.Command) *orrerypb.Answer {
	if value, ok := c.t.get(requestKey(command.RequestId)); ok {
		record := new(orrerypb.RequestRecord)
		decode(value, record)
		return record.Answer
	}
	if command.IssuedNs < c.meta.RequestFloorNs {
		return refuse(orrery.Unknown, "request %q was first sent so long ago that its answer may be forgotten; read what became of it", command.RequestId)
	}
	return nil
}

// remember keeps the answer of a request: a retry must not find out otherwise. Only an
// outdated command is as if it had never been, for it comes again under the same id.
func (c *change) remember(command *orrerypb.Command, answer *orrerypb.Answer) {
	if orrery.Code(answer.Code) == orrery.Unavailable {
		return
	}
	c.t.put(requestKey(command.RequestId), encode(&orrerypb.RequestRecord{
		RequestId: command.RequestId, Answer: answer, AtNs: command.AtNs, IssuedNs: command.IssuedNs, Index: c.s.index,
	}))
	c.t.put(askedKey(command.IssuedNs, command.RequestId), "")
	c.meta.Requests++
}

func (c *change) setClusterConfig(command *orrerypb.SetClusterConfig) *orrerypb.Answer {
	former, until := int64(c.s.Config().LostAfter), c.meta.FormerUntilNs
	if c.at < until {
		former = max(former, c.meta.FormerLostAfterNs)
	}
	c.meta.FormerLostAfterNs, c.meta.FormerUntilNs = former, max(until, c.at+former)
	c.meta.Config = command.Config
	c.tell(&orrerypb.Event{Kind: EventConfigSet})
	return &orrerypb.Answer{Changed: true}
}

func (c *change) setPaused(command *orrerypb.SetPaused) *orrerypb.Answer {
	if c.meta.Paused == command.Paused {
		return unchanged()
	}
	c.meta.Paused = command.Paused
	kind := EventUnpaused
	if command.Paused {
		kind = EventPaused
	}
	c.tell(&orrerypb.Event{Kind: kind})
	return &orrerypb.Answer{Changed: true}
}

func (c *change) raiseVersion(command *orrerypb.RaiseVersion) *orrerypb.Answer {
	if command.Version > c.s.offers {
		panic(TooOld(fmt.Sprintf("store: the cluster was raised to version %d of apply, this server offers %d", command.Version, c.s.offers)))
	}
	if command.Version <= c.meta.Version {
		return unchanged()
	}
	c.meta.Version = command.Version
	c.tell(&orrerypb.Event{Kind: EventVersionRaised, Version: uint64(command.Version)})
	return &orrerypb.Answer{Changed: true}
}

// names are the names of the given jobs, sorted.
func (c *change) names(uids []uint64) []string {
	var names []string
	for _, uid := range uids {
		names = append(names, c.job(uid).Name)
	}
	slices.Sort(names)
	return names
}
