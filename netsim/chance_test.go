package netsim

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// counter counts the draws from a source.
type counter struct {
	source rand.Source
	draws  int
}

func (c *counter) Uint64() uint64 {
	c.draws++
	return c.source.Uint64()
}

func counted(seed uint64) (*rand.Rand, *counter) {
	c := &counter{source: Stream(seed, "counted")}
	return rand.New(c), c
}

// fixed is a source that always says the same.
type fixed uint64

func (f fixed) Uint64() uint64 { return uint64(f) }

// TestStreamIsStable holds the first draws of some streams. They may never change: every repro file that
// somebody kept would stop to reproduce.
func TestStreamIsStable(t *testing.T) {
	tests := map[string]struct {
		seed uint64
		name string
		want [3]uint64
	}{
		"the empty name":       {0, "", [3]uint64{0x4804aa119d5cf611, 0xb6f7032b55b35a7b, 0x91d10144cc84bb82}},
		"a concern":            {1, "network", [3]uint64{0xbf93be211d9de3ae, 0x56cc45d294bd35eb, 0xd8d4f4e299e71590}},
		"the next seed":        {2, "network", [3]uint64{0x07f75cf36c0e8070, 0x6eb31fa9bd612d36, 0xaa729241fd8d0fdb}},
		"a similar name":       {1, "networl", [3]uint64{0x6e0e81e38d8a9680, 0xc5fd456b2b124cb1, 0xcab1ee53beef11f1}},
		"a name beyond ASCII":  {1, "уеб", [3]uint64{0x47b182a76187c3cb, 0xf2ff4fabae5f511f, 0xe936d583a40aa729}},
		"the largest seed":     {1<<64 - 1, "network", [3]uint64{0x2f00c959d8d5367b, 0x04937a6fd2ebf786, 0x55dab07a8e6fe759}},
		"a name with a number": {7, "disk/m3", [3]uint64{0x75eb98cb0bb2ae33, 0xb51f13b8693fe3ea, 0x0bea9fdfddf4abca}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := Stream(test.seed, test.name)
			if got := [3]uint64{r.Uint64(), r.Uint64(), r.Uint64()}; got != test.want {
				t.Errorf("Stream(%d, %q) starts %#x, want %#x", test.seed, test.name, got, test.want)
			}
		})
	}
}

// TestStreamsDiffer looks for two streams of neighbouring seeds and names that begin alike.
func TestStreamsDiffer(t *testing.T) {
	type key struct {
		seed uint64
		name string
	}
	seen := make(map[uint64]key)
	for seed := range uint64(500) {
		for _, name := range []string{"", "a", "b", "aa", "ab", "network", "workload", "disk/m1", "disk/m2", "disk/m3"} {
			first := Stream(seed, name).Uint64()
			if other, found := seen[first]; found {
				t.Fatalf("streams (%d, %q) and %v both start %#x", seed, name, other, first)
			}
			seen[first] = key{seed, name}
		}
	}
}

// TestStreamsAreIndependent compares pairs of neighbouring streams bit by bit: about half of the bits agree.
func TestStreamsAreIndependent(t *testing.T) {
	const draws = 4096
	pairs := map[string][2]*rand.Rand{
		"neighbouring seeds": {Stream(1, "network"), Stream(2, "network")},
		"neighbouring names": {Stream(1, "disk/m1"), Stream(1, "disk/m2")},
		"both":               {Stream(1, "disk/m1"), Stream(2, "disk/m2")},
	}
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			var agree [64]int
			for range draws {
				same := ^(pair[0].Uint64() ^ pair[1].Uint64())
				for bit := range agree {
					agree[bit] += int(same >> bit & 1)
				}
			}
			for bit, count := range agree {
				// Seven standard deviations (32 each) around the half.
				if count < draws/2-7*32 || count > draws/2+7*32 {
					t.Errorf("bit %d agrees in %d of %d draws", bit, count, draws)
				}
			}
		})
	}
}

func TestPPM(t *testing.T) {
	const tries = 1_000_000
	tests := map[string]struct {
		ppm      uint32
		min, max int
	}{
		"0 is never":            {0, 0, 0},
		"a million is always":   {Million, tries, tries},
		"more than a million":   {3 * Million, tries, tries},
		"a half":                {Million / 2, 497_000, 503_000},
		"2 %":                   {20_000, 19_000, 21_000},
		"one in a hundred thou": {10, 1, 40},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, hits := Stream(1, "ppm"), 0
			for range tries {
				if PPM(r, test.ppm) {
					hits++
				}
			}
			if hits < test.min || hits > test.max {
				t.Errorf("%d of %d, want %d to %d", hits, tries, test.min, test.max)
			}
		})
	}
}

func TestBetweenReachesBothEnds(t *testing.T) {
	tests := map[string]struct {
		draw uint64
		want time.Duration
	}{
		"the least draw gives lo": {0, -3},
		"the middle":              {1 << 63, 0},
		"the greatest gives hi":   {1<<64 - 1, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Between(rand.New(fixed(test.draw)), -3, 3); got != test.want {
				t.Errorf("Between(-3, 3) = %d, want %d", got, test.want)
			}
		})
	}
}

// TestOneDraw holds the promise on which everything else is built: whatever the arguments and whatever
// the source says, each helper draws once and stays in its range.
func TestOneDraw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &counter{source: fixed(rapid.Uint64().Draw(t, "what the source says"))}
		r := rand.New(c)
		PPM(r, rapid.Uint32().Draw(t, "ppm"))
		n := rapid.Uint64Min(1).Draw(t, "n")
		if got := Below(r, n); got >= n {
			t.Fatalf("Below(%d) = %d", n, got)
		}
		lo := time.Duration(rapid.Int64Range(-1<<61, 1<<61).Draw(t, "lo"))
		hi := lo + time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "width"))
		if got := Between(r, lo, hi); got < lo || got > hi {
			t.Fatalf("Between(%d, %d) = %d", lo, hi, got)
		}
		if c.draws != 3 {
			t.Fatalf("three helpers drew %d times", c.draws)
		}
	})
}

func TestSenselessChancePanics(t *testing.T) {
	r := Stream(1, "panics")
	tests := map[string]func(){
		"below nothing":           func() { Below(r, 0) },
		"an inverted range":       func() { Between(r, 2, 1) },
		"a range beyond an int64": func() { Between(r, -1<<62, 1<<62) },
	}
	for name, call := range tests {
		t.Run(name, func(t *testing.T) { mustPanic(t, call) })
	}
}
