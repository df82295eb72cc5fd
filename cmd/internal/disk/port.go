package disk

import (
	"bytes"
	"sync"

	"orrery/store"
)

// How much may wait for the disk. An Executor has at most two records for each attempt,
// so a disk has long been useless when this is reached.
const (
	maxWaiting      = 8192
	maxWaitingBytes = 64 << 20
)

// What a record beyond that is answered, and one after Close.
const (
	errOverrun = "the disk does not keep up: too many records wait"
	errClosed  = "the records are closed"
)

// port is the [store.Disk] of one actor.
type port struct {
	write   func([]change) error
	deliver func(msg any)
	done    chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	wake    sync.Cond // something waits, or the port was closed
	waiting []change  // handed over, in order
	held    int       // of waiting, how many are still to be written
	bytes   int       // of these
	closed  bool
}

// Port returns the records as a port. Answers, [store.DiskDone], are given to deliver in
// the order of the calls; deliver must not block. What waits while the disk is busy goes
// to it together, with one sync. Records beyond a bound are answered with an error in
// their turn.
func (r *Records) Port(deliver func(msg any)) store.Disk {
	p := &port{
		write:   func(batch []change) error { return r.file.write(records, batch) },
		deliver: deliver,
		done:    make(chan struct{}),
	}
	p.wake.L = &p.mu
	r.mu.Lock()
	defer r.mu.Unlock()
	p.closed = r.closed
	r.ports = append(r.ports, p)
	go p.run()
	return p
}

// Put writes a record. The value is copied.
func (p *port) Put(key string, value []byte) { p.hand(change{key: key, value: bytes.Clone(value)}) }

// Delete ends a record. One that is not there is no error.
func (p *port) Delete(key string) { p.hand(change{key: key, delete: true}) }

func (p *port) hand(c change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := len(c.key) + len(c.value)
	switch {
	case p.closed:
		p.deliver(store.DiskDone{Key: c.key, Err: errClosed})
		return
	case p.held == maxWaiting || p.bytes+size > maxWaitingBytes:
		c = change{key: c.key, err: errOverrun} // holds no value while it waits for its turn
	default:
		p.held++
		p.bytes += size
	}
	p.waiting = append(p.waiting, c)
	p.wake.Signal()
}

// run writes what waits, until the port is closed and nothing waits any more.
func (p *port) run() {
	defer close(p.done)
	for {
		batch := p.take()
		if batch == nil {
			return
		}
		p.settle(batch)
	}
}

// take waits for changes and takes them all. Nil: there will be no more.
func (p *port) take() []change {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) == 0 && !p.closed {
		p.wake.Wait()
	}
	batch := p.waiting
	p.waiting, p.held, p.bytes = nil, 0, 0
	return batch
}

// settle writes a batch and answers it. A failure is every change's: none was written.
func (p *port) settle(batch []change) {
	failed := ""
	if err := p.write(batch); err != nil {
		failed = err.Error()
	}
	for _, c := range batch {
		err := c.err
		if err == "" {
			err = failed
		}
		p.deliver(store.DiskDone{Key: c.key, Err: err})
	}
}

// close has what waits written and answered, and waits for it.
func (p *port) close() {
	p.mu.Lock()
	p.closed = true
	p.wake.Signal()
	p.mu.Unlock()
	<-p.done
}
