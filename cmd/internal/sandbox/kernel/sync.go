package kernel

import "orrery/sim/files"

// syncing is the answer to a sync that the guest does not wait for: it becomes readable when
// the disk is done. One read takes the errno, in four bytes; the next one finds the end. A
// guest that closes it before does not hear of the sync, which goes on.
type syncing struct {
	i           interest
	done, taken bool
	answer      errno
}

// answerSize is the size of the answer.
const answerSize = 4

func (*syncing) kind() uint8           { return typeDatagrams }
func (*syncing) flags() uint16         { return flagNonBlock }
func (s *syncing) canRead() bool       { return s.done }
func (*syncing) canWrite() bool        { return false }
func (s *syncing) interest() *interest { return &s.i }
func (*syncing) close()                {}

func (s *syncing) read(_ *Process, b []byte) (int, errno) {
	switch {
	case !s.done:
		return 0, errAgain
	case s.taken:
		return 0, success
	case len(b) < answerSize:
		return 0, errInvalid
	}
	s.taken = true
	le.PutUint32(b, uint32(s.answer))
	return answerSize, success
}

// orrerySync begins to make a file or directory durable, and goes on.
func orrerySync(p *Process, a []uint64) errno {
	f, failure := p.handle(a[0])
	switch {
	case failure != success:
		return failure
	case p.table.full():
		return errTooMany
	}
	s := &syncing{}
	p.put32(a[1], p.table.add(s))
	f.Sync(func(err error) {
		s.done, s.answer = true, orElse(err)
		p.ready(s, &s.i)
	})
	return success
}

// synced makes a file durable, and holds up all goroutines of the guest for so long.
func (p *Process) synced(f *files.File) errno {
	done, failure := false, success
	f.Sync(func(err error) {
		done, failure = true, orElse(err)
		p.wake()
	})
	for !done {
		p.park()
	}
	return failure
}

func fdSync(p *Process, a []uint64) errno {
	f, failure := p.handle(a[0])
	if failure != success {
		return failure
	}
	return p.synced(f)
}
