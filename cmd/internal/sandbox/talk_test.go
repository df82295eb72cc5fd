package sandbox

import (
	"testing"

	"orrery/netsim"
	"orrery/sim"
)

// TestSegmentsAreNamedInCipherToo holds that the trace tells raft's segments from the
// members' own, whatever it is that goes over the wire.
func TestSegmentsAreNamedInCipherToo(t *testing.T) {
	for _, ciphered := range []bool{false, true} {
		seed := uint64(1)
		for (drawSecret(netsim.Stream(seed, "secret")) != "") != ciphered {
			seed++
		}
		r := run(t, engine(t), "members 2 servers\nlasts 5s\njob beat every 1s", seed, sim.Options{Keep: true})
		sent := r.sent()
		if n := sent["rpc segment"]; n < 100 || sent["raft segment"] < n {
			t.Errorf("seed %d, in cipher: %v: over the network went %v", seed, ciphered, sent)
		}
	}
}
