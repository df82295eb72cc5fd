package report

import (
	"fmt"
	"strings"
	"time"

	"orrery/sim"
)

// maxRecords is how many events a page holds. A million take some 40 MB of a browser and a
// second to unpack; a ten-minute run of five members has a fifth of that.
const maxRecords = 1_000_000

// Recorder takes the trace of a run as it happens and keeps what a page can hold. A run
// that has more loses what tells least first: what members say to each other all the time
// whether or not anything happens. Equal runs keep the same.
type Recorder struct {
	max     int
	records []sim.Record
	floor   worth // what tells less is not kept
	left    [worths]uint64
	from    time.Duration // when what tells most was too much: the moment from which it was kept

	starts map[string][]time.Duration // of agents, by member
}

// NewRecorder returns one to be told of each record: Take is for sim.Options.Watch.
func NewRecorder() *Recorder {
	return &Recorder{max: maxRecords, starts: map[string][]time.Duration{}}
}

// Take is told of the next record.
func (c *Recorder) Take(r sim.Record) {
	if r.Kind == sim.Noted && r.Actor == "" && strings.HasPrefix(r.What, "started") {
		c.starts[r.Member] = append(c.starts[r.Member], r.At)
	}
	w := worthOf(r)
	if w < c.floor {
		c.left[w]++
		return
	}
	c.records = append(c.records, r)
	for len(c.records) > c.max {
		c.makeRoom()
	}
}

// makeRoom leaves out all that tells least of what is kept. Where all of it tells as much,
// the older half goes: how a run ended is what people look for.
func (c *Recorder) makeRoom() {
	if c.floor == worths-1 {
		half := len(c.records) / 2
		c.left[c.floor] += uint64(half)
		c.keep(c.records[half:])
		c.from = c.records[0].At
		return
	}
	least := c.floor
	c.floor++
	kept := c.records[:0]
	for _, r := range c.records {
		if worthOf(r) == least {
			c.left[least]++
		} else {
			kept = append(kept, r)
		}
	}
	c.keep(kept)
}

// keep makes kept, which lies in the same memory, all that there is.
func (c *Recorder) keep(kept []sim.Record) {
	n := copy(c.records, kept)
	clear(c.records[n:]) // lets go of their messages
	c.records = c.records[:n]
}

// leftOut says in words what is not kept.
func (c *Recorder) leftOut() []string {
	var lines []string
	for w, n := range c.left {
		switch {
		case n == 0:
		case worth(w) == worths-1:
			lines = append(lines, fmt.Sprintf("%d events before %s", n, clock(c.from)))
		default:
			lines = append(lines, fmt.Sprintf("%d of %s", n, worth(w)))
		}
	}
	return lines
}
