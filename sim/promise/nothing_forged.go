package promise

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// nothingForged judges that what happened was asked for: no frame that had been changed
// on its way, or that a stranger sent, was taken for one of the cluster; each write of a
// client that stands in the log is what some client asked, in all its words; and results
// and processes are of attempts that were assigned.
func nothingForged(t *trial) {
	for _, f := range t.Forged {
		t.judged++
		if f.Accepted {
			t.breach(f.At, "%s took a %s %s from %s for a true one at %s", f.To, f.Kind, f.What, f.From, moment(f.At))
		}
	}
	asked := make(map[string]*Request, len(t.Requests))
	for i := range t.Requests {
		asked[t.Requests[i].Request.GetRequestId()] = &t.Requests[i]
	}
	for i := range t.Commits {
		if c := &t.Commits[i]; admitted(c) {
			for _, command := range c.Entry.GetCommands() {
				t.judgeOrigin(c, command, asked)
			}
		}
	}
	for i := range t.Processes {
		p := &t.Processes[i]
		if x := t.ledger().byID[p.Attempt.Execution]; x != nil && (x.job.uid != p.UID || x.job.name != p.Job) {
			t.breach(p.Started, "a process of %s (job %d) was started on %s at %s as attempt %v, which is of %s (job %d)",
				p.Job, p.UID, p.Member, moment(p.Started), p.Attempt, x.job.name, x.job.uid)
		}
	}
}

// judgeOrigin asks where a command of the log comes from.
func (t *trial) judgeOrigin(c *Commit, command *orrerypb.Command, asked map[string]*Request) {
	if finish := command.GetFinish(); finish != nil {
		for _, item := range finish.GetItems() {
			t.judgeToldOf(c, item)
		}
		return
	}
	id := command.GetRequestId()
	if id == "" {
		if what := onlyClients(command); what != "" {
			t.judged++
			t.breach(c.At, "index %d, committed at %s, holds a %s that no client asked for", c.Index, moment(c.At), what)
		}
		return
	}
	t.judged++
	first, again := strings.CutSuffix(id, "/run") // what a put asked to be run is under an id of its own
	r := asked[first]
	switch {
	case r == nil:
		t.breach(c.At, "index %d, committed at %s, holds request %s, which no client sent", c.Index, moment(c.At), id)
	case c.At < r.Sent:
		t.breach(c.At, "request %s (%s) was committed at %s, before %s sent it at %s", id, requestText(r.Request), moment(c.At), r.Client, moment(r.Sent))
	case again && r.Request.GetPutJob().GetRunOnCreate() && command.GetTrigger().GetManual().GetJob() == r.Request.GetPutJob().GetJob().GetName():
	case again, !asks(r.Request, command):
		t.breach(c.At, "request %s was committed at %s with another content than %s had asked for (%s)", id, moment(c.At), r.Client, requestText(r.Request))
	case r.Request.GetIssuedNs() != 0 && r.Request.GetIssuedNs() != command.GetIssuedNs():
		t.breach(c.At, "request %s (%s) was committed at %s as if it had been issued at %s, and it was at %s", id, requestText(r.Request),
			moment(c.At), moment(t.wall(command.GetIssuedNs())), moment(t.wall(r.Request.GetIssuedNs())))
	}
}

// onlyClients names the kind of a command that nobody but a client has a reason to want;
// "": the cluster itself may.
func onlyClients(command *orrerypb.Command) string {
	switch b := command.GetBody().(type) {
	case *orrerypb.Command_PutJob:
		return "put of " + b.PutJob.GetJob().GetName()
	case *orrerypb.Command_DeleteJob:
		return "delete of " + b.DeleteJob.GetName()
	case *orrerypb.Command_SetEnabled:
		return "toggle of " + b.SetEnabled.GetName()
	case *orrerypb.Command_SetPaused:
		return "pause of the scheduler"
	case *orrerypb.Command_SetClusterConfig:
		return "change of the settings"
	case *orrerypb.Command_Trigger:
		switch cause := b.Trigger.GetCause().(type) {
		case *orrerypb.Trigger_Manual:
			return "run of " + cause.Manual.GetJob()
		case *orrerypb.Trigger_Backfill:
			return "backfill of " + cause.Backfill.GetJob()
		}
	case *orrerypb.Command_Cancel:
		if orrery.Reason(b.Cancel.GetReason()) == orrery.ReasonUser {
			return "cancel by a user"
		}
	}
	return ""
}

// asks reports whether a command is what a request asks for.
func asks(r *orrerypb.Request, command *orrerypb.Command) bool {
	switch b := r.GetBody().(type) {
	case *orrerypb.Request_PutJob:
		put := command.GetPutJob()
		return put != nil && put.GetCheckVersion() == b.PutJob.GetCheckVersion() && proto.Equal(put.GetJob(), b.PutJob.GetJob())
	case *orrerypb.Request_DeleteJob:
		gone := command.GetDeleteJob()
		return gone != nil && gone.GetName() == b.DeleteJob.GetName() && gone.GetCheckVersion() == b.DeleteJob.GetCheckVersion()
	case *orrerypb.Request_Toggle:
		set := command.GetSetEnabled()
		return set != nil && set.GetName() == b.Toggle.GetName() && set.GetCheckVersion() == b.Toggle.GetCheckVersion() &&
			(b.Toggle.GetFlip() || set.GetEnabled() == b.Toggle.GetEnabled())
	case *orrerypb.Request_Run:
		manual := command.GetTrigger().GetManual()
		return manual != nil && manual.GetJob() == b.Run.GetName()
	case *orrerypb.Request_Backfill:
		fill := command.GetTrigger().GetBackfill()
		return fill != nil && fill.GetJob() == b.Backfill.GetName() && within(fill.GetDueNs(), b.Backfill.GetFromNs(), b.Backfill.GetToNs())
	case *orrerypb.Request_Cancel:
		cancel := command.GetCancel()
		return cancel != nil && cancel.GetExecution() == b.Cancel.GetExecution() && orrery.Reason(cancel.GetReason()) == orrery.ReasonUser
	case *orrerypb.Request_Pause:
		set := command.GetSetPaused()
		return set != nil && set.GetPaused() == b.Pause.GetPaused()
	case *orrerypb.Request_Config:
		set := command.GetSetClusterConfig()
		return set != nil && proto.Equal(set.GetConfig(), b.Config.GetConfig())
	case *orrerypb.Request_GetJob, *orrerypb.Request_ListJobs, *orrerypb.Request_ListExecutions, *orrerypb.Request_GetExecution, *orrerypb.Request_Stats, *orrerypb.Request_Status:
		return false // a read is no reason for a command
	}
	return true
}

// within reports whether all due times lie in a span, its ends included.
func within(dues []int64, from, to int64) bool {
	for _, due := range dues {
		if due < from || due > to {
			return false
		}
	}
	return true
}

// judgeToldOf asks which attempt a result in the log is of. What it says is held against
// the process by result-kept.
func (t *trial) judgeToldOf(c *Commit, item *orrerypb.FinishItem) {
	t.judged++
	id, fence := wire.ToAttempt(item.GetAttempt())
	a := t.ledger().attempt(id, fence)
	switch {
	case a == nil:
		t.breach(c.At, "index %d, committed at %s, holds a result of attempt %v under fence %d, which was never assigned", c.Index, moment(c.At), id, fence)
	case a.assigned.at > c.At:
		t.breach(c.At, "index %d, committed at %s, holds a result of attempt %v of %s, which was not assigned before %s",
			c.Index, moment(c.At), id, a.x.job.name, moment(a.assigned.at))
	case item.GetResult().GetSucceeded() && t.ledger().processOf(id, fence) == nil:
		t.breach(c.At, "index %d, committed at %s, tells of the success of attempt %v of %s, and no process of it ever ran",
			c.Index, moment(c.At), id, a.x.job.name)
	}
}
