package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	protobuf "google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
)

func newState(t testing.TB) *State {
	t.Helper()
	s, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// raw is a state with the given records, which need not mean anything.
func raw(t testing.TB, index, term uint64, records map[string]string) *State {
	t.Helper()
	s := newState(t)
	s.index, s.term = index, term
	s.kv.update(func(tr *tx) {
		for key, value := range records {
			tr.put(key, value)
		}
	})
	return s
}

// written is the whole of a snapshot of s.
func written(s *State, max int) (all []byte) {
	p := s.Snapshot()
	defer p.Close()
	for {
		piece, last := p.Next(max)
		all = append(all, piece...)
		if last {
			return all
		}
	}
}

// snapshotModel changes a state while snapshots of it are written, and holds what is
// restored from each against what the state was.
type snapshotModel struct {
	state *State
	model map[string]string
	open  []openSnapshot
}

type openSnapshot struct {
	snapshot *Snapshot
	bytes    []byte
	index    uint64
	hash     uint64
	want     map[string]string
}

func (m *snapshotModel) Change(t *rapid.T) {
	m.state.index++
	m.state.kv.update(func(tr *tx) {
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			key := anyKey.Draw(t, "key")
			if rapid.Bool().Draw(t, "put") {
				m.model[key] = anyValue.Draw(t, "value")
				tr.put(key, m.model[key])
			} else {
				delete(m.model, key)
				tr.del(key)
			}
		}
	})
}

func (m *snapshotModel) Snapshot(t *rapid.T) {
	if len(m.open) == 3 {
		t.Skip("enough are open")
	}
	m.open = append(m.open, openSnapshot{
		snapshot: m.state.Snapshot(), index: m.state.Index(), hash: m.state.Hash(), want: maps.Clone(m.model),
	})
}

func (m *snapshotModel) Next(t *rapid.T) {
	if len(m.open) == 0 {
		t.Skip("no snapshot is open")
	}
	i := rapid.IntRange(0, len(m.open)-1).Draw(t, "snapshot")
	p := &m.open[i]
	piece, last := p.snapshot.Next(rapid.IntRange(-1, 100).Draw(t, "max"))
	p.bytes = append(p.bytes, piece...)
	if !last {
		return
	}
	other, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Restore(bytes.NewReader(p.bytes)); err != nil {
		t.Fatal(err)
	}
	if got := content(other.kv); !maps.Equal(got, p.want) {
		t.Fatalf("restored %q; the state was %q", got, p.want)
	}
	if other.Index() != p.index || other.Hash() != p.hash || p.snapshot.Index() != p.index {
		t.Fatalf("restored index %d, hash %x; the state had %d, %x", other.Index(), other.Hash(), p.index, p.hash)
	}
	m.open = slices.Delete(m.open, i, i+1)
}

func (m *snapshotModel) Abandon(t *rapid.T) {
	if len(m.open) == 0 {
		t.Skip("no snapshot is open")
	}
	m.open[0].snapshot.Close()
	m.open = m.open[1:]
}

// Replace restores the state from a snapshot of itself while others are open.
func (m *snapshotModel) Replace(t *rapid.T) {
	if err := m.state.Restore(bytes.NewReader(written(m.state, 1<<20))); err != nil {
		t.Fatal(err)
	}
}

func TestASnapshotIsThePointInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		m := &snapshotModel{state: s, model: map[string]string{}}
		defer func() {
			for _, p := range m.open {
				p.snapshot.Close()
			}
			_ = s.Close()
		}()
		t.Repeat(map[string]func(*rapid.T){
			"change": m.Change, "snapshot": m.Snapshot, "next": m.Next, "abandon": m.Abandon, "replace": m.Replace,
		})
	})
}

// small is a snapshot of a few records in several chunks.
func small(t testing.TB) []byte {
	meta, err := protobuf.Marshal(&orrerypb.StateMeta{Version: Version, LastUid: 9})
	if err != nil {
		t.Fatal(err)
	}
	return written(raw(t, 41, 3, map[string]string{
		metaKey: string(meta), "job/1": "one", "job/2": "\xff\x00", "name/a": "",
	}), 16)
}

func TestRestoreTakesTheStateOver(t *testing.T) {
	s := raw(t, 7, 1, map[string]string{"old": "record"})
	if err := s.Restore(bytes.NewReader(small(t))); err != nil {
		t.Fatal(err)
	}
	if s.Index() != 41 || s.term != 3 || s.Meta().GetLastUid() != 9 || s.kv.len() != 4 {
		t.Errorf("index %d, term %d, last uid %d, %d records; want 41, 3, 9, 4",
			s.Index(), s.term, s.Meta().GetLastUid(), s.kv.len())
	}
	if again := written(s, 16); !bytes.Equal(again, small(t)) {
		t.Errorf("a snapshot of what was restored differs from what it was restored from")
	}
}

func TestRestoreReadsInPiecesOfAnySize(t *testing.T) {
	s := newState(t)
	if err := s.Restore(iotest.OneByteReader(bytes.NewReader(small(t)))); err != nil {
		t.Error(err)
	}
}

// frames puts sealed frames together by hand.
func frames(parts ...any) (b []byte) {
	for _, part := range parts {
		switch part := part.(type) {
		case *orrerypb.SnapshotHeader:
			b = appendFrame(b, frameHeader, marshal(part))
		case *orrerypb.SnapshotChunk:
			b = appendFrame(b, frameChunk, marshal(part))
		case *orrerypb.SnapshotTrailer:
			b = appendFrame(b, frameTrailer, marshal(part))
		case []byte:
			b = append(b, part...)
		}
	}
	return b
}

func marshal(m protobuf.Message) []byte {
	b, err := protobuf.Marshal(m)
	must(err)
	return b
}

func chunk(records ...string) *orrerypb.SnapshotChunk {
	c := &orrerypb.SnapshotChunk{}
	for i := 0; i < len(records); i += 2 {
		c.Keys = append(c.Keys, []byte(records[i]))
		c.Values = append(c.Values, []byte(records[i+1]))
	}
	return c
}

// trailer is the right one for the records.
func trailer(records ...string) *orrerypb.SnapshotTrailer {
	w := &orrerypb.SnapshotTrailer{}
	for i := 0; i < len(records); i += 2 {
		w.Records++
		w.Hash += recordHash(records[i], records[i+1])
	}
	return w
}

func TestRestoreRefuses(t *testing.T) {
	header := &orrerypb.SnapshotHeader{Format: snapshotFormat, Index: 1}
	later := string(marshal(&orrerypb.StateMeta{Version: Version + 1}))
	for name, test := range map[string]struct {
		snapshot []byte
		want     string
	}{
		"nothing":           {nil, "at byte 0: the snapshot ends before its trailer does"},
		"something else":    {[]byte("PK\x03\x04 and so on, for as long as a frame of that length lasts, and that is it; more of it; more"), "at byte 0: a frame with checksum"},
		"an endless length": {bytes.Repeat([]byte{0x80}, 20), "at byte 0: a frame of 0 bytes or more, at most 268435456 are accepted"},
		"a length that no writer writes": {protowire.AppendVarint(nil, 1<<30),
			"at byte 0: a frame of 1073741824 bytes or more, at most 268435456 are accepted"},
		"a length that lies": {append(protowire.AppendVarint(nil, 1<<27), 1), "at byte 0: the snapshot ends"},
		"a later format": {frames(&orrerypb.SnapshotHeader{Format: 2}),
			"at byte 0: snapshot format 2, this version reads up to 1"},
		"no format":        {frames(&orrerypb.SnapshotHeader{Index: 1}), "at byte 0: snapshot format 0"},
		"no header":        {frames(trailer()), "at byte 0: a frame of kind 3, want the header (1)"},
		"two headers":      {frames(header, header), "at byte 10: a frame of kind 1, want a chunk (2) or the trailer (3)"},
		"an unknown kind":  {frames(header, appendFrame(nil, 9, nil)), "at byte 10: a frame of kind 9"},
		"no trailer":       {frames(header, chunk("a", "1")), "at byte 22: the snapshot ends"},
		"more behind":      {frames(header, trailer(), []byte{0}), "at byte 16: more bytes behind the trailer"},
		"a broken header":  {appendFrame(nil, frameHeader, []byte{0xff}), "at byte 0: the header: "},
		"a broken chunk":   {frames(header, appendFrame(nil, frameChunk, []byte{0xff})), "at byte 10: a chunk: "},
		"a broken trailer": {frames(header, appendFrame(nil, frameTrailer, []byte{0xff})), "at byte 10: the trailer: "},
		"a key without value": {frames(header, &orrerypb.SnapshotChunk{Keys: [][]byte{[]byte("a")}}),
			"at byte 10: a chunk with 1 keys and 0 values, want as many"},
		"keys out of order": {frames(header, chunk("b", "", "a", "")), `at byte 10: key "a" after "b", want them ascending`},
		"out of order over two chunks": {frames(header, chunk("b", ""), chunk("a", "")),
			`at byte 21: key "a" after "b", want them ascending`},
		"a key twice":     {frames(header, chunk("a", "1", "a", "2")), `key "a" after "a"`},
		"an empty key":    {frames(header, chunk("", "1")), `key "" after ""`},
		"a lost record":   {frames(header, chunk("a", "1"), trailer("a", "1", "b", "2")), "1 records were read, the trailer says 2"},
		"another record":  {frames(header, chunk("a", "1"), trailer("a", "2")), "the records have hash ad1402f718366cbe, the trailer says a64fce663b4bff69"},
		"a broken meta":   {frames(header, chunk(metaKey, "\xff"), trailer(metaKey, "\xff")), `record "meta": `},
		"a later version": {frames(header, chunk(metaKey, later), trailer(metaKey, later)), fmt.Sprintf("the state needs version %d of apply, this server offers %d", Version+1, Version)},
	} {
		t.Run(name, func(t *testing.T) {
			s := raw(t, 7, 2, map[string]string{"old": "record"})
			err := s.Restore(bytes.NewReader(test.snapshot))
			if err == nil || !strings.Contains(err.Error(), test.want) || orrery.CodeOf(err) != orrery.Invalid {
				t.Errorf("error %v, code %q; want invalid, with %q", err, orrery.CodeOf(err), test.want)
			}
			untouched(t, s)
		})
	}
}

// untouched checks that raw(7, 2, {"old": "record"}) is what it was.
func untouched(t *testing.T, s *State) {
	t.Helper()
	if s.Index() != 7 || s.term != 2 || !maps.Equal(content(s.kv), map[string]string{"old": "record"}) {
		t.Errorf("the state changed although nothing was restored")
	}
}

func TestRestoreNoticesEveryDamagedBit(t *testing.T) {
	good := small(t)
	s := raw(t, 7, 2, map[string]string{"old": "record"})
	for bit := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if err := s.Restore(bytes.NewReader(bad)); orrery.CodeOf(err) != orrery.Invalid {
			t.Fatalf("with bit %d flipped: %v", bit, err)
		}
	}
	for length := range good {
		if err := s.Restore(bytes.NewReader(good[:length])); orrery.CodeOf(err) != orrery.Invalid {
			t.Fatalf("cut to %d bytes: %v", length, err)
		}
	}
	untouched(t, s)
}

func TestRestoreTellsAReaderThatFails(t *testing.T) {
	good := small(t)
	for length := range len(good) + 1 {
		s := raw(t, 7, 2, map[string]string{"old": "record"})
		from := io.MultiReader(bytes.NewReader(good[:length]), iotest.ErrReader(errors.New("disk on fire")))
		err := s.Restore(from)
		if orrery.CodeOf(err) != orrery.Unavailable || !strings.Contains(err.Error(), "disk on fire") {
			t.Fatalf("after %d bytes: %v", length, err)
		}
		untouched(t, s)
	}
}

func TestRestoreKeepsFieldsOfLaterVersions(t *testing.T) {
	job := &orrerypb.JobState{Uid: 1, Name: "a"}
	job.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 1000, protowire.BytesType), "later"))
	s := raw(t, 1, 1, map[string]string{jobKey(1): encode(job)})
	other := newState(t)
	if err := other.Restore(bytes.NewReader(written(s, 1<<20))); err != nil {
		t.Fatal(err)
	}
	var got *orrerypb.JobState
	other.kv.view(func(tr *tx) { got = loadJob(tr, 1) })
	if !protobuf.Equal(got, job) || other.Hash() != s.Hash() {
		t.Errorf("a field of a later version was lost")
	}
}

func TestASnapshotThatIsWrongIsNotFinished(t *testing.T) {
	s := raw(t, 1, 1, map[string]string{"a": "1"})
	p := s.Snapshot()
	defer p.Close()
	p.whole.Hash++ // as if a change had gone past the cut
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "store: snapshot of index 1 has ") {
			t.Errorf("panic %q; want one that says what differs", text)
		}
	}()
	p.Next(1 << 20)
}

func TestReplacedStatesEnd(t *testing.T) {
	s := raw(t, 1, 1, map[string]string{"a": "1"})
	whole := written(s, 1<<20)
	p, old := s.Snapshot(), s.kv
	for range 3 {
		if err := s.Restore(bytes.NewReader(whole)); err != nil {
			t.Fatal(err)
		}
		if s.Restore(bytes.NewReader(whole[:len(whole)-1])) == nil {
			t.Fatal("half a snapshot was restored")
		}
	}
	if _, last := p.Next(1 << 20); !last {
		t.Error("the snapshot of a replaced state does not end")
	}
	if old.close() == nil {
		t.Error("a replaced state stays open when its last snapshot has ended")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	// BuntDB's goroutine ends with its next second.
	for deadline := time.Now().Add(10 * time.Second); mapsOpen() > 0; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d maps are still open, of this test or of one before", mapsOpen())
		}
	}
}

// mapsOpen is how many kvs there are, those of tests that have just ended included.
func mapsOpen() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "buntdb.(*DB).backgroundManager")
}

// FuzzRestore: no bytes make it panic or take memory that they do not pay for. With
// seal, the input is frames without checksums, so that the fuzzer comes past them.
func FuzzRestore(f *testing.F) {
	f.Add(small(f), false)
	f.Add([]byte{frameHeader, 2, 8, 1, frameChunk, 6, 10, 1, 'a', 18, 1, 'b', frameTrailer, 2, 8, 1}, true)
	f.Add([]byte{frameHeader, 2, 8, 1, frameTrailer, 0}, true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			b = sealed(b)
		}
		s := raw(t, 7, 2, map[string]string{"old": "record"})
		if err := s.Restore(bytes.NewReader(b)); err != nil {
			if orrery.CodeOf(err) != orrery.Invalid {
				t.Fatalf("%v has code %q", err, orrery.CodeOf(err))
			}
			untouched(t, s)
			return
		}
		other := newState(t)
		if err := other.Restore(bytes.NewReader(written(s, 64))); err != nil || other.Hash() != s.Hash() {
			t.Fatalf("what was restored cannot be restored again: %v", err)
		}
	})
}

// sealed reads b as kind, length of one byte, body, and so on, and makes frames of it.
func sealed(b []byte) (out []byte) {
	for len(b) >= 2 {
		kind, length := b[0], min(int(b[1]), len(b)-2)
		out = appendFrame(out, kind, b[2:2+length])
		b = b[2+length:]
	}
	return out
}

// manyRecords is about what a hundred thousand jobs are.
func manyRecords(b testing.TB) *State {
	s := newState(b)
	definition := strings.Repeat("d", 300)
	for i := range uint64(100) {
		s.kv.update(func(t *tx) {
			for uid := i * 1000; uid < (i+1)*1000; uid++ {
				t.put(jobKey(uid), definition[:80])
				t.put(defKey(uid, 1), definition)
				t.put(nameKey(fmt.Sprintf("job-%06d", uid)), number(uid))
				t.put(dueKey(int64(uid)*1e9, uid), "")
			}
		})
	}
	return s
}

func BenchmarkSnapshot(b *testing.B) {
	s := manyRecords(b)
	for name, size := range map[string]int{"256 KiB": 256 << 10, "1 MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			var steps []time.Duration
			for b.Loop() {
				p := s.Snapshot()
				for last := false; !last; {
					begun := time.Now()
					_, last = p.Next(size)
					steps = append(steps, time.Since(begun))
				}
			}
			slices.Sort(steps)
			b.ReportMetric(float64(steps[len(steps)/2].Microseconds()), "median-µs/step")
			b.ReportMetric(float64(steps[len(steps)*99/100].Microseconds()), "99%-µs/step")
		})
	}
}

func BenchmarkRestore(b *testing.B) {
	whole := written(manyRecords(b), 1<<20)
	s := newState(b)
	b.SetBytes(int64(len(whole)))
	for b.Loop() {
		if err := s.Restore(bytes.NewReader(whole)); err != nil {
			b.Fatal(err)
		}
	}
}
