package socket

import (
	"bytes"
	"testing"
	"time"
)

func packetPair(t *testing.T, w *world) (a, b *Packets) {
	t.Helper()
	a, err := w.stacks["a"].ListenPacket(0)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = w.stacks["b"].ListenPacket(53); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func TestPacketsOfAllSizes(t *testing.T) {
	w := newWorld(t, "a", "b")
	delay := 100 * ms
	w.fate = func(string, string, []byte) []time.Duration { // the other way round, and twice
		delay -= ms
		return []time.Duration{delay, delay}
	}
	a, b := packetPair(t, w)
	for _, size := range []int{0, 1, fragmentMax - 1, fragmentMax, fragmentMax + 1, 5 * fragmentMax, PacketMax} {
		delay = 100 * ms
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 7 / 5)
		}
		if err := a.SendTo(b.Address(), data); err != nil {
			t.Fatal(err)
		}
		w.run(time.Second)
		got := make([]byte, PacketMax)
		n, from, err := b.ReceiveFrom(got)
		if err != nil || from != a.Address() || !bytes.Equal(got[:n], data) {
			t.Errorf("of %d bytes came %d from %v: %v", size, n, from, err)
		}
		for b.CanReceive() { // the double
			b.ReceiveFrom(got)
		}
	}
	if err := a.SendTo(b.Address(), make([]byte, PacketMax+1)); err != ErrTooLarge {
		t.Errorf("too large: %v", err)
	}
	if _, _, err := b.ReceiveFrom(nil); err != ErrWouldBlock {
		t.Errorf("nothing there: %v", err)
	}
	w.settle()
}

func TestPacketWithoutAFragmentIsLost(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := packetPair(t, w)
	n := 0
	w.fate = func(string, string, []byte) []time.Duration {
		if n++; n%3 == 0 {
			return nil
		}
		return []time.Duration{ms}
	}
	for range 50 {
		_ = a.SendTo(b.Address(), make([]byte, 3*fragmentMax))
	}
	w.run(time.Second)
	if b.CanReceive() {
		t.Error("it came")
	}
	if n := len(w.stacks["b"].partial); n != partialMax {
		t.Errorf("%d wait for fragments", n)
	}
}

func TestPacketQueueIsBounded(t *testing.T) {
	w := newWorld(t, "a", "b")
	a, b := packetPair(t, w)
	told := 0
	b.Ready(func() { told++ })
	for i := range waitingPackets + 10 {
		_ = a.SendTo(b.Address(), []byte{byte(i)})
	}
	w.run(time.Second)
	got, first := 0, make([]byte, 1)
	for b.CanReceive() {
		if _, _, err := b.ReceiveFrom(first); err != nil || first[0] != byte(got) {
			t.Fatalf("packet %d is %d, %v", got, first[0], err)
		}
		got++
	}
	if got != waitingPackets || told != 1 {
		t.Errorf("%d packets, told %d times", got, told)
	}
	for range 10 {
		_ = a.SendTo(b.Address(), make([]byte, 60_000))
	}
	w.run(time.Second)
	if b.bytes > waitingBytes || len(b.queue) != 3 {
		t.Errorf("%d packets of %d bytes wait", len(b.queue), b.bytes)
	}
	b.Close()
	if _, _, err := b.ReceiveFrom(nil); err != ErrClosed {
		t.Errorf("closed: %v", err)
	}
}
