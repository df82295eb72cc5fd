package host

import (
	"sync"

	"orrery/actors"
	"orrery/proto/orrerypb"
)

// The addresses to which actors answer those who are no actors.
const (
	deskName   = "desk"
	rosterDesk = "desk-roster"
)

// desks hold those who wait for an answer of an actor.
type desks struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan *orrerypb.Response
	rosters []chan []actors.Member
}

func (d *desks) open() (ref uint64, answer <-chan *orrerypb.Response) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	c := make(chan *orrerypb.Response, 1)
	d.waiting[d.last] = c
	return d.last, c
}

func (d *desks) close(ref uint64) {
	d.mu.Lock()
	delete(d.waiting, ref)
	d.mu.Unlock()
}

// roster waits for the next list of members. Lists come in the order of asking, so any
// that comes after the question will do.
func (d *desks) roster() <-chan []actors.Member {
	c := make(chan []actors.Member, 1)
	d.mu.Lock()
	d.rosters = append(d.rosters, c)
	d.mu.Unlock()
	return c
}

// posted takes what is for a desk.
func (d *desks) posted(to string, msg any) bool {
	switch to {
	case deskName:
		if m, ok := msg.(actors.Answered); ok {
			d.mu.Lock()
			c := d.waiting[m.Ref]
			delete(d.waiting, m.Ref)
			d.mu.Unlock()
			if c != nil {
				c <- m.Response
			}
		}
		return true
	case rosterDesk:
		if m, ok := msg.(actors.RosterRead); ok {
			d.mu.Lock()
			waiting := d.rosters
			d.rosters = nil
			d.mu.Unlock()
			for _, c := range waiting {
				c <- m.Members
			}
		}
		return true
	}
	return false
}
