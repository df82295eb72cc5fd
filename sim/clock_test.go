package sim

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMachineClocks holds that a timer goes off at the first moment at which the machine's
// own clock says that it is due, however fast or slow that clock runs.
func TestMachineClocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := machineClock{quartz: rapid.Int64Range(-maxQuartz, maxQuartz).Draw(t, "quartz"), drift: rapid.Int64Range(-100_000, 100_000).Draw(t, "drift")}
		d := time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "d"))
		takes := c.takes(d)
		if c.shows(takes) < d {
			t.Fatalf("the timer of %v goes off when the machine has counted %v", d, c.shows(takes))
		}
		if takes > 0 && c.shows(takes-1) >= d {
			t.Fatalf("the timer of %v goes off at %v, and was due before", d, takes)
		}
		later := d + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "later"))
		if c.shows(later) < c.shows(d) {
			t.Fatalf("the clock goes back between %v and %v", d, later)
		}
	})
}

// TestMachinesDisagree holds that no two machines of a world show the same time, and that
// all are off by as little as is said.
func TestMachinesDisagree(t *testing.T) {
	w, err := newWorld(load(t, "members 5 servers\nlasts 1m"), 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	seen := map[machineClock]bool{}
	for _, m := range w.members {
		seen[m.clock] = true
		if off := m.wall().Sub(w.wall()).Abs(); off > maxOffset {
			t.Errorf("%s is off by %v", m.name, off)
		}
	}
	if len(seen) != len(w.members) {
		t.Errorf("%d clocks of %d machines", len(seen), len(w.members))
	}
}
