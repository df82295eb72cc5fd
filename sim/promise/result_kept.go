package promise

import (
	"bytes"
	"fmt"

	wire "orrery/proto"

	"orrery"
)

// resultKept compares what was recorded of attempts with what their processes did, and
// asks for each process that ended what was recorded of it.
func resultKept(t *trial) {
	l := t.ledger()
	for _, x := range l.executions {
		if !t.concerns(x.job.name) {
			continue
		}
		for _, a := range x.attempts {
			if a.ended.happened() {
				t.judged++
				t.judgeRecord(a, l.processOf(a.id, a.fence))
			}
		}
	}
	for i := range t.Processes {
		p := &t.Processes[i]
		if a := l.assignmentOf(p); a != nil && t.concerns(p.Job) {
			t.judgeKept(a, p)
		}
	}
}

// judgeRecord holds a recorded result against the process; nil: there was none.
func (t *trial) judgeRecord(a *attempt, p *Process) {
	result := wire.ToResult(a.result)
	wrong := func(format string, args ...any) {
		args = append([]any{a.id, a.x.job.name, moment(a.ended.at)}, args...)
		t.breach(a.ended.at, "attempt %v of %s was recorded at %s "+format, args...)
	}
	switch {
	case p == nil:
		if result.Succeeded {
			wrong("as succeeded, and no process of it ever ran")
		}
	case p.until() > a.ended.at:
		wrong("as ended, and its process on %s ran %s", p.Member, t.span(p))
	case p.PowerLost && !result.Succeeded && result.Reason == orrery.ReasonRestarted:
		// The power took what was known of its end, if it had come to one.
	case p.PowerLost && differ(result, p.Result) != "":
		wrong("as %s, and its process died at %s with the power of %s", resultText(result), moment(p.Ended), p.Member)
	case differ(result, p.Result) != "":
		wrong("with %s", differ(result, p.Result))
	case a.outcome != orrery.OutcomeLost && (a.outcome == orrery.OutcomeSucceeded) != p.Result.Succeeded:
		wrong("with outcome %d, and its process %s", a.outcome, resultText(p.Result))
	}
}

// differ says in what a recorded result is not that of the process; "": in nothing.
func differ(recorded, real orrery.Result) string {
	switch {
	case recorded.Succeeded != real.Succeeded, recorded.ExitCode != real.ExitCode, recorded.Reason != real.Reason:
		return fmt.Sprintf("the end %q, and its process ended with %q", resultText(recorded), resultText(real))
	case !bytes.Equal(recorded.Output, real.Output) || recorded.Truncated != real.Truncated:
		return fmt.Sprintf("the output %.40q (%d bytes), and its process wrote %.40q (%d bytes)",
			recorded.Output, len(recorded.Output), real.Output, len(real.Output))
	case !recorded.Started.Equal(real.Started) || !recorded.Finished.Equal(real.Finished):
		return fmt.Sprintf("a run of %v, and its process ran for %v", recorded.Finished.Sub(recorded.Started), real.Finished.Sub(real.Started))
	}
	return ""
}

func resultText(r orrery.Result) string {
	switch {
	case r.Succeeded:
		return "succeeded"
	case r.Reason == orrery.ReasonExit:
		return fmt.Sprintf("exit %d", r.ExitCode)
	}
	return fmt.Sprintf("%s, exit %d", r.Reason, r.ExitCode)
}

// judgeKept asks for the record of a process that ended. One that was told and is not
// recorded is excused after a loss: the history may have forgotten it by then. A member
// that the last heal left broken may never come to tell.
func (t *trial) judgeKept(a *attempt, p *Process) {
	t.judged++
	if a.ended.happened() || p.PowerLost || p.until() > t.horizon() || !t.InCore(p.Member) {
		return
	}
	switch {
	case !a.told.happened():
		t.breach(p.Ended, "attempt %v of %s ended on %s at %s (%s) and no result of it was ever committed; the run ended at %s",
			a.id, p.Job, p.Member, moment(p.Ended), resultText(p.Result), moment(t.End))
	case !a.lost.happened():
		t.breach(a.told.at, "the result of attempt %v of %s was committed at %s and not recorded", a.id, p.Job, moment(a.told.at))
	}
}
