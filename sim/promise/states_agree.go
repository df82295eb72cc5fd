package promise

// replay is the member under whose name the history holds the hashes of the replica
// that nobody disturbed.
const replay = "replay"

// statesAgree compares the hashes of all servers with that of the replay at the same
// index; where there is none, with the first that was told. A state that differs goes on
// differing: only the first index of each divergence is evidence.
func statesAgree(t *trial) {
	expected := make(map[uint64]int, len(t.Commits)) // index of the log to place among the hashes
	for i, s := range t.Hashes {
		if known, ok := expected[s.Index]; !ok || s.Member == replay && t.Hashes[known].Member != replay {
			expected[s.Index] = i
		}
	}
	apart := map[string]bool{}
	for i, s := range t.Hashes {
		known := expected[s.Index]
		if known == i {
			continue
		}
		want := &t.Hashes[known]
		t.judged++
		differs := s.Hash != want.Hash
		if differs && !apart[s.Member] {
			t.breach(s.At, "%s has state %016x after %s %d, %s has %016x",
				s.Member, s.Hash, wayTo(s), s.Index, want.Member, want.Hash)
		}
		apart[s.Member] = differs
	}
}

// wayTo says how a server came to its state.
func wayTo(s StateHash) string {
	if s.Restored {
		return "restoring the snapshot at index"
	}
	return "index"
}
