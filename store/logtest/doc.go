// Package logtest holds what [store.Log] promises as tests, to be run against every
// implementation: the model that simulations use and the adapter of the real raft.
//
// It knows logs only by their port: it refuses to look inside, and to know what a
// network, a disk or a term is made of.
package logtest

import (
	"testing"
	"time"

	"orrery/store"
)

// Cluster is some servers, each with a log, and the clock that they live by. Servers are
// numbered from 0 and down at first.
type Cluster interface {
	// Listen says who is given what the logs deliver, to whichever actor of the server. It
	// is called once, before all else. Messages come only during Until, one at a time and
	// in the log's order; while one is taken, no method of the cluster or its logs is called.
	Listen(deliver func(server int, msg any))

	// Start starts the server, for the first time or after a crash. Log is the log of
	// this life of it.
	Start(server int)
	Log(server int) store.Log

	// Crash ends the server's life at once. What was to be delivered to it is lost.
	Crash(server int)

	// Partition lets the servers of different sides hear nothing of each other until
	// Heal; a further one replaces it.
	Partition(sides ...[]int)
	Heal()

	// Until lets time pass, looks at cond after everything that happens, and stops when
	// it holds; false when it does not within so long.
	Until(within time.Duration, cond func() bool) bool
}

// MaxAhead bounds how many entries a log delivers beyond what the Store has applied.
const MaxAhead = 256

// Run runs the suite. newCluster returns a cluster of so many servers that nobody has
// used; it cleans up by t.Cleanup.
func Run(t *testing.T, newCluster func(t *testing.T, servers int) Cluster) {
	tests := []struct {
		promise string
		test    func(s *suite)
	}{
		{"one order for all, without a gap", testOneOrder},
		{"one server is cluster enough", testAlone},
		{"leadership is gained after all of earlier terms", testGainedAfterEarlier},
		{"what one server was given outlives its leader", testOutlives},
		{"what is refused is never applied", testRefused},
		{"what is unknown is applied once or never", testUnknown},
		{"a term has one leader", testOneLeader},
		{"a leader that is cut off loses leadership", testCutOff},
		{"a quorum check proves leadership", testVerify},
		{"leadership is handed over on request", testTransfer},
		{"a snapshot and a tail equal the replay", testSnapshot},
		{"a server far behind is given a snapshot", testFarBehind},
		{"a restart goes on where the log was", testRestart},
		{"the Store is not run over", testFlow},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			servers := 3
			if test.promise == "one server is cluster enough" {
				servers = 1
			}
			s := &suite{T: t, cluster: newCluster(t, servers), servers: servers}
			s.Recorder = NewRecorder(t, servers, s.cluster.Log)
			s.cluster.Listen(s.Deliver)
			for i := range servers {
				s.start(i)
			}
			test.test(s)
		})
	}
}
