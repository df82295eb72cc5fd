package store

import (
	"testing"
	"time"

	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// TestSilence holds that a lower lost_after counts for a new leader only when leases that
// were granted before have run out.
func TestSilence(t *testing.T) {
	s := openState(t)
	defer s.Close()
	set := func(at, lostAfter time.Duration) {
		config := proto.FromConfig(orrery.ClusterConfig{LostAfter: lostAfter, MaxClockSkew: time.Second})
		s.Apply(s.Index()+1, 1, &orrerypb.Entry{Term: 1, Commands: []*orrerypb.Command{{
			AtNs: epoch.Add(at).UnixNano(),
			Body: &orrerypb.Command_SetClusterConfig{SetClusterConfig: &orrerypb.SetClusterConfig{Config: config}},
		}}})
	}
	steps := []struct {
		set      time.Duration // lost_after, at the moment; 0: nothing is set
		at, want time.Duration
	}{
		{0, 0, 30 * time.Second}, // the default
		{time.Minute, 0, time.Minute},
		{0, time.Hour, time.Minute},
		{20 * time.Second, time.Hour, time.Minute},   // leases of a minute run
		{0, time.Hour + 60*time.Second, time.Minute}, // on a clock that is ahead they still do
		{0, time.Hour + 62*time.Second, 20 * time.Second},
		{time.Minute, 2 * time.Hour, time.Minute},
		{40 * time.Second, 3 * time.Hour, time.Minute},
		{25 * time.Second, 3*time.Hour + 30*time.Second, time.Minute}, // lowered twice: the longest counts
		{0, 4 * time.Hour, 25 * time.Second},
	}
	for i, step := range steps {
		if step.set > 0 {
			set(step.at, step.set)
		}
		if got := s.Silence(epoch.Add(step.at)); got != step.want {
			t.Errorf("step %d, at %v: %v, want %v", i, step.at, got, step.want)
		}
	}
}
