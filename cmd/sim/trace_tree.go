package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"orrery/sim"
)

// maxEffects is how many effects of a step are shown unless another limit is asked for:
// what a person reads. Of a leader's election everything follows.
const maxEffects = 200

// showEffects prints a step and what followed from it, each below what caused it.
func (f *traceFlags) showEffects(cmd *cobra.Command, play replay, write recordWriter) error {
	t := &tree{root: f.effects, limit: f.limit, at: map[uint64]int{}, below: map[uint64]bool{}}
	if t.limit == 0 {
		t.limit = maxEffects
	}
	if _, err := play.watch(cmd.Context(), 0, t.see); err != nil {
		return err
	}
	if len(t.nodes) == 0 {
		return noStep(f.effects, t.last)
	}
	t.walk(0, 0, func(r sim.Record, depth int) {
		if write.json != nil {
			write.json.write(r)
			return
		}
		fmt.Fprintf(write.out, "%8d %12s %-7s %s%s\n", r.Step, clock(r.At), r.Kind, strings.Repeat("  ", min(depth, maxIndent)), effect(r))
	})
	if t.more > 0 {
		write.flush()
		fmt.Fprintf(cmd.ErrOrStderr(), "and %d more follow; --limit shows more of them\n", t.more)
	}
	return nil
}

// maxIndent keeps a long chain on the screen.
const maxIndent = 24

// effect is a record without what stands in columns.
func effect(r sim.Record) string {
	where := strings.TrimSpace(r.Member + " " + r.Actor)
	switch r.Kind {
	case sim.Sent, sim.Dropped:
		where = r.Member + " → " + r.Actor
	case sim.Arrived:
		where = r.Member + " ← " + r.Actor
	}
	text := where + ": " + r.What
	if more := r.Text(); more != "" {
		text += " " + more
	}
	return text
}

// tree is a step and all that follows from it, as far as there is room.
type tree struct {
	root  uint64
	limit int
	nodes []node
	at    map[uint64]int  // node of a step
	below map[uint64]bool // steps that follow from the root, for which there was no room
	more  int             // how many those are
	last  uint64          // step of the run
}

type node struct {
	record  sim.Record
	effects []int // nodes
}

func (t *tree) see(r sim.Record) {
	t.last = r.Step
	parent, inside := t.at[r.Cause]
	switch {
	case r.Step == t.root:
	case t.below[r.Cause], inside && len(t.nodes) >= t.limit:
		t.below[r.Step] = true
		t.more++
		return
	case !inside:
		return
	default:
		t.nodes[parent].effects = append(t.nodes[parent].effects, len(t.nodes))
	}
	t.at[r.Step] = len(t.nodes)
	t.nodes = append(t.nodes, node{record: r})
}

// walk visits a node and all below it, depth first.
func (t *tree) walk(n, depth int, visit func(sim.Record, int)) {
	visit(t.nodes[n].record, depth)
	for _, effect := range t.nodes[n].effects {
		t.walk(effect, depth+1, visit)
	}
}

// jsonRecord is a record as an object. Fields are added to it, none are taken away or
// change their meaning.
type jsonRecord struct {
	Step   uint64 `json:"step"`
	Cause  uint64 `json:"cause"` // 0: the clock or the scenario
	AtNs   int64  `json:"at_ns"` // virtual time
	Kind   string `json:"kind"`
	Member string `json:"member"`
	Actor  string `json:"actor"`
	What   string `json:"what"`
	Text   string `json:"text,omitempty"`
}

func toJSONRecord(r sim.Record) jsonRecord {
	return jsonRecord{
		Step: r.Step, Cause: r.Cause, AtNs: r.At.Nanoseconds(), Kind: r.Kind.String(),
		Member: r.Member, Actor: r.Actor, What: r.What, Text: r.Text(),
	}
}

// jsonRecords writes an object a line.
type jsonRecords struct{ out *json.Encoder }

func newJSONRecords(out io.Writer) *jsonRecords {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return &jsonRecords{e}
}

func (j *jsonRecords) write(r sim.Record) { j.out.Encode(toJSONRecord(r)) }
