package observe

import (
	"sync"

	"orrery/proto/orrerypb"
)

// listenerBuffer is how many events a listener may be behind: those of a second of a busy cluster.
const listenerBuffer = 4096

// Stream hands the events of the state to whoever listens. Events are shared and not to
// be changed.
type Stream struct {
	mu        sync.Mutex
	listeners map[*Listener]struct{}
}

// Listener receives events in order. Its channel is closed when it fell behind by more
// than the stream keeps for it, and by Close.
type Listener struct {
	C      <-chan *orrerypb.Event
	c      chan *orrerypb.Event
	stream *Stream
}

func newStream() *Stream { return &Stream{listeners: map[*Listener]struct{}{}} }

// Listen begins with the next event.
func (s *Stream) Listen() *Listener {
	c := make(chan *orrerypb.Event, listenerBuffer)
	l := &Listener{C: c, c: c, stream: s}
	s.mu.Lock()
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	return l
}

// Close ends the listening. It may be called twice.
func (l *Listener) Close() {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	l.stream.drop(l)
}

func (s *Stream) drop(l *Listener) {
	if _, ok := s.listeners[l]; ok {
		delete(s.listeners, l)
		close(l.c)
	}
}

func (s *Stream) publish(e *orrerypb.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		select {
		case l.c <- e:
		default:
			s.drop(l)
		}
	}
}
