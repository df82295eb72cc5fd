package promise

import (
	"slices"

	"orrery"
)

// targetsRespected judges where processes ran, and on how many members an execution
// was begun.
func targetsRespected(t *trial) {
	tags := map[string]map[string]string{}
	for _, m := range t.Members {
		tags[m.Name] = m.Tags
	}
	l := t.ledger()
	for i := range t.Processes {
		p := &t.Processes[i]
		x := l.byID[p.Attempt.Execution]
		if x == nil || x.version == nil || !t.concerns(p.Job) {
			continue
		}
		t.judged++
		if where := placementOf(x.version); !where.Matches(tags[p.Member]) {
			t.breach(p.Started, "attempt %v of %s ran on %s at %s, which does not match %v",
				p.Attempt, p.Job, p.Member, moment(p.Started), where.Tags)
		}
	}
	for _, x := range l.executions {
		if x.version != nil && len(x.attempts) > 0 && t.concerns(x.job.name) {
			t.judged++
			t.judgeCount(x, tags)
		}
	}
}

func placementOf(v *version) orrery.Placement { return v.def.Placement(v.config) }

// judgeCount judges the first attempts of an execution, by which its slots are fixed:
// each on a member of its own, no more than were asked for, and no fewer where all
// members that match are there to be chosen.
func (t *trial) judgeCount(x *execution, tags map[string]map[string]string) {
	begun := x.attempts[0].assigned
	var members []string
	for _, a := range x.attempts {
		if a.id.N != 1 {
			continue
		}
		if slices.Contains(members, a.member) {
			t.breach(begun.at, "execution %d of %s has two slots on %s", x.id, x.job.name, a.member)
		}
		members = append(members, a.member)
	}
	where := placementOf(x.version)
	matching, there := 0, 0
	for _, m := range t.Members {
		if where.Matches(tags[m.Name]) {
			matching++
			if t.InCore(m.Name) {
				there++
			}
		}
	}
	asked := where.Count()
	if asked == 0 || asked > matching {
		asked = matching
	}
	calm := t.Healed > 0 && begun.at >= t.Healed+CalmBound(t.Config, Params{})
	if len(members) > asked || len(members) < min(asked, there) && calm {
		t.breach(begun.at, "execution %d of %s was begun on %d members at %s (%v); %d were asked for of %d that match",
			x.id, x.job.name, len(members), moment(begun.at), members, asked, matching)
	}
}
