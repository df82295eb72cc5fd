package disk

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/netsim"
)

// machine is a clock with timers for one disk, and an account of what its writers were
// told.
type machine struct {
	now    time.Duration
	timers []*timer // in the order in which they were set
	disk   *Disk
	told   []string // "NAME" for a success, "NAME: ERROR" for a failure
}

type timer struct {
	at time.Duration
	f  func()
}

func newMachine(seed uint64, config Config) *machine {
	m := &machine{}
	m.disk = New(m, netsim.Stream(seed, "disk"), config)
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
	next := m.timers[0]
	for _, t := range m.timers {
		if t.at < next.at {
			next = t
		}
	}
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

// write writes one batch, given as "key=value" and "-key", and notes under its name what
// comes of it.
func (m *machine) write(name string, records ...string) {
	m.disk.Write(batch(records...), func(err string) {
		if err != "" {
			name += ": " + err
		}
		m.told = append(m.told, name)
	})
}

func batch(records ...string) []Record {
	var all []Record
	for _, r := range records {
		if key, ok := strings.CutPrefix(r, "-"); ok {
			all = append(all, Record{Key: key, Delete: true})
			continue
		}
		key, value, _ := strings.Cut(r, "=")
		all = append(all, Record{Key: key, Value: []byte(value)})
	}
	return all
}

// content renders what a boot would find: "a=1 b=2".
func (m *machine) content(prefix string) string {
	var b []string
	for _, r := range m.disk.Records(prefix) {
		if r.Delete {
			b = append(b, "deleted!")
		}
		b = append(b, fmt.Sprintf("%s=%s", r.Key, r.Value))
	}
	return strings.Join(b, " ")
}

// render is content for a model of the disk.
func render(model map[string]string) string {
	var b []string
	for _, key := range slices.Sorted(maps.Keys(model)) {
		b = append(b, key+"="+model[key])
	}
	return strings.Join(b, " ")
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
