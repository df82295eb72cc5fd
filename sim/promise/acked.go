package promise

import (
	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// ackedIsDurable holds what clients were told against the log: by request id.
func ackedIsDurable(t *trial) {
	log := readRequests(t.History)
	for i := range t.Requests {
		r := &t.Requests[i]
		if !isWrite(r.Request) {
			continue
		}
		t.judged++
		effects := log.effects[r.Request.GetRequestId()]
		if len(effects) > 1 {
			t.breach(effects[1].commit.At, "request %s (%s) took effect twice, at index %d and at index %d",
				r.Request.GetRequestId(), requestText(r.Request), effects[0].commit.Index, effects[1].commit.Index)
		}
		if r.Response != nil && r.Answered >= 0 {
			t.judgeTold(r, effects, log.seen[r.Request.GetRequestId()])
		}
	}
	t.judgeDeleted()
}

// effect is a command of a client that changed the state.
type effect struct {
	commit *Commit
	answer *orrerypb.Answer
}

// requests is the log by request id.
type requests struct {
	effects map[string][]effect
	seen    map[string]*Commit // the first commit that looked at a command of the request
}

func readRequests(h *History) requests {
	log := requests{effects: map[string][]effect{}, seen: map[string]*Commit{}}
	for i := range h.Commits {
		c := &h.Commits[i]
		if !admitted(c) {
			continue
		}
		for n, command := range c.Entry.GetCommands() {
			if id := command.GetRequestId(); id != "" {
				log.add(id, c, n)
			}
		}
	}
	return log
}

func (log requests) add(id string, c *Commit, n int) {
	if log.seen[id] == nil {
		log.seen[id] = c
	}
	if !effective(c, n) {
		return
	}
	answer := c.Answers[n]
	for _, e := range log.effects[id] {
		if e.commit == c && sameEffect(e.answer, answer) {
			return // asked twice in one entry, answered once more as before
		}
	}
	log.effects[id] = append(log.effects[id], effect{c, answer})
}

func sameEffect(a, b *orrerypb.Answer) bool {
	return a.GetUid() == b.GetUid() && a.GetVersion() == b.GetVersion() && a.GetExecution() == b.GetExecution()
}

// judgeTold judges the last word that a client got.
func (t *trial) judgeTold(r *Request, effects []effect, seen *Commit) {
	answer := r.Response.GetAnswer()
	wrong := func(format string, args ...any) {
		args = append([]any{r.Client, moment(r.Answered), r.Request.GetRequestId(), requestText(r.Request)}, args...)
		t.breach(r.Answered, "%s was told at %s that request %s (%s) "+format, args...)
	}
	switch code := orrery.Code(answer.GetCode()); {
	case code == "" && seen == nil:
		wrong("is done, and it was never committed")
	case code == "" && seen.At > r.Answered:
		wrong("is done, and it was not committed before %s", moment(seen.At))
	case code == "" && answer.GetChanged():
		t.judgeDone(answer, effects, wrong)
	case code == "":
	case code == orrery.Unknown || code == orrery.Internal:
	case !r.Doubtful && len(effects) > 0:
		wrong("did not happen (%s), and it took effect at index %d", code, effects[0].commit.Index)
	}
}

// judgeDone judges an answer that tells of an effect.
func (t *trial) judgeDone(told *orrerypb.Answer, effects []effect, wrong func(string, ...any)) {
	if len(effects) == 0 {
		wrong("changed something, and it took no effect")
		return
	}
	real := effects[0]
	switch {
	case told.GetIndex() != real.commit.Index:
		wrong("is done at index %d, and it took effect at index %d", told.GetIndex(), real.commit.Index)
	case !sameEffect(told, real.answer) && told.GetExecution() == real.answer.GetExecution():
		wrong("made version %d of job %d, and it made version %d of job %d",
			told.GetVersion(), told.GetUid(), real.answer.GetVersion(), real.answer.GetUid())
	case told.GetExecution() != 0 && t.ledger().byID[orrery.ExecutionID(told.GetExecution())] == nil:
		wrong("created execution %d, which does not exist", told.GetExecution())
	}
}

// judgeDeleted sees to it that what was deleted stays so: a uid does not come back.
func (t *trial) judgeDeleted() {
	gone := map[uint64]bool{}
	for i := range t.Commits {
		for _, e := range t.Commits[i].Events {
			switch e.GetKind() {
			case store.EventJobDeleted:
				gone[e.GetUid()] = true
			case store.EventJobPut, store.EventJobEnabled, store.EventJobDisabled:
				if gone[e.GetUid()] {
					t.breach(t.Commits[i].At, "job %s (uid %d) was deleted and is back at %s", e.GetJob(), e.GetUid(), moment(t.Commits[i].At))
				}
			}
		}
	}
}

// isWrite reports whether a request asks for a change.
func isWrite(r *orrerypb.Request) bool {
	switch r.GetBody().(type) {
	case *orrerypb.Request_PutJob, *orrerypb.Request_DeleteJob, *orrerypb.Request_Toggle, *orrerypb.Request_Run,
		*orrerypb.Request_Cancel, *orrerypb.Request_Pause, *orrerypb.Request_Config, *orrerypb.Request_Backfill,
		*orrerypb.Request_ClearHistory:
		return true
	}
	return false
}

// requestText says what a request asks for.
func requestText(r *orrerypb.Request) string {
	switch b := r.GetBody().(type) {
	case *orrerypb.Request_PutJob:
		return "put " + b.PutJob.GetJob().GetName()
	case *orrerypb.Request_DeleteJob:
		return "delete " + b.DeleteJob.GetName()
	case *orrerypb.Request_Toggle:
		return "toggle " + b.Toggle.GetName()
	case *orrerypb.Request_Run:
		return "run " + b.Run.GetName()
	case *orrerypb.Request_Cancel:
		return "cancel"
	case *orrerypb.Request_Pause:
		return "pause"
	case *orrerypb.Request_Config:
		return "config"
	case *orrerypb.Request_ClearHistory:
		return "clear " + b.ClearHistory.GetName()
	case *orrerypb.Request_Backfill:
		return "backfill " + b.Backfill.GetName()
	}
	return "read"
}
