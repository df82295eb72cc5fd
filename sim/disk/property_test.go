package disk

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"orrery/netsim"
)

// TestPromises drives a disk at random, and holds against a model what its users rely on:
// what was answered for with a success is there for good; a key never holds what nobody
// wrote under it; answers come in the order of the calls, once; a power loss ends all
// that was under way.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := DefaultConfig()
		config.FailPPM = rapid.SampledFrom([]uint32{0, 200_000}).Draw(t, "fail")
		d := &drive{t: t, machine: newMachine(rapid.Uint64().Draw(t, "seed"), config), may: map[string][]wrote{}}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) { d.write(t) },
			"pass":  func(t *rapid.T) { d.machine.pass(netsim.Between(d.machine.disk.chance, 0, 3*ms)) },
			"power loss": func(t *rapid.T) {
				d.machine.disk.PowerLoss()
				d.asked = nil
				d.look()
			},
			"": func(*rapid.T) { d.look() },
		})
	})
}

// drive is a disk and what may be found on it.
type drive struct {
	t       *rapid.T
	machine *machine
	writes  int
	asked   []int              // batches that are not answered for
	may     map[string][]wrote // by key: the durable one and those after it
}

// wrote is one record that was written; value "" is a delete.
type wrote struct {
	batch, place int
	value        string
}

func (d *drive) write(t *rapid.T) {
	d.writes++
	n := d.writes
	var records []string
	for i := range rapid.IntRange(0, 3).Draw(t, "records") {
		key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
		w, record := wrote{batch: n, place: i}, "-"+key
		if rapid.Bool().Draw(t, "keep") {
			w.value = fmt.Sprintf("%d.%d", n, i)
			record = key + "=" + w.value
		}
		if d.may[key] == nil {
			d.may[key] = []wrote{{}}
		}
		d.may[key] = append(d.may[key], w)
		records = append(records, record)
	}
	d.asked = append(d.asked, n)
	d.machine.disk.Write(batch(records...), func(err string) { d.answered(n, err) })
}

// answered narrows down what the keys may hold: what was written before a batch that is
// durable is no more.
func (d *drive) answered(n int, err string) {
	if len(d.asked) == 0 || d.asked[0] != n {
		d.t.Fatalf("batch %d was answered for; those under way are %v", n, d.asked)
	}
	d.asked = d.asked[1:]
	if err != "" {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(d.may)) {
		for i, w := range slices.Backward(d.may[key]) {
			if w.batch == n {
				d.may[key] = d.may[key][i:]
				break
			}
		}
	}
}

func (d *drive) look() {
	found := map[string]string{}
	for _, r := range d.machine.disk.Records("") {
		found[r.Key] = string(r.Value)
	}
	for _, key := range slices.Sorted(maps.Keys(d.may)) {
		if !slices.ContainsFunc(d.may[key], func(w wrote) bool { return w.value == found[key] }) {
			d.t.Fatalf("%s holds %q, may hold %v", key, found[key], d.may[key])
		}
	}
}

// TestCalmDiskIsMap holds that without failures and power losses a disk is a map, whatever
// has been synced so far.
func TestCalmDiskIsMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, model := newMachine(rapid.Uint64().Draw(t, "seed"), DefaultConfig()), map[string]string{}
		for i := range rapid.IntRange(1, 40).Draw(t, "writes") {
			key := rapid.SampledFrom([]string{"a", "ab", "b"}).Draw(t, "key")
			if rapid.Bool().Draw(t, "delete") {
				m.write("w", "-"+key)
				delete(model, key)
			} else {
				m.write("w", fmt.Sprintf("%s=%d", key, i))
				model[key] = fmt.Sprint(i)
			}
			if rapid.Bool().Draw(t, "pass") {
				m.pass(ms)
			}
			if got, want := m.content(""), render(model); got != want {
				t.Fatalf("after %d writes: %q, want %q", i+1, got, want)
			}
		}
	})
}

// TestSameSeedSameDisk runs the same deeds twice, and under another seed.
func TestSameSeedSameDisk(t *testing.T) {
	run := func(seed uint64) string {
		config := DefaultConfig()
		config.FailPPM, config.SlowPPM = 100_000, 100_000
		m := newMachine(seed, config)
		var b strings.Builder
		for i := range 300 {
			m.write(fmt.Sprint("w", i), fmt.Sprintf("k%d=%d", i%7, i), fmt.Sprintf("-k%d", i%5))
			m.pass(ms / 2)
			if i%50 == 49 {
				m.disk.PowerLoss()
			}
			fmt.Fprintln(&b, m.now, m.content(""), m.told)
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

// BenchmarkRecords is a boot: 100 records under a prefix among 10 000.
func BenchmarkRecords(b *testing.B) {
	m := newMachine(1, steady())
	var all []string
	for i := range 10_000 {
		all = append(all, fmt.Sprintf("%02d/%05d=value", i%100, i))
	}
	m.write("w", all...)
	m.settle()
	for _, prefix := range []string{"42/", ""} {
		b.Run(fmt.Sprintf("prefix %q", prefix), func(b *testing.B) {
			for b.Loop() {
				m.disk.Records(prefix)
			}
		})
	}
}

// BenchmarkWrite is a write in the middle of a life: what is on the disk costs it nothing.
func BenchmarkWrite(b *testing.B) {
	m := newMachine(1, steady())
	var all []string
	for i := range 10_000 {
		all = append(all, fmt.Sprintf("%05d=value", i))
	}
	m.write("w", all...)
	m.settle()
	records := batch("00042=other")
	for b.Loop() {
		m.disk.Write(records, func(string) {})
		m.pass(2 * ms)
	}
}
