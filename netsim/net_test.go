package netsim

import (
	"bytes"
	"math/bits"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// slow is a network in which each frame takes 10 ms.
var slow = Config{Latency: Range{10 * ms, 10 * ms}}

// TestRules has one rule a row: what is done, then which frames arrived and what the network said.
func TestRules(t *testing.T) {
	tests := map[string]struct {
		config   Config
		do       func(w *world)
		arrived  string
		sends    map[Verdict]uint64
		arrivals map[Verdict]uint64
	}{
		"the zero network delivers at once and in order": {
			do: func(w *world) {
				w.send(ab())
				w.send(ab())
				w.run(0)
			},
			arrived: "1 2", sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Delivered: 2},
		},
		"a frame takes its latency": {
			config: slow,
			do: func(w *world) {
				w.send(ab())
				w.run(10*ms - 1)
				w.wantArrived("")
				w.run(10 * ms)
			},
			arrived: "1", sends: map[Verdict]uint64{Sent: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"a frame to or from a stranger goes nowhere": {
			do: func(w *world) {
				w.send(Frame{From: "a", To: "x"})
				w.send(Frame{From: "x", To: "a"})
				w.run(0)
			},
			sends: map[Verdict]uint64{Nobody: 2},
		},
		"being named in a fault does not bring an endpoint up": {
			do: func(w *world) {
				w.net.Cut("cut", Link{"a", "x"})
				w.mend("cut")
				w.send(packet(Frame{From: "a", To: "x"}))
				w.run(0)
			},
			sends: map[Verdict]uint64{Nobody: 1},
		},
		"an endpoint can send to itself": {
			do: func(w *world) {
				w.send(Frame{From: "a", To: "a"})
				w.run(0)
			},
			arrived: "1", sends: map[Verdict]uint64{Sent: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"a cut has a direction": {
			do: func(w *world) {
				w.net.Cut("cut", Link{"a", "b"})
				w.send(ab())
				w.send(ba())
				w.run(0)
			},
			arrived: "2", sends: map[Verdict]uint64{Cut: 1, Sent: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"a cut loses what would arrive": {
			config: slow,
			do: func(w *world) {
				w.send(ab())
				w.run(5 * ms)
				w.net.Cut("cut", Link{"a", "b"})
				w.run(20 * ms)
			},
			sends: map[Verdict]uint64{Sent: 1}, arrivals: map[Verdict]uint64{Cut: 1},
		},
		"a cut mended before a frame arrives does it no harm": {
			config: slow,
			do: func(w *world) {
				w.send(ab())
				w.net.Cut("cut", Link{"a", "b"})
				w.run(5 * ms)
				w.mend("cut")
				w.run(20 * ms)
			},
			arrived: "1", sends: map[Verdict]uint64{Sent: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"overlapping cuts are mended one by one": {
			do: func(w *world) {
				w.net.Cut("one", Link{"a", "b"})
				w.net.Cut("two", Link{"a", "b"}, Link{"b", "a"}, Link{"a", "b"})
				w.mend("one")
				w.send(ab())
				w.mend("two")
				w.send(ab())
				w.run(0)
			},
			arrived: "2", sends: map[Verdict]uint64{Cut: 1, Sent: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"a fault that is over can be mended again and begun again": {
			do: func(w *world) {
				w.net.Cut("cut", Link{"a", "b"})
				w.mend("cut")
				w.mend("cut")
				w.net.Cut("cut", Link{"a", "b"})
				w.send(ab())
			},
			sends: map[Verdict]uint64{Cut: 1},
		},
		"a partition separates its sides and nobody else": {
			do: func(w *world) {
				w.net.Partition("split", []string{"a"}, []string{"b", "c"})
				w.send(ab())
				w.send(ba())
				w.send(Frame{From: "b", To: "c"})
				w.send(Frame{From: "a", To: "d"})
				w.send(Frame{From: "d", To: "b"})
				w.run(0)
			},
			arrived: "3 4 5", sends: map[Verdict]uint64{Cut: 2, Sent: 3}, arrivals: map[Verdict]uint64{Delivered: 3},
		},
		"a fault on any link meets endpoints that come later": {
			do: func(w *world) {
				w.net.Cut("deaf", Link{Any, "late"})
				w.net.Up("late")
				w.net.Up("later")
				w.send(Frame{From: "a", To: "late"})
				w.send(Frame{From: "later", To: "late"})
				w.send(Frame{From: "late", To: "later"})
				w.send(Frame{From: "late", To: "late"})
				w.mend("deaf")
				w.send(Frame{From: "later", To: "late"})
				w.run(0)
			},
			arrived: "3 4 5", sends: map[Verdict]uint64{Cut: 2, Sent: 3}, arrivals: map[Verdict]uint64{Delivered: 3},
		},
		"healing some links leaves the fault on the others": {
			do: func(w *world) {
				w.net.Cut("all", Everywhere)
				w.net.Disturb("rain", Noise{Drop: Million}, Everywhere)
				w.file(w.net.Heal(nil, w.now, Among("a", "b")...))
				w.send(ab())
				w.send(ba())
				w.send(Frame{From: "a", To: "c"})
				w.mend("all")
				w.send(ab())
				w.send(Frame{From: "a", To: "c"})
				w.run(0)
			},
			arrived: "1 2 4", sends: map[Verdict]uint64{Sent: 3, Cut: 1, Dropped: 1}, arrivals: map[Verdict]uint64{Delivered: 3},
		},
		"healing all ends every fault": {
			config: slow,
			do: func(w *world) {
				w.send(ab())
				w.net.Cut("cut", Everywhere)
				w.net.Clog("clog", Everywhere)
				w.net.Disturb("rain", Noise{Drop: Million}, Everywhere)
				w.run(20 * ms)
				w.wantArrived("")
				w.file(w.net.HealAll(nil, w.now))
				w.send(ab())
				w.run(30 * ms)
			},
			arrived: "1 2", sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Held: 1, Delivered: 2},
		},
		"a clog holds what arrives and lets it out in order": {
			config: slow,
			do: func(w *world) {
				w.send(ab())
				w.net.Clog("clog", Link{"a", "b"})
				w.run(5 * ms)
				w.send(ab())
				w.send(ba())
				w.run(40 * ms)
				w.wantArrived("3")
				w.mend("clog")
				w.run(40 * ms)
			},
			arrived: "3 1 2", sends: map[Verdict]uint64{Sent: 3}, arrivals: map[Verdict]uint64{Held: 2, Delivered: 3},
		},
		"what comes out of a clog stays in front of what arrives at that instant": {
			config: slow,
			do: func(w *world) {
				w.net.Clog("clog", Link{"a", "b"})
				w.send(ab())
				w.run(1)
				w.send(ab())
				w.send(ab())
				w.run(10 * ms)
				// 2 and 3 are due at this instant too and were filed before 1 comes out.
				w.now = 10*ms + 1
				w.mend("clog")
				w.run(w.now)
			},
			arrived: "1 2 3", sends: map[Verdict]uint64{Sent: 3}, arrivals: map[Verdict]uint64{Held: 3, Delivered: 3},
		},
		"a clog at the instant at which another is mended keeps the order": {
			config: slow,
			do: func(w *world) {
				w.net.Clog("one", Link{"a", "b"})
				w.send(ab())
				w.run(1)
				w.send(ab())
				w.run(10 * ms)
				w.now = 10*ms + 1
				w.mend("one")
				w.net.Clog("two", Link{"a", "b"})
				w.run(20 * ms)
				w.wantArrived("")
				w.mend("two")
				w.run(20 * ms)
			},
			// 1 held, 2 sent behind it, 1 held again, 2 held.
			arrived: "1 2", sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Held: 4, Delivered: 2},
		},
		"what is sent while a clog lets go stays behind what that holds up": {
			do: func(w *world) {
				w.net.Clog("clog", Everywhere)
				w.send(ab())
				w.run(0)
				w.net.Disturb("slow", Noise{Delay: Range{10 * ms, 10 * ms}}, Everywhere)
				w.send(ab())
				w.mend("slow")
				w.now = 10 * ms // 2 is due and was filed first, then 1 comes out, then 3 comes at once
				w.mend("clog")
				w.send(ab())
				w.run(w.now)
			},
			arrived: "1 2 3", sends: map[Verdict]uint64{Sent: 3}, arrivals: map[Verdict]uint64{Held: 3, Delivered: 3},
		},
		"a burst that is clogged halfway and let go again keeps the order": {
			do: func(w *world) {
				w.net.Clog("one", Everywhere)
				w.send(ab())
				w.send(ab())
				w.send(ab())
				w.run(0)
				w.mend("one")
				w.net.Clog("two", Everywhere)
				w.step() // holds 1 again, 2 and 3 are still to come
				w.mend("two")
				w.run(0)
				w.send(ab()) // not held: the burst is over
				w.run(0)
			},
			arrived: "1 2 3 4", sends: map[Verdict]uint64{Sent: 4}, arrivals: map[Verdict]uint64{Held: 6, Delivered: 4},
		},
		"the end of another fault does not let anything overtake a burst": {
			do: func(w *world) {
				w.net.Clog("clog", Everywhere)
				w.send(ab())
				w.run(0)
				w.net.Disturb("slow", Noise{Delay: Range{10 * ms, 10 * ms}}, Everywhere)
				w.send(ab())
				w.now = 10 * ms
				w.mend("clog")
				w.mend("slow")
				w.run(w.now)
			},
			arrived: "1 2", sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Held: 2, Delivered: 2},
		},
		"no set of links leads from an endpoint to itself, unless it says so": {
			do: func(w *world) {
				self := Frame{From: "a", To: "a"}
				w.net.Cut("among", Among("a", "b")...)
				w.net.Cut("everywhere", Everywhere)
				w.send(self)
				w.run(0)
				w.net.Cut("self", Link{"a", "a"})
				w.send(self)
				w.run(0)
			},
			arrived: "1", sends: map[Verdict]uint64{Sent: 1, Cut: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"overlapping clogs hold until the last is mended": {
			do: func(w *world) {
				w.net.Clog("one", Everywhere)
				w.net.Clog("two", Link{"a", "b"})
				w.send(ab())
				w.run(0)
				w.mend("one")
				w.run(0)
				w.wantArrived("")
				w.mend("two")
				w.run(0)
			},
			arrived: "1", sends: map[Verdict]uint64{Sent: 1}, arrivals: map[Verdict]uint64{Held: 1, Delivered: 1},
		},
		"a cut that begins within a clog loses what the clog held": {
			do: func(w *world) {
				w.net.Clog("clog", Everywhere)
				w.send(ab())
				w.run(0)
				w.net.Cut("cut", Everywhere)
				w.mend("clog")
				w.run(0)
			},
			sends: map[Verdict]uint64{Sent: 1}, arrivals: map[Verdict]uint64{Held: 1, Cut: 1},
		},
		"what is under way to a crashed endpoint is lost": {
			config: slow,
			do: func(w *world) {
				w.send(ab())
				w.send(packet(ab()))
				w.net.Down("b")
				w.run(20 * ms)
			},
			sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Down: 2},
		},
		"a stream to a former life is stale, a packet reaches the next one": {
			config: slow,
			do: func(w *world) {
				w.send(ab())
				w.send(packet(ab()))
				w.net.Down("b")
				w.net.Up("b")
				w.send(ab())
				w.run(20 * ms)
			},
			arrived: "2 3", sends: map[Verdict]uint64{Sent: 3}, arrivals: map[Verdict]uint64{Stale: 1, Delivered: 2},
		},
		"a crash does not reach what the sender has sent": {
			config: slow,
			do: func(w *world) {
				w.send(ab())
				w.net.Down("a")
				w.send(ab())
				w.send(packet(ab()))
				w.run(20 * ms)
			},
			arrived: "1", sends: map[Verdict]uint64{Sent: 1, Down: 2}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"a stream to an endpoint that is down is lost, a packet may find it up": {
			config: slow,
			do: func(w *world) {
				w.net.Down("b")
				w.send(ab())
				w.send(packet(ab()))
				w.net.Up("b")
				w.run(20 * ms)
			},
			arrived: "2", sends: map[Verdict]uint64{Down: 1, Sent: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"up and down twice is up and down": {
			config: slow,
			do: func(w *world) {
				w.send(ab())
				w.net.Up("b")
				w.run(20 * ms)
				w.net.Down("b")
				w.net.Down("b")
				w.net.Up("b")
				w.send(ab())
				w.run(40 * ms)
			},
			arrived: "1 2", sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Delivered: 2},
		},
		"a full link refuses, the others do not care, and room comes back": {
			config: Config{Latency: slow.Latency, MaxQueue: 2},
			do: func(w *world) {
				w.send(ab())
				w.send(ab())
				w.send(ab())
				w.send(ba())
				w.run(10 * ms)
				w.send(ab())
				w.run(20 * ms)
			},
			arrived: "1 2 4 5", sends: map[Verdict]uint64{Sent: 4, Full: 1}, arrivals: map[Verdict]uint64{Delivered: 4},
		},
		"bulk leaves a quarter of the queue to control": {
			config: Config{Latency: slow.Latency, MaxQueue: 4},
			do: func(w *world) {
				for range 4 {
					w.send(bulky(ab()))
				}
				w.send(ab())
				w.send(ab())
				w.run(10 * ms)
			},
			arrived: "1 2 3 5", sends: map[Verdict]uint64{Sent: 4, Full: 2}, arrivals: map[Verdict]uint64{Delivered: 4},
		},
		"what a clog holds fills the queue": {
			config: Config{MaxQueue: 1},
			do: func(w *world) {
				w.net.Clog("clog", Everywhere)
				w.send(ab())
				w.run(0)
				w.send(ab())
				w.mend("clog")
				w.run(0)
				w.send(ab())
				w.run(0)
			},
			arrived: "1 3", sends: map[Verdict]uint64{Sent: 2, Full: 1}, arrivals: map[Verdict]uint64{Held: 1, Delivered: 2},
		},
		"bytes take their time on a narrow link": {
			config: Config{Bandwidth: 1000}, // a millisecond a byte
			do: func(w *world) {
				w.send(ab(1, 2, 3, 4))
				w.send(ab(5, 6))
				w.run(4*ms - 1)
				w.wantArrived("")
				w.run(6*ms - 1)
				w.wantArrived("1")
				w.run(6 * ms)
			},
			arrived: "1 2", sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Delivered: 2},
		},
		"an idle link does not save up bandwidth": {
			config: Config{Bandwidth: 1000},
			do: func(w *world) {
				w.run(100 * ms)
				w.send(ab(1, 2))
				w.run(102*ms - 1)
				w.wantArrived("")
				w.run(102 * ms)
			},
			arrived: "1", sends: map[Verdict]uint64{Sent: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"a dropped frame took its time on the wire": {
			config: Config{Bandwidth: 1000},
			do: func(w *world) {
				w.net.Disturb("rain", Noise{Drop: Million}, Everywhere)
				w.send(ab(1, 2, 3))
				w.mend("rain")
				w.send(ab(4))
				w.run(4*ms - 1)
				w.wantArrived("")
				w.run(4 * ms)
			},
			arrived: "2", sends: map[Verdict]uint64{Dropped: 1, Sent: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"control goes before bulk and takes its time from it": {
			config: Config{Bandwidth: 1000},
			do: func(w *world) {
				w.send(bulky(ab(1, 2, 3, 4))) // on the wire until 4 ms
				w.send(ab(5, 6))              // before it, until 2 ms
				w.send(bulky(ab(7)))          // behind both, until 7 ms
				w.run(7*ms - 1)
				w.wantArrived("2 1")
				w.run(7 * ms)
			},
			arrived: "2 1 3", sends: map[Verdict]uint64{Sent: 3}, arrivals: map[Verdict]uint64{Delivered: 3},
		},
		"bulk waits for control": {
			config: Config{Bandwidth: 1000},
			do: func(w *world) {
				w.send(ab(1, 2))
				w.send(bulky(ab(3)))
				w.run(3*ms - 1)
				w.wantArrived("1")
				w.run(3 * ms)
			},
			arrived: "1 2", sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Delivered: 2},
		},
		"the tail multiplies the latency": {
			config: Config{Latency: slow.Latency, TailPPM: Million, TailTimes: 3},
			do: func(w *world) {
				w.send(ab())
				w.run(30*ms - 1)
				w.wantArrived("")
				w.run(30 * ms)
			},
			arrived: "1", sends: map[Verdict]uint64{Sent: 1}, arrivals: map[Verdict]uint64{Delivered: 1},
		},
		"noises on one link add up, but a link named twice is named once": {
			do: func(w *world) {
				w.net.Disturb("one", Noise{Delay: Range{10 * ms, 10 * ms}}, Everywhere, Link{"a", "b"})
				w.net.Disturb("two", Noise{Delay: Range{5 * ms, 5 * ms}}, Link{"a", "b"})
				w.send(packet(ab()))
				w.send(ba())
				w.mend("one")
				w.send(packet(ab()))
				w.run(5 * ms)
				w.wantArrived("3")
				w.run(10 * ms)
				w.wantArrived("3 2")
				w.run(15 * ms)
			},
			arrived: "3 2 1", sends: map[Verdict]uint64{Sent: 3}, arrivals: map[Verdict]uint64{Delivered: 3},
		},
		"a delayed frame holds up its stream; packets overtake": {
			do: func(w *world) {
				w.net.Disturb("slow", Noise{Delay: Range{10 * ms, 10 * ms}}, Everywhere)
				w.send(ab())
				w.mend("slow")
				w.send(ab())
				w.send(packet(ab()))
				w.send(bulky(ab()))
				w.run(10 * ms)
			},
			arrived: "3 4 1 2", sends: map[Verdict]uint64{Sent: 4}, arrivals: map[Verdict]uint64{Delivered: 4},
		},
		"the next life of a sender overtakes what the former one sent": {
			do: func(w *world) {
				w.net.Disturb("slow", Noise{Delay: Range{10 * ms, 10 * ms}}, Everywhere)
				w.send(ab())
				w.mend("slow")
				w.net.Down("a")
				w.net.Up("a")
				w.send(ab())
				w.run(10 * ms)
			},
			arrived: "2 1", sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Delivered: 2},
		},
		"a doubled frame comes twice, the second copy in its own time": {
			config: slow,
			do: func(w *world) {
				w.net.Disturb("echo", Noise{Duplicate: Million}, Everywhere)
				w.send(ab())
				w.mend("echo")
				w.run(5 * ms)
				w.send(ab())
				w.run(20 * ms)
			},
			arrived: "1 2 1'", sends: map[Verdict]uint64{Sent: 2}, arrivals: map[Verdict]uint64{Delivered: 3},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.config, 1, "a", "b", "c", "d")
			test.do(w)
			w.wantArrived(test.arrived)
			w.conserved()
			stats := w.net.Stats()
			for v := range verdicts {
				if got, want := stats.Sends[v], test.sends[v]; got != want {
					t.Errorf("Send said %v %d times, want %d", v, got, want)
				}
				if got, want := stats.Arrivals[v], test.arrivals[v]; got != want {
					t.Errorf("Arrives said %v %d times, want %d", v, got, want)
				}
			}
		})
	}
}

// TestNoiseRates checks each chance of Noise over many frames, and that it touches nothing else.
func TestNoiseRates(t *testing.T) {
	const frames = 100_000
	tests := map[string]struct {
		noise                     Noise
		dropped, doubled, corrupt int
	}{
		"no noise":             {},
		"drop a quarter":       {noise: Noise{Drop: Million / 4}, dropped: frames / 4},
		"duplicate a quarter":  {noise: Noise{Duplicate: Million / 4}, doubled: frames / 4},
		"corrupt a quarter":    {noise: Noise{Corrupt: Million / 4}, corrupt: frames / 4},
		"both copies can flip": {noise: Noise{Duplicate: Million, Corrupt: Million / 4}, doubled: frames, corrupt: frames / 2},
		"two in a hundred":     {noise: Noise{Drop: 20_000, Duplicate: 10_000}, dropped: frames / 50, doubled: frames / 100},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{}, 1, "a", "b")
			w.net.Disturb("noise", test.noise, Link{"a", "b"})
			var ds []Delivery
			for range frames {
				ds, _ = w.net.Send(ds[:0], 0, w.chance, ab(1, 2, 3))
			}
			stats := w.net.Stats()
			near := func(what string, got uint64, want int) {
				t.Helper()
				// Five standard deviations of the widest case, and exactly none where none is wanted.
				if diff := int(got) - want; want == 0 && got != 0 || max(diff, -diff) > 5*150 {
					t.Errorf("%s %d, want about %d", what, got, want)
				}
			}
			near("dropped", stats.Sends[Dropped], test.dropped)
			near("doubled", stats.Doubled, test.doubled)
			near("corrupt", stats.Corrupt, test.corrupt)
		})
	}
}

func TestLatencyFillsItsRange(t *testing.T) {
	config := Config{Latency: Range{10, 19}, TailPPM: Million / 10, TailTimes: 10}
	w := newWorld(t, config, 1, "a", "b")
	w.net.Disturb("slow", Noise{Delay: Range{1000, 1003}}, Everywhere)
	seen := make(map[time.Duration]int)
	for range 100_000 {
		ds, _ := w.net.Send(nil, 0, w.chance, packet(ab()))
		seen[ds[0].At]++
	}
	for at := range seen {
		body, tail := at >= 1010 && at <= 1022, at >= 1100 && at <= 1193
		if !body && !tail {
			t.Errorf("a frame took %v", at)
		}
	}
	for _, end := range []time.Duration{1010, 1022, 1100, 1193} {
		if seen[end] == 0 {
			t.Errorf("no frame took %v", end)
		}
	}
	// 9 in 10 of the body, 1 in 10 with the least latency, 1 in 4 with the least delay.
	if got := seen[1010]; got < 2_000 || got > 2_500 {
		t.Errorf("%d frames have both the least latency and the least delay, want about 2250 if they are independent", got)
	}
}

func TestLANIsALAN(t *testing.T) {
	w := newWorld(t, LAN(), 1, "a", "b")
	var took []time.Duration
	for range 10_000 {
		ds, v := w.net.Send(nil, 0, w.chance, packet(ab()))
		if v != Sent {
			t.Fatal(v)
		}
		took = append(took, ds[0].At)
		w.net.Arrives(nil, ds[0].At, ds[0])
	}
	slices.Sort(took)
	if p50 := took[5_000]; p50 < ms || p50 > 1200*time.Microsecond {
		t.Errorf("half of the frames take up to %v", p50)
	}
	if least, most := took[0], took[9_999]; least < 200*time.Microsecond || most < 20*ms || most > 200*ms {
		t.Errorf("frames take %v to %v", least, most)
	}
}

func TestCorruptionFlipsOneBitOfACopy(t *testing.T) {
	w := newWorld(t, Config{}, 1, "a", "b")
	w.net.Disturb("rays", Noise{Corrupt: Million, Duplicate: Million}, Everywhere)
	sealed := Seal([]byte("RunAttempt"))
	original := slices.Clone(sealed)
	flipped := make(map[int]bool)
	alike := 0
	for range 5_000 {
		ds, _ := w.net.Send(nil, 0, w.chance, ab(sealed...))
		for _, d := range ds {
			distance, where := 0, -1
			for i, b := range d.Frame.Bytes {
				if diff := b ^ original[i]; diff != 0 {
					distance += bits.OnesCount8(diff)
					where = i*8 + bits.TrailingZeros8(diff)
				}
			}
			if distance != 1 || !d.Corrupt {
				t.Fatalf("a corrupt copy (marked: %v) differs in %d bits", d.Corrupt, distance)
			}
			flipped[where] = true
			if body, err := Unseal(d.Frame.Bytes); err == nil {
				t.Fatalf("a flipped bit %d gives the message %q", where, body)
			}
		}
		if bytes.Equal(ds[0].Frame.Bytes, ds[1].Frame.Bytes) {
			alike++
		}
	}
	if len(flipped) != len(sealed)*8 {
		t.Errorf("%d of %d bits were ever flipped", len(flipped), len(sealed)*8)
	}
	if alike > 5_000/50 { // one in 112
		t.Errorf("both copies have the same bit flipped in %d of 5000 frames", alike)
	}
	if !bytes.Equal(sealed, original) {
		t.Error("the sender's bytes changed")
	}
	if ds, _ := w.net.Send(nil, 0, w.chance, ab()); ds[0].Corrupt {
		t.Error("a frame without a bit is marked corrupt")
	}
}

func TestConnectedAndFaults(t *testing.T) {
	w := newWorld(t, Config{}, 1, "a", "b")
	w.net.Cut("cut", Link{"a", "b"})
	w.net.Clog("clog", Everywhere)
	if got := w.net.Faults(); !slices.Equal(got, []string{"cut", "clog"}) {
		t.Errorf("faults %q", got)
	}
	if w.net.Connected("a", "b") || !w.net.Connected("b", "a") {
		t.Error("a cut has no direction")
	}
	w.mend("cut")
	w.mend("clog")
	if got := w.net.Faults(); len(got) != 0 {
		t.Errorf("faults %q after mending both", got)
	}
	if !w.net.Connected("a", "b") {
		t.Error("not connected after mending")
	}
	w.net.Down("b")
	if w.net.Connected("a", "b") || w.net.Connected("b", "a") || w.net.IsUp("b") || !w.net.IsUp("a") || w.net.IsUp("x") {
		t.Error("connected while down, or down while up")
	}
}

func TestSenselessUsePanics(t *testing.T) {
	tests := map[string]func(w *world){
		"an inverted latency":        func(*world) { New(Config{Latency: Range{2, 1}}) },
		"a negative latency":         func(*world) { New(Config{Latency: Range{-1, 1}}) },
		"a negative bandwidth":       func(*world) { New(Config{Bandwidth: -1}) },
		"a tail of no length":        func(*world) { New(Config{TailPPM: 1}) },
		"a name that stands for any": func(w *world) { w.net.Up(Any) },
		"an inverted delay":          func(w *world) { w.net.Disturb("x", Noise{Delay: Range{2, 1}}) },
		"more than certain":          func(w *world) { w.net.Disturb("x", Noise{Drop: Million + 1}) },
		"two faults of one name": func(w *world) {
			w.net.Cut("x", Everywhere)
			w.net.Clog("x", Everywhere)
		},
		"a delivery judged early": func(w *world) {
			w.run(1)
			ds, _ := w.net.Send(nil, 1, w.chance, ab())
			w.net.Arrives(nil, 0, ds[0])
		},
		"a delivery judged twice": func(w *world) {
			ds, _ := w.net.Send(nil, 0, w.chance, ab())
			w.net.Arrives(nil, 0, ds[0])
			w.net.Arrives(nil, 0, ds[0])
		},
	}
	for name, call := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{}, 1, "a", "b")
			mustPanic(t, func() { call(w) })
		})
	}
}
