package sim

import (
	"math/rand/v2"

	"orrery/netsim"
)

// concern is something that chance decides in a world, with a stream of its own.
type concern struct {
	name   string
	source *rand.PCG
}

// stream returns the chance of one concern, the same for the same seed.
func (w *World) stream(name string) *rand.Rand {
	c := concern{name, netsim.Source(w.seed, name)}
	w.concerns = append(w.concerns, c)
	return rand.New(c.source)
}

// chance returns the stream of a concern as far as it was used: for concerns without an
// owner to keep it.
func (w *World) chance(name string) *rand.Rand {
	r, ok := w.streams[name]
	if !ok {
		r = w.stream(name)
		w.streams[name] = r
	}
	return r
}

// buggify is true now and then: rare enough to be an exception, common enough that a run
// of minutes meets it. Where a swarm is at work the seed draws how often for each choice:
// some are never taken, some are the rule.
func (w *World) buggify(what string) bool {
	return netsim.PPM(w.chance("buggify/"+what), w.oftenPPM(what))
}

func (w *World) oftenPPM(what string) uint32 {
	const usual = 50_000
	if !w.swarming {
		return usual
	}
	ppm, known := w.often[what]
	if !known {
		among := [...]uint32{0, 0, 10_000, usual, 300_000}
		ppm = among[netsim.Below(w.stream("often/"+what), uint64(len(among)))]
		w.often[what] = ppm
	}
	return ppm
}

// branchOff leaves the run that the seed says: from here on all chance is drawn anew.
func (w *World) branchOff(salt uint64) {
	w.seed = netsim.Source(w.seed, "branch").Uint64() + salt
	for _, c := range w.concerns {
		*c.source = *netsim.Source(w.seed, c.name)
	}
}
