package sim

import (
	"orrery"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// This file tells what a scenario asks of a cluster to those who have another than this
// package's to ask it of.

// ClusterConfig is the settings that s asks for.
func ClusterConfig(s *scenario.Scenario) orrery.ClusterConfig { return clusterConfig(s) }

// Jobs lists the jobs of s under the names that the cluster knows them by, each after
// those it needs.
func Jobs(s *scenario.Scenario) []scenario.Job {
	b := newJobBook(nil, s)
	all := make([]scenario.Job, len(b.names))
	for i, name := range b.names {
		all[i] = b.defs[name]
		all[i].Name, all[i].Times = name, 0
	}
	return all
}

// Word is a job of s as the cluster is told of it. Moments count from s.Starts.
func Word(s *scenario.Scenario, j scenario.Job) orrery.Job {
	b := &jobBook{world: &World{scenario: s}}
	return b.word(j.Name, j)
}

// Params are what s says to a promise.
func Params(s *scenario.Scenario, name string) promise.Params {
	w := &World{scenario: s}
	w.jobs = newJobBook(w, s)
	return w.params(name)
}

// OfFamily says whether job is the one called name, or one of its family.
func OfFamily(job, name string) bool { return ofFamily(job, name) }
