package store

import (
	"slices"
	"strings"

	"orrery"
	"orrery/proto/orrerypb"
)

// checkNeeds refuses a definition whose edges lead nowhere, lead in a circle, or could
// never be satisfied together. It is checked where jobs are written and nowhere else,
// so that of two writes that make a circle the second is refused.
func (c *change) checkNeeds(definition *orrerypb.Job) *orrerypb.Answer {
	for _, need := range definition.Needs {
		if _, ok := lookupName(c.t, need.Job); !ok && need.Job != definition.Name {
			return refuse(orrery.NotFound, "specified parent job not found: %q", need.Job)
		}
	}
	needs := c.needsWith(definition)
	if cycle := orrery.FindCycle(definition.Name, needs); cycle != nil {
		return refuse(orrery.Invalid, "the needs of %q lead back to it: %s", definition.Name, strings.Join(cycle, " needs "))
	}
	for _, job := range c.descendants(definition.Name) {
		if parents := needs(job); len(parents) > 1 && !haveCommonRoot(parents, needs) {
			return refuse(orrery.Invalid, "the needs of %q have no common job from which they all run: %s", job, strings.Join(parents, ", "))
		}
	}
	return nil
}

// needsWith says which jobs a job runs after, were the definition in force.
func (c *change) needsWith(definition *orrerypb.Job) func(name string) []string {
	return func(name string) []string {
		var needs []string
		if name == definition.Name {
			for _, need := range definition.Needs {
				needs = append(needs, need.Job)
			}
			return needs
		}
		if j := c.named(name); j != nil {
			for _, need := range j.def.job.Needs {
				needs = append(needs, need.Job)
			}
		}
		return needs
	}
}

// descendants are a job and all that run after it, at any distance. There may not be
// a cycle.
func (c *change) descendants(name string) []string {
	all := []string{name}
	for i := 0; i < len(all); i++ {
		for _, uid := range dependentIDs(c.t, all[i]) {
			if child := c.job(uid).Name; !slices.Contains(all, child) {
				all = append(all, child)
			}
		}
	}
	return all
}

// haveCommonRoot reports whether there is a job from which a tree can grow that holds
// all the jobs given: their decision is made once a root execution.
func haveCommonRoot(jobs []string, needs func(string) []string) bool {
	common := ancestors(jobs[0], needs)
	for _, job := range jobs[1:] {
		those := ancestors(job, needs)
		common = slices.DeleteFunc(common, func(name string) bool { return !slices.Contains(those, name) })
	}
	return len(common) > 0
}

// ancestors are a job and all that it runs after, at any distance.
func ancestors(name string, needs func(string) []string) []string {
	all := []string{name}
	for i := 0; i < len(all); i++ {
		for _, need := range needs(all[i]) {
			if !slices.Contains(all, need) {
				all = append(all, need)
			}
		}
	}
	return all
}
