package host

import "github.com/asynkron/protoactor-go/actor"

// pool runs what mailboxes schedule on goroutines that have done so before. Protoactor's
// own dispatcher begins a goroutine whenever a message finds an idle actor, and a tenth of
// a busy agent's time went into the growth of their stacks.
type pool struct {
	work chan func()   // to a goroutine that waits
	done chan struct{} // closed: none is to wait any more
}

var _ actor.Dispatcher = (*pool)(nil)

func newPool() *pool { return &pool{work: make(chan func()), done: make(chan struct{})} }

// Schedule has f run soon. There are never more goroutines than actors were busy at once.
func (p *pool) Schedule(f func()) {
	select {
	case p.work <- f:
	default:
		go p.run(f)
	}
}

func (p *pool) run(f func()) {
	for {
		f()
		select {
		case f = <-p.work:
		case <-p.done:
			return
		}
	}
}

// Throughput is after how many messages an actor lets others run: protoactor's own.
func (p *pool) Throughput() int { return 300 }

func (p *pool) close() { close(p.done) }
