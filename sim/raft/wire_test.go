package raft

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawMessage draws a message with the fields of its kind.
func drawMessage(t *rapid.T) *message {
	number := rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64())
	m := &message{
		kind: kind(rapid.IntRange(1, int(kinds)-1).Draw(t, "kind")),
		yes:  rapid.Bool().Draw(t, "yes"), force: rapid.Bool().Draw(t, "force"),
	}
	for _, field := range m.numbers(nil) {
		*field = number.Draw(t, "number")
	}
	switch m.kind {
	case piece:
		m.data = rapid.SliceOf(rapid.Byte()).Draw(t, "data")
	case appendEntries:
		for range rapid.IntRange(0, 5).Draw(t, "entries") {
			m.entries = append(m.entries, entry{number.Draw(t, "term"), rapid.SliceOf(rapid.Byte()).Draw(t, "data")})
		}
	}
	return m
}

func equal(a, b *message) bool {
	sameEntry := func(a, b entry) bool { return a.term == b.term && bytes.Equal(a.data, b.data) }
	x, y := *a, *b
	x.data, y.data, x.entries, y.entries = nil, nil, nil, nil
	same := x.kind == y.kind && x.yes == y.yes && x.force == y.force
	ofA, ofB := x.numbers(nil), y.numbers(nil)
	for i := range ofA {
		same = same && *ofA[i] == *ofB[i]
	}
	return same && bytes.Equal(a.data, b.data) && slices.EqualFunc(a.entries, b.entries, sameEntry)
}

func TestWireRoundTrip(t *testing.T) {
	var used message // as a Node does, the same one for all frames
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		if err := decode(&used, encode(m)); err != nil || !equal(m, &used) {
			t.Fatalf("%+v came back as %+v, %v", m, used, err)
		}
	})
}

// TestWireTruncated cuts frames short: whatever is left is no message, unless what is cut
// is of a piece, whose end is the frame's.
func TestWireTruncated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		frame := encode(m)
		var got message
		cut := rapid.IntRange(0, len(frame)-1-len(m.data)).Draw(t, "cut")
		if err := decode(&got, frame[:cut]); err == nil {
			t.Fatalf("%d of %d bytes of %+v are %+v", cut, len(frame), m, got)
		}
		if m.kind == piece {
			return
		}
		if err := decode(&got, append(slices.Clone(frame), 0)); err == nil {
			t.Fatalf("a byte too many of %+v was taken for %+v", m, got)
		}
	})
}

func TestWireRefuses(t *testing.T) {
	tests := map[string]struct {
		frame []byte
		want  string
	}{
		"nothing":                        {nil, "truncated"},
		"another version":                {[]byte{2, byte(timeoutNow), 0, 5}, "version 2, want 1"},
		"no kind":                        {[]byte{version, 0, 0, 5}, "kind 0, want 1 to 9"},
		"a kind to come":                 {[]byte{version, byte(kinds), 0, 5}, "kind 10, want 1 to 9"},
		"a flag to come":                 {[]byte{version, byte(timeoutNow), 4, 5}, "flags 0x4, want at most 0x3"},
		"a number that never ends":       {append([]byte{version, byte(timeoutNow), 0}, bytes.Repeat([]byte{0xff}, 12)...), "truncated"},
		"more entries than bytes":        {[]byte{version, byte(appendEntries), 0, 1, 0, 0, 0, 0, 200}, "truncated"},
		"an entry longer than its frame": {[]byte{version, byte(appendEntries), 0, 1, 0, 0, 0, 0, 1, 1, 9, 0}, "a length beyond the end of the frame"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var m message
			if err := decode(&m, test.frame); err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// FuzzDecode looks for frames that do harm: whatever is taken for a message has to be
// one that can be written and read again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	for k := preVote; k < kinds; k++ {
		m := message{kind: k, term: 7, index: 300, logTerm: 6, round: 1 << 40, yes: true}
		if k == piece {
			m.data = []byte("a piece")
		}
		if k == appendEntries {
			m.entries = []entry{{6, nil}, {7, []byte("an entry")}}
		}
		f.Add(encode(&m))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var m, again message
		if decode(&m, frame) != nil {
			return
		}
		if err := decode(&again, encode(&m)); err != nil || !equal(&m, &again) {
			t.Fatalf("%x is %+v and becomes %+v, %v", frame, m, again, err)
		}
	})
}
