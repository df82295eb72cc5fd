package socket

import "testing"

// forge has b receive data of a, at some places after what has come.
func forge(b *Conn, data string, places ...uint64) {
	for _, place := range places {
		g := segment{flags: flagACK, from: b.at.remote.Port, to: b.at.port, seq: b.in.next + place, ack: b.out.max}
		b.stack.Receive(b.at.remote.Host, append(g.frame(0), data...))
	}
}

func TestDataBeyondTheWindowIsCut(t *testing.T) {
	w := newWorld(t, "a", "b")
	_, b := w.pair("a", "b")
	left := b.in.right - b.in.next
	forge(b, "0123456789", left, left+1, left+1<<40, left-4)
	if len(b.in.early) != 1 || b.in.early[0].to != b.in.right {
		t.Errorf("kept %v with a window up to %d", b.in.early, b.in.right)
	}
	w.settle()
}

func TestPiecesOutOfOrderAreBounded(t *testing.T) {
	w := newWorld(t, "a", "b")
	_, b := w.pair("a", "b")
	for i := range uint64(2 * holesMax) {
		forge(b, "x", 2*i+1)
	}
	if n := len(b.in.early); n != holesMax {
		t.Errorf("%d pieces are kept", n)
	}
	forge(b, "y", 0)
	wantRead(t, b, "yx")
	w.settle()
}

// TestRoomIsToldAtOnce holds that a writer need not ask a reader that goes on.
func TestRoomIsToldAtOnce(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := w.pair("a", "b")
	for _, err := a.Write(make([]byte, 10_000)); err == nil; _, err = a.Write(make([]byte, 10_000)) {
		w.run(100 * ms)
	}
	if a.CanWrite() {
		t.Fatal("there is room")
	}
	_, _ = b.Read(make([]byte, bufferMax))
	w.run(50 * ms) // the first question comes after 200 ms
	if !a.CanWrite() || !b.CanRead() {
		t.Error("the writer was not told")
	}
	b.Close()
	w.settle()
}

// TestPowerLossWhileReceiving has the power fail between two frames that a machine sent to itself.
func TestPowerLossWhileReceiving(t *testing.T) {
	w := newWorld(t, "a")
	s := w.stacks["a"]
	from, _ := s.ListenPacket(0)
	var next *Packets
	to, _ := s.ListenPacket(53)
	to.Ready(func() {
		s.PowerLoss()
		next, _ = s.ListenPacket(53)
	})
	_ = from.SendTo(to.Address(), []byte("before"))
	_ = from.SendTo(to.Address(), []byte("after"))
	w.settle()
	if next == nil || next.CanReceive() {
		t.Error("what was on the way outlived the loss of power")
	}
}
