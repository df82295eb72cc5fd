package promise

// replay is the member under whose name the history holds the hashes of the replica
// that nobody disturbed.
const replay = "replay"

// statesAgree compares the hashes of all servers with that of the replay at the same
// index; where there is none, with the first that was told. A state that differs goes on
// differing: only the first index of each divergence is evidence.
func statesAgree(t *trial) {
	expected := make(map[uint64]StateHash, len(t.Hashes))
	for _, s := range t.Hashes {
		if known, ok := expected[s.Index]; !ok || s.Member == replay && known.Member != replay {
			expected[s.Index] = s
		}
	}
	apart := map[string]bool{}
	for _, s := range t.Hashes {
		want := expected[s.Index]
		if s == want {
			continue
		}
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
