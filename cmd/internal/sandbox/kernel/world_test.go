package kernel

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/netsim/socket"
	"orrery/sim/disk"
	"orrery/sim/files"
)

// guest is the program of testdata/guest, compiled once.
var guest *Program

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kernel")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "guest.wasm")
	build := exec.Command("go", "build", "-o", binary, "./testdata/guest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("build the guest: %v\n%s", err, out))
	}
	wasm, err := os.ReadFile(binary)
	if err != nil {
		panic(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = dir
	}
	guest, err = Load(context.Background(), wasm, filepath.Join(cache, "orrery-sandbox", "kernel-test"), nil)
	if err != nil {
		panic(err)
	}
	defer guest.Close()
	return m.Run()
}

// world is a clock, and what is due.
type world struct {
	now      time.Duration
	seq      int
	due      queue
	chance   *rand.Rand
	machines []*machine
}

type event struct {
	at      time.Duration
	seq     int
	do      func()
	stopped bool
}

type queue []*event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(e any)   { *q = append(*q, e.(*event)) }
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

func newWorld(seed uint64) *world { return &world{chance: rand.New(rand.NewPCG(seed, 1))} }

func (w *world) after(d time.Duration, f func()) (stop func()) {
	w.seq++
	e := &event{at: w.now + max(d, 0), seq: w.seq, do: f}
	heap.Push(&w.due, e)
	return func() { e.stopped = true }
}

// next does the next thing. It reports whether there was one before the deadline.
func (w *world) next(until time.Duration) bool {
	for len(w.due) > 0 && w.due[0].at <= until {
		e := heap.Pop(&w.due).(*event)
		if e.stopped {
			continue
		}
		w.now = e.at
		e.do()
		return true
	}
	return false
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	until := w.now + d
	for w.next(until) {
	}
	w.now = until
}

// machine is a Host in a world.
type machine struct {
	*world
	name     string
	files    *files.Disk
	sockets  *socket.Stack
	process  *Process
	said     []string
	wakes    int
	paused   bool
	held     []func()
	exited   bool
	code     uint32
	err      error
	devices  map[string]*wire
	knobs    []string
	unclosed int // devices
}

func (w *world) machine() *machine {
	m := &machine{world: w, name: fmt.Sprintf("m%d", len(w.machines)+1), devices: map[string]*wire{}}
	w.machines = append(w.machines, m)
	m.files = files.New(wires{m}, rand.New(rand.NewPCG(w.chance.Uint64(), 2)), disk.DefaultConfig())
	m.sockets = socket.New(m.name, wires{m}, rand.New(rand.NewPCG(w.chance.Uint64(), 3)))
	return m
}

// wires is what a machine's disk and stack have of the world.
type wires struct{ m *machine }

func (w wires) Now() time.Duration                            { return w.m.now }
func (w wires) After(d time.Duration, f func()) (stop func()) { return w.m.after(d, f) }
func (w wires) Send(to string, segment []byte) {
	w.m.after(100*time.Microsecond+time.Duration(w.m.chance.IntN(100))*time.Microsecond, func() {
		for _, m := range w.m.machines {
			if m.name == to {
				m.sockets.Receive(w.m.name, segment)
			}
		}
	})
}

func (m *machine) start(t testing.TB, args ...string) {
	t.Helper()
	m.process, m.exited, m.code, m.err = nil, false, 0, nil
	p, err := guest.Start(m, append([]string{"guest"}, args...), []string{"A=b"})
	if err != nil {
		t.Fatal(err)
	}
	m.process = p
	t.Cleanup(p.Kill)
	m.pass(0)
}

func (m *machine) Monotonic() time.Duration { return m.now }
func (m *machine) Wall() time.Time          { return time.Unix(1_700_000_000, 0).Add(m.now) }
func (m *machine) Files() *files.Disk       { return m.files }
func (m *machine) Sockets() *socket.Stack   { return m.sockets }
func (m *machine) Chance(what string) bool  { return m.chance.IntN(2) == 0 }
func (m *machine) Knob(name string) bool    { return strings.Contains(strings.Join(m.knobs, " "), name) }
func (m *machine) Output(line string)       { m.said = append(m.said, line) }

func (m *machine) Random(b []byte) {
	for i := range b {
		b[i] = byte(m.chance.Uint32())
	}
}

func (m *machine) Resolve(name string) (string, bool) {
	if name == localhost {
		name = m.name
	}
	for i, o := range m.machines {
		if o.name == name {
			return fmt.Sprintf("10.0.0.%d", i+1), true
		}
	}
	return "", false
}

func (m *machine) Endpoint(ip string) (string, bool) {
	for i, o := range m.machines {
		if ip == fmt.Sprintf("10.0.0.%d", i+1) {
			return o.name, true
		}
	}
	return "", false
}

func (m *machine) Device(name string) (Device, error) {
	d := m.devices[name]
	if d == nil {
		return nil, errors.New("no such device")
	}
	m.unclosed++
	return d, nil
}

// After and Run are the agent's lane.
func (m *machine) After(d time.Duration, f func()) (stop func()) {
	p := m.process
	return m.after(d, func() {
		if m.process == p || p == nil { // nil: within Start
			m.Run(f)
		}
	})
}

func (m *machine) Run(f func()) {
	if m.paused {
		m.held = append(m.held, f)
		return
	}
	m.wakes++
	f()
}

func (m *machine) resume() {
	m.paused = false
	held := m.held
	m.held = nil
	for _, f := range held {
		m.Run(f)
	}
}

func (m *machine) Exited(code uint32, err error) { m.exited, m.code, m.err = true, code, err }

// wire is the host's end of a device.
type wire struct {
	machine *machine
	got     []string
	send    func([]byte)
	hear    func(string)
}

func (w *wire) Receive(b []byte) {
	w.got = append(w.got, string(b))
	if w.hear != nil {
		w.hear(string(b))
	}
}
func (w *wire) Attach(send func([]byte)) { w.send = send }
func (w *wire) Close()                   { w.machine.unclosed-- }

// want fails the test unless the machine said exactly this.
func (m *machine) want(t *testing.T, lines ...string) {
	t.Helper()
	if got, want := strings.Join(m.said, "\n"), strings.Join(lines, "\n"); got != want {
		t.Errorf("%s said\n%s\nwant\n%s\n(exited %v with %d, %v)", m.name, got, want, m.exited, m.code, m.err)
	}
	m.said = nil
}

// hash is the hash of all that all machines said.
func (w *world) hash() uint64 {
	h := fnv.New64a()
	for _, m := range w.machines {
		for _, line := range m.said {
			fmt.Fprintln(h, m.name, line)
		}
	}
	return h.Sum64()
}
