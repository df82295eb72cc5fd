package sandbox

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/sim"
	"orrery/sim/scenario"
)

// engine is the one of this module's sources, ready once for all tests.
func engine(t testing.TB) *Engine {
	t.Helper()
	e, err := ready()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var ready = sync.OnceValues(func() (*Engine, error) { return Open(context.Background(), Options{}) })

func parse(t testing.TB, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("test.scenario", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t *testing.T, e *Engine, text string, seed uint64, o sim.Options) lived {
	t.Helper()
	o.Engine = e
	r, err := sim.Run(parse(t, text), seed, o)
	if err != nil {
		t.Fatal(err)
	}
	return lived{r}
}

// kept fails the test for each breach of a promise.
func kept(t *testing.T, r lived) {
	t.Helper()
	for _, v := range r.Verdicts {
		for _, e := range v.Evidence {
			t.Errorf("%s: at %v: %s", v.Promise, e.At, e.Text)
		}
	}
}

// lived is a run, and what is asked of its records.
type lived struct{ *sim.Result }

// moments are when something was told of a member in [from, to): records of the kind whose
// text has part in it.
func (r lived) moments(member string, kind sim.Kind, part string, from, to time.Duration) (all []time.Duration) {
	for _, rec := range r.Records {
		if rec.Member == member && rec.Kind == kind && rec.At >= from && rec.At < to && strings.Contains(rec.String(), part) {
			all = append(all, rec.At)
		}
	}
	return all
}

// sent tells how many frames of each sort went over the network.
func (r lived) sent() map[string]int {
	n := map[string]int{}
	for _, rec := range r.Records {
		if rec.Kind == sim.Sent {
			n[rec.What]++
		}
	}
	return n
}

// hit is whom the first fault hit.
func (r lived) hit() string { return string(r.Schedule[0].Targets[0]) }

// led tells who began to lead in [from, to), and in which term.
func (r lived) led(from, to time.Duration) (all []string) {
	for _, l := range r.History.Leaders {
		if l.From >= from && l.From < to {
			all = append(all, fmt.Sprintf("%s in term %d", l.Member, l.Term))
		}
	}
	return all
}
