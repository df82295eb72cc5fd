package orrery

import "time"

// ClusterConfig holds the settings that every member must agree on. They are part
// of the replicated state. The zero value of a field is its default.
type ClusterConfig struct {
	Zone            string        // of jobs without one; "" is UTC
	LostAfter       time.Duration // silence after which a member's attempts are lost; 0 is 30 s
	HeartbeatEvery  time.Duration // 0 is 1 s
	MisfireAfter    time.Duration // younger due times simply fire late; 0 is 10 s
	MaxClockSkew    time.Duration // a leader further off the servers' median hands over; 0 is 2 s
	HistoryMaxBytes int64         // over all jobs; 0 is 256 MB
	HistoryMaxAge   time.Duration // 0 is 30 days
	RequestsKept    int           // stored answers for retried writes; 0 is 50 000
	RequestsMaxAge  time.Duration // 0 is 1 h
	DkronPlacement  bool          // a job whose tags ask for no number runs on every member that matches, as in Dkron
	Notify          ClusterNotify // what the members' own webhooks are told
}

// LeaseMargin is what a cut-off member keeps in hand beside its kill grace, so that
// the process is gone before the leader may start another: two heartbeats' worth of
// drift and delay at the default rates.
const LeaseMargin = 2 * time.Second

// defaultRequestsKept is 12 s of 4 000 writes a second, more than twice as long as a member
// waits for an answer before its client has to ask again. It takes 16 MB.
const defaultRequestsKept = 50_000

// WithDefaults returns c with every zero field set to what it means.
func (c ClusterConfig) WithDefaults() ClusterConfig {
	setDefault(&c.Zone, "UTC")
	setDefault(&c.LostAfter, 30*time.Second)
	setDefault(&c.HeartbeatEvery, time.Second)
	setDefault(&c.MisfireAfter, 10*time.Second)
	setDefault(&c.MaxClockSkew, 2*time.Second)
	setDefault(&c.HistoryMaxBytes, 256<<20)
	setDefault(&c.HistoryMaxAge, 30*24*time.Hour)
	setDefault(&c.RequestsKept, defaultRequestsKept)
	setDefault(&c.RequestsMaxAge, time.Hour)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
