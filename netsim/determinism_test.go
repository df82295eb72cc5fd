package netsim

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// storm sends frames at random between four endpoints while everything goes wrong, and returns a line for
// each thing that the network said. What is done to the network follows from the seed by a stream of its
// own; extra is done to it on top of that before the storm.
func storm(t *testing.T, seed uint64, frames int, extra func(n *Net)) []string {
	names := []string{"m1", "m2", "m3", "m4"}
	w := newWorld(t, LAN(), seed, names...)
	deeds := Stream(seed, "deeds")
	var lines []string
	say := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%-12v ", w.now)+fmt.Sprintf(format, args...))
	}
	w.judged = func(d Delivery, v Verdict) {
		hash := fnv.New32a()
		hash.Write(d.Frame.Bytes)
		say("%s→%s %d %v double=%v corrupt=%v %08x", d.Frame.From, d.Frame.To, d.Frame.ID, v, d.Double, d.Corrupt, hash.Sum32())
	}
	extra(w.net)
	w.net.Disturb("rain", Noise{Drop: 50_000, Duplicate: 50_000, Corrupt: 50_000, Delay: Range{0, 20 * ms}}, Everywhere)
	for i := range frames {
		switch i % 40 {
		case 10:
			w.net.Partition("split", names[:2], names[2:])
		case 15:
			w.net.Clog("clog", Link{Any, "m1"})
		case 20:
			w.mend("split")
		case 25:
			w.mend("clog")
		case 30:
			w.net.Down("m4")
		case 35:
			w.net.Up("m4")
		}
		from := Below(deeds, 4)
		f := Frame{From: names[from], To: names[(from+1+Below(deeds, 3))%4], Packet: PPM(deeds, 200_000), Bulk: PPM(deeds, 300_000)}
		f.Bytes = Seal([]byte(fmt.Sprint("frame ", i)))
		v := w.send(f)
		say("%s→%s %d %v", f.From, f.To, w.lastID, v)
		w.run(w.now + Between(deeds, 0, 4*ms))
	}
	w.file(w.net.HealAll(nil, w.now))
	w.run(w.now + time.Second)
	w.conserved()
	return lines
}

// TestSameSeedSameStorm runs the same storm twice, and others that have to differ.
func TestSameSeedSameStorm(t *testing.T) {
	calm := func(*Net) {}
	first := storm(t, 1, 2_000, calm)
	if !slices.Equal(first, storm(t, 1, 2_000, calm)) {
		t.Error("one seed, two storms")
	}
	if slices.Equal(first, storm(t, 2, 2_000, calm)) {
		t.Error("two seeds, one storm")
	}
}

// TestStormIsStable compares a short storm with the one that was recorded: on another machine, with another
// release of Go, with or without the race detector, it has to be the same, or no repro file is worth keeping.
func TestStormIsStable(t *testing.T) {
	const path = "testdata/storm.txt"
	got := strings.Join(storm(t, 1, 120, func(*Net) {}), "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range min(len(gotLines), len(wantLines)) {
			if gotLines[i] != wantLines[i] {
				t.Fatalf("%s:%d: got\n%s\nwant\n%s\n(if that is meant: go test ./netsim -update)", path, i+1, gotLines[i], wantLines[i])
			}
		}
		t.Fatalf("%d lines, %s has %d", len(gotLines), path, len(wantLines))
	}
}

// TestFaultMovesNothingElse puts faults on one link, and compares what happens on all the others with a
// storm that goes without: not a nanosecond may differ.
func TestFaultMovesNothingElse(t *testing.T) {
	others := func(lines []string) []string {
		return slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "m2→m3") })
	}
	want := others(storm(t, 1, 2_000, func(*Net) {}))
	faults := map[string]func(n *Net){
		"cut":   func(n *Net) { n.Cut("extra", Link{"m2", "m3"}) },
		"clog":  func(n *Net) { n.Clog("extra", Link{"m2", "m3"}) },
		"drop":  func(n *Net) { n.Disturb("extra", Noise{Drop: Million / 2}, Link{"m2", "m3"}) },
		"twice": func(n *Net) { n.Disturb("extra", Noise{Duplicate: Million / 2}, Link{"m2", "m3"}) },
		"rays":  func(n *Net) { n.Disturb("extra", Noise{Corrupt: Million / 2}, Link{"m2", "m3"}) },
		"delay": func(n *Net) { n.Disturb("extra", Noise{Delay: Range{0, time.Second}}, Link{"m2", "m3"}) },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			if got := others(storm(t, 1, 2_000, fault)); !slices.Equal(got, want) {
				t.Error("a fault on m2→m3 changed what happens on other links")
			}
		})
	}
}

// TestSendDoesNotAllocate holds what BenchmarkSend measures.
func TestSendDoesNotAllocate(t *testing.T) {
	n := New(LAN())
	n.Up("a")
	n.Up("b")
	n.Disturb("rain", Noise{Drop: Million / 4, Duplicate: Million / 4, Delay: Range{0, ms}}, Everywhere)
	chance, f := Stream(1, "network"), ab(1, 2, 3)
	due, again := make([]Delivery, 0, 2), []Delivery(nil)
	allocations := testing.AllocsPerRun(10_000, func() {
		due, _ = n.Send(due[:0], 0, chance, f)
		for _, d := range due {
			again, _ = n.Arrives(again[:0], d.At, d)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations a frame", allocations)
	}
}
