package executor

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// identity is what an attempt is told about itself: the same words however often it is
// delivered.
type identity struct {
	job, execution, due, attempt, fence, cause string
}

func identityOf(run *orrerypb.RunAttempt) identity {
	id, fence := wire.ToAttempt(run.GetAttempt())
	i := identity{
		job:       run.GetJob(),
		execution: strconv.FormatUint(uint64(id.Execution), 10),
		attempt:   id.String(),
		fence:     strconv.FormatUint(uint64(fence), 10),
		cause:     orrery.CauseKind(run.GetCause()).String(),
	}
	if due := wire.Time(run.GetDueNs()); !due.IsZero() {
		i.due = due.UTC().Format(time.RFC3339Nano)
	}
	return i
}

// environment is the identity as variables of a process, and what its parents in a chain
// left it: ORRERY_PARENT_… is the one that ended last, ORRERY_PARENT_1_… and so on are all
// of them in the order of their ends. ENV_JOB_NAME is Dkron's.
func environment(run *orrerypb.RunAttempt) []string {
	i := identityOf(run)
	env := []string{
		"ENV_JOB_NAME=" + i.job,
		"ORRERY_JOB=" + i.job,
		"ORRERY_EXECUTION=" + i.execution,
		"ORRERY_DUE=" + i.due,
		"ORRERY_ATTEMPT=" + i.attempt,
		"ORRERY_FENCE=" + i.fence,
		"ORRERY_CAUSE=" + i.cause,
	}
	parents := run.GetParents()
	for n, p := range parents {
		env = append(env, parentEnvironment(fmt.Sprintf("ORRERY_PARENT_%d_", n+1), p)...)
	}
	if len(parents) > 0 {
		env = append(env, parentEnvironment("ORRERY_PARENT_", parents[len(parents)-1])...)
		env = append(env, "ORRERY_PARENTS="+strconv.Itoa(len(parents)))
	}
	return env
}

func parentEnvironment(prefix string, p *orrerypb.Parent) []string {
	return []string{
		prefix + "JOB=" + p.GetJob(),
		prefix + "EXECUTION=" + strconv.FormatUint(p.GetExecution(), 10),
		prefix + "OUTCOME=" + orrery.Outcome(p.GetOutcome()).String(),
		prefix + "OUTPUT=" + strings.ReplaceAll(string(p.GetOutput()), "\x00", ""), // no variable can hold a zero byte
	}
}
