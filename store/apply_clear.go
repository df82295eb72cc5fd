package store

import (
	"orrery"
	"orrery/proto/orrerypb"
)

// clearHistory deletes the closed executions of a job and lets it count from here on:
// what it says of its last successes and errors is of executions that are gone. Those
// that are open stay and count when they end.
//
// It drops as many as a job may keep, as an edit that shortens the history does.
func (c *change) clearHistory(command *orrerypb.ClearHistory) *orrerypb.Answer {
	j := c.named(command.Job)
	if j == nil {
		return refuse(orrery.NotFound, "no job %q", command.Job)
	}
	past := pastIDs(c.t, j.Uid)
	if len(past) == 0 && !counts(j) {
		return &orrerypb.Answer{Uid: j.Uid, Version: j.Version}
	}
	for _, id := range past {
		c.drop(c.execution(id))
	}
	j.SuccessCount, j.ErrorCount, j.LastOutcome = 0, 0, 0
	j.LastSuccessNs, j.LastErrorNs = 0, 0
	j.CountsSinceNs = c.at
	c.saveJob(j)
	c.tellJob(j, &orrerypb.Event{Kind: EventHistoryCleared, Count: uint64(len(past))})
	return about(j)
}

// counts reports whether a job says anything of how its executions ended.
func counts(j *job) bool { return j.LastOutcome != 0 || j.SuccessCount+j.ErrorCount > 0 }
