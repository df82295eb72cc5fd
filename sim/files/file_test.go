package files

import (
	"io"
	"strings"
	"testing"

	"orrery/netsim"
	"orrery/sim/disk"
)

func TestReadAndWrite(t *testing.T) {
	const b = blockSize
	tests := map[string]struct {
		do   func(f *File) error
		text string
		used int64 // blocks
	}{
		"nothing":                   {func(f *File) error { return nil }, "", 0},
		"a text":                    {func(f *File) error { _, err := f.WriteAt([]byte("text"), 0); return err }, "text", 1},
		"over a text":               {func(f *File) error { f.Append([]byte("text")); _, err := f.WriteAt([]byte("s"), 2); return err }, "test", 1},
		"at the end":                {func(f *File) error { f.Append([]byte("te")); _, err := f.Append([]byte("xt")); return err }, "text", 1},
		"nothing written far off":   {func(f *File) error { _, err := f.WriteAt(nil, 100); return err }, "", 0},
		"behind a hole":             {func(f *File) error { _, err := f.WriteAt([]byte("x"), 3*b); return err }, "0*12288 x", 1},
		"across blocks":             {func(f *File) error { _, err := f.WriteAt([]byte(strings.Repeat("x", 2*b)), b-1); return err }, "0*4095 x*8192", 3},
		"zeros":                     {func(f *File) error { _, err := f.WriteAt(make([]byte, 2*b), 0); return err }, "0*8192", 2},
		"zeros over a text":         {func(f *File) error { f.Append([]byte("text")); _, err := f.WriteAt(make([]byte, 2), 1); return err }, "t00t", 1},
		"zeros over a whole block":  {func(f *File) error { f.Append([]byte("text")); _, err := f.WriteAt(make([]byte, b), 0); return err }, "0*4096", 1},
		"longer":                    {func(f *File) error { f.Append([]byte("text")); return f.Truncate(6) }, "text00", 1},
		"shorter":                   {func(f *File) error { f.Append([]byte("text")); return f.Truncate(2) }, "te", 1},
		"shorter, then longer":      {func(f *File) error { f.Append([]byte("text")); f.Truncate(2); return f.Truncate(4) }, "te00", 1},
		"shorter by blocks":         {func(f *File) error { f.WriteAt([]byte("x"), 3*b); f.Append([]byte("y")); return f.Truncate(b) }, "0*4096", 0},
		"emptied, then longer":      {func(f *File) error { f.Append([]byte("text")); f.Truncate(0); return f.Truncate(4) }, "0000", 0},
		"very long":                 {func(f *File) error { f.Truncate(MaxSize); return f.Truncate(3) }, "000", 0},
		"allocated":                 {func(f *File) error { return f.Allocate(b-1, 2) }, "0*4097", 2},
		"allocated where a text is": {func(f *File) error { f.Append([]byte("text")); return f.Allocate(0, 2) }, "text", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(1, steady())
			f := m.open("f", Read|Write|Create)
			must(test.do(f))
			want(t, "text", runs(m.text("f")), test.text)
			if m.Used() != test.used*b {
				t.Errorf("%d blocks are used, want %d", m.Used()/b, test.used)
			}
			m.sync("f")
			m.PowerLoss()
			want(t, "text after a power loss", runs(m.text("f")), test.text)
			if m.Used() != test.used*b {
				t.Errorf("%d blocks are used after a power loss, want %d", m.Used()/b, test.used)
			}
		})
	}
}

func TestReadAtEnds(t *testing.T) {
	m := newMachine(1, steady())
	m.put("f", "text")
	f, b := m.open("f", Read), make([]byte, 3)
	for offset, wanted := range map[int64]struct {
		n   int
		err error
	}{0: {3, nil}, 1: {3, nil}, 2: {2, io.EOF}, 4: {0, io.EOF}, 1 << 60: {0, io.EOF}, -1: {0, Invalid}} {
		if n, err := f.ReadAt(b, offset); n != wanted.n || err != wanted.err {
			t.Errorf("from %d: %d, %v, want %d, %v", offset, n, err, wanted.n, wanted.err)
		}
	}
}

func TestAtEnd(t *testing.T) {
	m := newMachine(1, steady())
	m.put("f", "text")
	f := m.open("f", Write|AtEnd)
	_, err := f.WriteAt([]byte("+"), 0)
	must(err)
	want(t, "text", m.text("f"), "text+")
}

// TestHandles holds what an open file refuses.
func TestHandles(t *testing.T) {
	m := newMachine(1, steady())
	m.put("f", "text")
	must(m.Mkdir("d"))
	reader, writer, dir, closed := m.open("f", Read), m.open("f", Write), m.open("d", Read), m.open("f", Read|Write)
	must(closed.Close())
	other := newMachine(1, steady())
	void := other.open("f", Read|Write|Create)
	other.PowerLoss()
	b := []byte("x")
	read := func(f *File) error { _, err := f.ReadAt(b, 0); return err }
	write := func(f *File) error { _, err := f.WriteAt(b, 0); return err }
	far := func(f *File) error { _, err := f.WriteAt(b, MaxSize); return err }
	size := func(f *File) error { _, err := f.Size(); return err }
	stat := func(f *File) error { _, err := f.Stat(); return err }
	entries := func(f *File) error { _, err := f.Entries(0); return err }
	resize := func(size int64) func(*File) error { return func(f *File) error { return f.Truncate(size) } }
	allocate := func(offset, length int64) func(*File) error {
		return func(f *File) error { return f.Allocate(offset, length) }
	}
	for name, test := range map[string]struct {
		f   *File
		do  func(*File) error
		err error
	}{
		"read what is for writing":     {writer, read, BadHandle},
		"write what is for reading":    {reader, write, BadHandle},
		"resize what is for reading":   {reader, resize(0), BadHandle},
		"allocate what is for reading": {reader, allocate(0, 1), BadHandle},
		"read a directory":             {dir, read, IsDir},
		"write a directory":            {dir, write, IsDir},
		"write too far":                {writer, far, TooBig},
		"write before the beginning":   {writer, func(f *File) error { _, err := f.WriteAt(b, -1); return err }, Invalid},
		"resize below nothing":         {writer, resize(-1), Invalid},
		"resize too far":               {writer, resize(MaxSize + 1), TooBig},
		"allocate nothing":             {writer, allocate(0, 0), Invalid},
		"allocate before":              {writer, allocate(-1, 5), Invalid},
		"allocate too far":             {writer, allocate(MaxSize, 1), TooBig},
		"allocate a whole world":       {writer, allocate(1<<62, 1<<62), TooBig},
		"allocate more than there is":  {writer, allocate(0, capacity+1), NoSpace},
		"read closed":                  {closed, read, BadHandle},
		"write closed":                 {closed, write, BadHandle},
		"size of closed":               {closed, size, BadHandle},
		"stat of closed":               {closed, stat, BadHandle},
		"entries of closed":            {closed, entries, BadHandle},
		"times of closed":              {closed, func(f *File) error { return f.SetTimes(Times{}) }, BadHandle},
		"close closed":                 {closed, (*File).Close, BadHandle},
		"read after a power loss":      {void, read, BadHandle},
		"append after a power loss":    {void, func(f *File) error { _, err := f.Append(b); return err }, BadHandle},
		"close after a power loss":     {void, (*File).Close, BadHandle},
	} {
		t.Run(name, func(t *testing.T) { wantErr(t, "error", test.do(test.f), test.err) })
	}
	want(t, "tree", m.tree(), "d/ f=text")
}

func TestFull(t *testing.T) {
	m := newMachine(1, steady())
	m.put("f", "text")
	m.putAt("f", 2*blockSize, "end")
	must(m.Mkdir("d"))
	m.sync("f")
	m.Configure(full())
	f := m.open("f", Read|Write)

	_, err := m.Open("g", Write|Create)
	wantErr(t, "create", err, NoSpace)
	wantErr(t, "mkdir", m.Mkdir("e"), NoSpace)
	_, err = f.WriteAt([]byte("x"), blockSize)
	wantErr(t, "write into a hole", err, NoSpace)
	n, err := f.WriteAt([]byte(strings.Repeat("x", blockSize)), 3*blockSize-2)
	if n != 2 || err != NoSpace {
		t.Errorf("a write across the last block: %d, %v", n, err)
	}
	wantErr(t, "allocate", f.Allocate(0, 2*blockSize), NoSpace)
	wantErr(t, "allocate what is allocated", f.Allocate(0, 10), nil)

	_, err = f.WriteAt([]byte("TE"), 0)
	wantErr(t, "overwrite", err, nil)
	wantErr(t, "rename", m.Rename("f", "d/f"), nil)
	must(f.Truncate(6))
	m.sync("d/f")
	want(t, "told", strings.Join(m.told, " "), "f d/f")
	want(t, "tree", m.tree(), "d/ d/f=TExt00")
	wantErr(t, "remove", m.Remove("d/f"), nil)
	m.Configure(steady())
	m.put("g", "1")
	want(t, "tree once there is space", m.tree(), "d/ g=1")
}

// TestSpaceEnds fills small disks by blocks and by files.
func TestSpaceEnds(t *testing.T) {
	m := newMachine(1, steady())
	m.space = 3
	f := m.open("f", Read|Write|Create)
	n, err := f.WriteAt([]byte(strings.Repeat("x", 4*blockSize)), 0)
	if n != 3*blockSize || err != NoSpace {
		t.Errorf("wrote %d, %v", n, err)
	}
	if size, _ := f.Size(); size != 3*blockSize {
		t.Errorf("the file has %d bytes", size)
	}
	must(f.Truncate(blockSize))
	must(f.Allocate(0, 3*blockSize))
	wantErr(t, "one block more", f.Allocate(0, 3*blockSize+1), NoSpace)
	must(f.Close())
	must(m.Remove("f"))
	m.put("g", strings.Repeat("x", 3*blockSize))

	m = newMachine(1, steady())
	must(m.Mkdir("d"))
	for range maxNodes {
		f, err := m.Open("d/f", Write|Create)
		if err != nil {
			t.Fatal(err)
		}
		must(f.Close())
		must(m.Remove("d/f"))
	}
	m.nodes = maxNodes - 1
	m.put("last", "")
	_, err = m.Open("more", Write|Create)
	wantErr(t, "one file more", err, NoSpace)
	wantErr(t, "one directory more", m.Mkdir("more"), NoSpace)
}

// TestZerosCostNothing makes the files that raft-wal makes.
func TestZerosCostNothing(t *testing.T) {
	m := newMachine(1, steady())
	for range 50 {
		m.put("f", "")
		m.truncate("f", 16<<20)
		m.sync("f")
	}
	f := m.open("zeros", Write|Create)
	for offset := int64(0); offset < 16<<20; offset += 1 << 16 {
		_, err := f.WriteAt(make([]byte, 1<<16), offset)
		must(err)
	}
	m.sync("zeros")
	for index, p := range f.node.pages {
		if p.data != nil || f.node.kepts[index].data != nil {
			t.Fatalf("block %d of zeros is stored", index)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, do := range map[string]func(){
		"new":       func() { newMachine(1, broken()).Configure(backwards()) },
		"configure": func() { newMachine(1, backwards()) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "files: latency") {
					t.Errorf("panicked with %q", text)
				}
			}()
			do()
		})
	}
}

func backwards() disk.Config { return disk.Config{Slow: netsim.Range{Lo: ms}} }
