package files

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"orrery/netsim"
)

// TestPromises drives a disk at random, and holds against a model what its users rely on:
// reads see what was written; what a sync has covered is there after a power loss; the
// names and sizes are those of one moment since; each block has a version that it had
// since, at most one of all is made of two.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := steady()
		config.FailPPM = rapid.SampledFrom([]uint32{0, 0, 300_000}).Draw(t, "fail")
		d := &drive{t: t, m: newMachine(rapid.Uint64().Draw(t, "seed"), config)}
		d.reboot()
		t.Repeat(map[string]func(*rapid.T){
			"open":       d.open,
			"close":      d.close,
			"write":      d.write,
			"truncate":   d.truncate,
			"mkdir":      d.mkdir,
			"remove":     d.remove,
			"rename":     d.rename,
			"sync":       d.sync,
			"sync dir":   d.syncDir,
			"pass":       func(*rapid.T) { d.m.pass(ms) },
			"power loss": d.powerLoss,
			"":           d.compare,
		})
	})
}

// drive is a disk, and what must be true of it.
type drive struct {
	t       *rapid.T
	m       *machine
	moments []moment // since the last of which is sure to be durable; the last is now
	sure    int      // moments[sure] or a later one must be there
	handles []handle
	count   int // of writes
}

// moment is what there was after one change.
type moment struct {
	names map[string]*account // by path; nil: a directory
	sizes map[*account]int
	grew  *account // the change was a write that made it longer
}

// account is what is known of one file.
type account struct {
	blocks map[int][]version // oldest first; the last is now
	last   int               // the moment of its last change
	cuts   []cut
}

// version is what a block held at a time, and how sure the disk can be of it.
type version struct {
	data  string
	made  int // the number of the write
	doubt bool
}

// cut is a truncation: what was written before it is gone once its moment is durable.
type cut struct{ moment, made, size int }

type handle struct {
	*File
	path string
	of   *account
}

var (
	paths = rapid.SampledFrom([]string{"a", "b", "d/a", "d/b", "e/a"})
	dirs  = rapid.SampledFrom([]string{"d", "e"})
)

func (d *drive) now() moment { return d.moments[len(d.moments)-1] }

// happened notes a moment.
func (d *drive) happened(change func(m *moment)) {
	m := moment{names: maps.Clone(d.now().names), sizes: maps.Clone(d.now().sizes)}
	change(&m)
	d.moments = append(d.moments, m)
}

// reboot begins the account anew with what is there: all that is sure.
func (d *drive) reboot() {
	m := moment{names: map[string]*account{}, sizes: map[*account]int{}}
	for _, path := range d.found() {
		if dir, ok := strings.CutSuffix(path, "/"); ok {
			m.names[dir] = nil
			continue
		}
		text, a := d.m.text(path), &account{blocks: map[int][]version{}}
		for i := range (len(text) + blockSize - 1) / blockSize {
			a.blocks[i] = []version{{data: pad(text[i*blockSize:])}}
		}
		m.names[path], m.sizes[a] = a, len(text)
	}
	d.moments, d.sure, d.handles = []moment{m}, 0, nil
}

// found lists the paths that the disk has, directories with a slash.
func (d *drive) found() []string {
	var all []string
	for _, dir := range []string{"", "d/", "e/"} {
		entries, err := d.m.List("/" + dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.Kind == Directory {
				all = append(all, dir+e.Name+"/")
			} else {
				all = append(all, dir+e.Name)
			}
		}
	}
	return all
}

// pad is the block that a text begins.
func pad(text string) string {
	if len(text) >= blockSize {
		return text[:blockSize]
	}
	return text + strings.Repeat("\x00", blockSize-len(text))
}

func (a *account) block(i int) string {
	if v := a.blocks[i]; len(v) > 0 {
		return v[len(v)-1].data
	}
	return string(zeros[:])
}

// change notes a version of a block. Before the first one it was zeros.
func (d *drive) change(a *account, i int, data string) {
	if len(a.blocks[i]) == 0 {
		a.blocks[i] = []version{{data: string(zeros[:])}}
	}
	d.count++
	a.blocks[i] = append(a.blocks[i], version{data: data, made: d.count})
}

func (d *drive) open(t *rapid.T) {
	path := paths.Draw(t, "path")
	f, err := d.m.Open(path, Read|Write|Create)
	if err != nil {
		return // no such directory
	}
	a := d.now().names[path]
	if a == nil {
		a = &account{blocks: map[int][]version{}, last: len(d.moments)}
		d.happened(func(m *moment) { m.names[path], m.sizes[a] = a, 0 })
	}
	d.handles = append(d.handles, handle{f, path, a})
}

func (d *drive) pick(t *rapid.T) (i int, h handle) {
	if len(d.handles) == 0 {
		t.Skip("nothing is open")
	}
	i = rapid.IntRange(0, len(d.handles)-1).Draw(t, "handle")
	return i, d.handles[i]
}

func (d *drive) close(t *rapid.T) {
	i, h := d.pick(t)
	must(h.Close())
	d.handles = slices.Delete(d.handles, i, i+1)
}

func (d *drive) write(t *rapid.T) {
	_, h := d.pick(t)
	offset, length := rapid.IntRange(0, 3*blockSize).Draw(t, "offset"), rapid.IntRange(1, 2*blockSize).Draw(t, "length")
	text := strings.Repeat(string(rune('a'+d.count%26)), length)
	if rapid.IntRange(0, 9).Draw(t, "zeros") == 0 {
		text = strings.Repeat("\x00", length)
	}
	n, err := h.WriteAt([]byte(text), int64(offset))
	if n != length || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, length, err)
	}
	for i := offset / blockSize; i*blockSize < offset+length; i++ {
		old, from, to := h.of.block(i), max(offset, i*blockSize), min(offset+length, (i+1)*blockSize)
		d.change(h.of, i, old[:from-i*blockSize]+text[:to-from]+old[to-i*blockSize:])
	}
	if size := offset + length; size > d.now().sizes[h.of] {
		h.of.last = len(d.moments)
		d.happened(func(m *moment) { m.sizes[h.of], m.grew = size, h.of })
	}
}

func (d *drive) truncate(t *rapid.T) {
	_, h := d.pick(t)
	size, old := rapid.IntRange(0, 4*blockSize).Draw(t, "size"), d.now().sizes[h.of]
	must(h.Truncate(int64(size)))
	if size == old {
		return
	}
	if size < old {
		for i := range h.of.blocks {
			if keep := max(0, size-i*blockSize); keep < blockSize {
				d.change(h.of, i, pad(h.of.block(i)[:keep]))
			}
		}
		h.of.cuts = append(h.of.cuts, cut{moment: len(d.moments), made: d.count, size: size})
	}
	h.of.last = len(d.moments)
	d.happened(func(m *moment) { m.sizes[h.of] = size })
}

func (d *drive) mkdir(t *rapid.T) {
	dir := dirs.Draw(t, "dir")
	if d.m.Mkdir(dir) == nil {
		d.happened(func(m *moment) { m.names[dir] = nil })
	}
}

func (d *drive) remove(t *rapid.T) {
	path := paths.Draw(t, "path")
	if rapid.IntRange(0, 3).Draw(t, "dir") == 0 {
		path = dirs.Draw(t, "which")
		if d.m.RemoveDir(path) != nil {
			return
		}
	} else if d.m.Remove(path) != nil {
		return
	}
	d.happened(func(m *moment) { delete(m.names, path) })
}

func (d *drive) rename(t *rapid.T) {
	from, to := paths.Draw(t, "from"), paths.Draw(t, "to")
	if from == to || d.m.Rename(from, to) != nil {
		return
	}
	d.happened(func(m *moment) { m.names[to] = m.names[from]; delete(m.names, from) })
}

// sync asks for a sync of a file, and notes what it covers.
func (d *drive) sync(t *rapid.T) {
	_, h := d.pick(t)
	asked, last := d.count, h.of.last
	h.Sync(func(err error) {
		for i, versions := range h.of.blocks {
			for j := range versions {
				versions[j].doubt = versions[j].doubt || err != nil
			}
			// From the newest on that was there when the sync was asked for.
			newest := 0
			for j, v := range versions {
				if v.made <= asked {
					newest = j
				}
			}
			if err == nil && !versions[newest].doubt {
				h.of.blocks[i] = versions[newest:]
			}
		}
		if err == nil {
			d.sure = max(d.sure, last)
		}
	})
}

// syncDir asks for a sync of a directory: all moments so far that changed a name in it.
func (d *drive) syncDir(t *rapid.T) {
	dir := rapid.SampledFrom([]string{"/", "d", "e"}).Draw(t, "dir")
	f, err := d.m.Open(dir, Read)
	if err != nil {
		return
	}
	last := 0
	for i := d.sure + 1; i < len(d.moments); i++ {
		if d.inside(dir, d.moments[i-1], d.moments[i]) {
			last = i
		}
	}
	f.Sync(func(err error) {
		if err == nil {
			d.sure = max(d.sure, last)
		}
	})
	must(f.Close())
}

// inside says whether a name in a directory changed.
func (d *drive) inside(dir string, before, after moment) bool {
	for _, path := range []string{"a", "b", "d", "e", "d/a", "d/b", "e/a"} {
		parent := "/"
		if at := strings.Index(path, "/"); at > 0 {
			parent = path[:at]
		}
		was, had := before.names[path]
		is, has := after.names[path]
		if parent == dir && (was != is || had != has) {
			return true
		}
	}
	return false
}

// compare holds what is seen, named or only open, and the account of space.
func (d *drive) compare(t *rapid.T) {
	if d.m == nil || len(d.moments) == 0 {
		return
	}
	now := d.now()
	if found := d.found(); len(found) != len(now.names) {
		t.Fatalf("there are %q, want %v", found, now.names)
	}
	for path, a := range now.names {
		if a != nil {
			d.wantText(t, path, d.m.text(path), a)
		}
	}
	for _, h := range d.handles {
		size, err := h.Size()
		must(err)
		text, err := io.ReadAll(io.NewSectionReader(h, 0, size))
		must(err)
		d.wantText(t, "open "+h.path, string(text), h.of)
	}
	nodes, used := map[*node]bool{}, 0
	for _, n := range d.m.named(d.m.root) {
		nodes[n] = true
	}
	for _, h := range d.handles {
		nodes[h.node] = true
	}
	for n := range nodes {
		used += len(n.pages)
	}
	if d.m.Used() != int64(used*blockSize) || d.m.Len() != len(nodes) {
		t.Fatalf("%d bytes of %d files are used, want %d of %d", d.m.Used(), d.m.Len(), used*blockSize, len(nodes))
	}
}

// named are all nodes below one that have a name.
func (m *machine) named(dir *node) (all []*node) {
	for _, n := range dir.names {
		all = append(append(all, n), m.named(n)...)
	}
	return all
}

func (d *drive) wantText(t *rapid.T, path, text string, a *account) {
	if len(text) != d.now().sizes[a] {
		t.Fatalf("%s has %d bytes, want %d", path, len(text), d.now().sizes[a])
	}
	for i := 0; i*blockSize < len(text); i++ {
		got := text[i*blockSize : min(len(text), (i+1)*blockSize)]
		if wanted := a.block(i)[:len(got)]; got != wanted {
			t.Fatalf("%s, block %d: %s, want %s", path, i, runs(got), runs(wanted))
		}
	}
}

func (d *drive) powerLoss(t *rapid.T) {
	d.m.PowerLoss()
	var why []string
	for i := d.sure; i < len(d.moments); i++ {
		reason := d.explains(i)
		if reason == "" {
			d.reboot()
			return
		}
		why = append(why, fmt.Sprintf("moment %d: %s", i, reason))
	}
	t.Fatalf("what is left is of no moment: %s\n%s", d.m.tree(), strings.Join(why, "\n"))
}

// explains says why the disk is not what it may be if the journal was kept up to a moment.
func (d *drive) explains(i int) string {
	m, torn := d.moments[i], 0
	if found := d.found(); len(found) != len(m.names) {
		return fmt.Sprintf("there are %q", found)
	}
	for path, a := range m.names {
		stat, err := d.m.Stat(path)
		switch {
		case err != nil || (stat.Kind == Directory) != (a == nil):
			return fmt.Sprintf("%s: %v, %v", path, stat, err)
		case a == nil:
			continue
		case int(stat.Size) != m.sizes[a] && !d.partly(i, a, int(stat.Size)):
			return fmt.Sprintf("%s has %d bytes, not %d", path, stat.Size, m.sizes[a])
		}
		text := d.m.text(path)
		for b := 0; b*blockSize < len(text); b++ {
			got := text[b*blockSize : min(len(text), (b+1)*blockSize)]
			switch whole, parts := a.may(i, b, got); {
			case whole:
			case parts:
				torn++
			default:
				return fmt.Sprintf("%s, block %d: %s was never written since", path, b, runs(got))
			}
		}
	}
	if torn > 1 {
		return fmt.Sprintf("%d blocks are torn", torn)
	}
	return ""
}

// partly says whether a size is one on the way from a moment to the next, by writes only.
func (d *drive) partly(i int, a *account, size int) bool {
	for ; i+1 < len(d.moments) && d.moments[i+1].grew == a; i++ {
		if size > d.moments[i].sizes[a] && size <= d.moments[i+1].sizes[a] && (size%blockSize == 0 || size == d.moments[i+1].sizes[a]) {
			return true
		}
	}
	return false
}

// may says whether a block may hold this at a moment: a version of it, or sectors of its
// versions. Of versions from before a truncation that the moment knows there is what that left.
func (a *account) may(moment, i int, got string) (whole, parts bool) {
	versions := a.blocks[i]
	if len(versions) == 0 {
		return got == string(zeros[:len(got)]), false
	}
	for _, c := range a.cuts {
		if keep := max(0, c.size-i*blockSize); c.moment <= moment && keep < blockSize {
			versions = slices.Clone(versions)
			for j, v := range versions {
				if v.made <= c.made {
					versions[j].data = pad(v.data[:keep])
				}
			}
		}
	}
	whole = slices.ContainsFunc(versions, func(v version) bool { return v.data[:len(got)] == got })
	for at := 0; at < len(got); at += sectorSize {
		end := min(len(got), at+sectorSize)
		if !slices.ContainsFunc(versions, func(v version) bool { return v.data[at:end] == got[at:end] }) {
			return whole, false
		}
	}
	return whole, true
}

// TestSameSeedSameDisk runs the same deeds twice, and under another seed.
func TestSameSeedSameDisk(t *testing.T) {
	run := func(seed uint64) string {
		config := steady()
		config.FailPPM, config.SlowPPM, config.Slow = 100_000, 100_000, netsim.Range{Lo: ms, Hi: 9 * ms}
		m := newMachine(seed, config)
		var b strings.Builder
		for i := range 400 {
			name := fmt.Sprint("f", i%7)
			m.putAt(name, int64(i*i*97%(5*blockSize)), strings.Repeat(string(rune('a'+i%26)), i*31%5000))
			must(m.Rename(name, fmt.Sprint("f", i%5)))
			m.ask(fmt.Sprint("f", i%5))
			m.pass(ms / 2)
			if i%20 == 19 {
				m.PowerLoss()
				fmt.Fprintln(&b, m.now, m.tree(), m.told)
			}
		}
		return b.String()
	}
	if once, again := run(1), run(1); once != again {
		t.Error("one seed, two disks")
	}
	if run(1) == run(2) {
		t.Error("two seeds, one disk")
	}
}
