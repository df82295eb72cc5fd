package files

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/netsim"
	"orrery/sim/disk"
)

const ms = time.Millisecond

// steady takes exactly a millisecond a sync.
func steady() disk.Config { return disk.Config{Sync: netsim.Range{Lo: ms, Hi: ms}} }

func full() disk.Config { c := steady(); c.Full = true; return c }

func broken() disk.Config { c := steady(); c.FailPPM = netsim.Million; return c }

func lying() disk.Config { c := steady(); c.Lies = true; return c }

// machine is a clock with timers for one disk, and an account of what its users were told.
// Its methods panic where the disk gives an error that no test asked for.
type machine struct {
	*Disk
	now    time.Duration
	timers []*timer // in the order in which they were set
	told   []string // "NAME" for a success, "NAME: ERROR" for a failure
}

type timer struct {
	at time.Duration
	f  func()
}

func newMachine(seed uint64, config disk.Config) *machine {
	m := &machine{}
	m.Disk = New(m, netsim.Stream(seed, "disk"), config)
	return m
}

func (m *machine) After(d time.Duration, f func()) func() {
	t := &timer{m.now + d, f}
	m.timers = append(m.timers, t)
	return func() { m.timers = slices.DeleteFunc(m.timers, func(o *timer) bool { return o == t }) }
}

// step lets the next timer go off; false: there is none up to limit.
func (m *machine) step(limit time.Duration) bool {
	if len(m.timers) == 0 {
		return false
	}
	next := slices.MinFunc(m.timers, func(a, b *timer) int { return int(a.at - b.at) })
	if next.at > limit {
		return false
	}
	m.timers = slices.DeleteFunc(m.timers, func(o *timer) bool { return o == next })
	m.now = next.at
	next.f()
	return true
}

// pass lets time pass.
func (m *machine) pass(d time.Duration) {
	limit := m.now + d
	for m.step(limit) {
	}
	m.now = limit
}

// settle lets all syncs end.
func (m *machine) settle() { m.pass(time.Minute) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (m *machine) open(path string, flags Flags) *File {
	f, err := m.Open(path, flags)
	must(err)
	return f
}

// put makes a file, or writes over the beginning of the one that is there.
func (m *machine) put(path, text string) { m.putAt(path, 0, text) }

func (m *machine) putAt(path string, offset int64, text string) {
	f := m.open(path, Write|Create)
	_, err := f.WriteAt([]byte(text), offset)
	must(err)
	must(f.Close())
}

func (m *machine) truncate(path string, size int64) {
	f := m.open(path, Write)
	must(f.Truncate(size))
	must(f.Close())
}

// ask asks for a sync, and notes under the path what comes of it.
func (m *machine) ask(path string) {
	f := m.open(path, Read)
	f.Sync(func(err error) {
		if err != nil {
			path += ": " + err.Error()
		}
		m.told = append(m.told, path)
	})
	must(f.Close())
}

// sync asks for syncs and waits for them.
func (m *machine) sync(paths ...string) {
	for _, path := range paths {
		m.ask(path)
		m.settle()
	}
}

// text is what is in a file.
func (m *machine) text(path string) string {
	f := m.open(path, Read)
	size, err := f.Size()
	must(err)
	b, err := io.ReadAll(io.NewSectionReader(f, 0, size))
	must(err)
	must(f.Close())
	return string(b)
}

// tree renders all that there is: "a=text d/ d/b=text". Long files are shown by runs of
// equal letters, zeros as 0.
func (m *machine) tree() string {
	var all []string
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := m.List("/" + dir)
		must(err)
		for _, e := range entries {
			path := dir + e.Name
			if e.Kind == Directory {
				all = append(all, path+"/")
				walk(path + "/")
			} else {
				all = append(all, path+"="+runs(m.text(path)))
			}
		}
	}
	walk("")
	return strings.Join(all, " ")
}

// runs shortens a text: "aaa" of 4096 letters is a*4096.
func runs(text string) string {
	text = strings.ReplaceAll(text, "\x00", "0")
	var b strings.Builder
	for len(text) > 0 {
		n := len(text) - len(strings.TrimLeft(text, text[:1]))
		if n > 8 {
			fmt.Fprintf(&b, "%c*%d ", text[0], n)
		} else {
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return strings.TrimSuffix(b.String(), " ")
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// after runs do under many seeds, lets the power go, and counts what is there then.
func after(do func(m *machine)) map[string]int {
	return outcomes(steady(), func(m *machine) string { do(m); m.PowerLoss(); return m.tree() })
}

func outcomes(config disk.Config, do func(m *machine) string) map[string]int {
	seen := map[string]int{}
	for seed := range uint64(400) {
		seen[do(newMachine(seed, config))]++
	}
	return seen
}

// wantOutcomes holds that these were seen, and no others.
func wantOutcomes(t *testing.T, seen map[string]int, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("seen\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}
