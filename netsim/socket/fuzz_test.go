package socket

import (
	"encoding/binary"
	"testing"
	"time"
)

// FuzzReceive has a machine with sockets of all kinds receive anything. Each input is a list of frames, with a length of
// two bytes before each; a frame whose kind is lower case is made to fit a connection that exists.
func FuzzReceive(f *testing.F) {
	add := func(frames ...[]byte) {
		var all []byte
		for _, b := range frames {
			all = append(binary.BigEndian.AppendUint16(all, uint16(len(b))), b...)
		}
		f.Add(all)
	}
	for flags := range uint8(16) {
		g := segment{flags: flags, from: 1, to: 80, seq: 5, window: 1000}
		add(g.frame(10), g.frame(0))
		fit := g.frame(20)
		fit[0] = 't'
		add(fit, fit)
		g.seq = 3
		ahead := g.frame(20)
		ahead[0] = 't'
		add(ahead, fit)
	}
	add([]byte("U\x00\x01\x00\x35\x00\x00\x00\x01\x00\x03\x00abc"))
	f.Fuzz(func(t *testing.T, all []byte) {
		w := newWorld(t, "a", "b")
		a, b := w.pair("a", "b")
		packets, _ := w.stacks["b"].ListenPacket(53)
		s := w.stacks["b"]
		dialled := s.Dial(Address{"a", 99})
		buffer := make([]byte, 1000)
		for len(all) >= 2 {
			n := min(int(binary.BigEndian.Uint16(all)), len(all)-2)
			frame := append([]byte(nil), all[2:2+n]...)
			all = all[2+n:]
			if n >= streamHeader && frame[0] == 't' {
				frame[0] = kindStream
				binary.BigEndian.PutUint16(frame[2:], a.at.port)
				binary.BigEndian.PutUint16(frame[4:], 80)
				binary.BigEndian.PutUint64(frame[6:], binary.BigEndian.Uint64(frame[6:])+b.in.next)
				binary.BigEndian.PutUint64(frame[14:], binary.BigEndian.Uint64(frame[14:])+b.out.una)
			}
			s.Receive("a", frame)
			_, _ = b.Write(buffer)
			_, _ = b.Read(buffer)
			_, _, _ = packets.ReceiveFrom(buffer)
			if b.in.unread() < 0 || b.in.unread() > bufferMax || len(b.in.early) > holesMax {
				t.Fatalf("%d bytes unread, %d holes", b.in.unread(), len(b.in.early))
			}
			w.run(10 * time.Millisecond)
		}
		dialled.Close()
		b.Close()
		w.run(time.Second)
	})
}
