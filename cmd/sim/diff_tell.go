package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"orrery/sim"
)

// oldCauses is how many of the causes that both runs share are shown: those before them
// tell where both come from, not why they part.
const oldCauses = 5

func (d *difference) text(w io.Writer) {
	if !d.parts {
		fmt.Fprintf(w, "the runs are alike: %d records\n", d.steps)
		return
	}
	fmt.Fprintf(w, "the runs part after %d records that are alike\n", d.steps)
	for i, s := range d.sides {
		fmt.Fprintf(w, "\n%s %s\n", marks[i], d.both[i].name())
		if len(s.from) == 0 {
			fmt.Fprintln(w, "  (the end)")
			continue
		}
		for _, r := range s.from {
			fmt.Fprintf(w, "  %s\n", r)
		}
		d.tellCauses(w, s)
	}
}

// marks tell the two runs apart.
var marks = [2]string{"−", "+"}

func (d *difference) tellCauses(w io.Writer, s side) {
	if len(s.causes) == 0 {
		fmt.Fprintln(w, "  brought about by the clock or the scenario")
		return
	}
	fmt.Fprintln(w, "  what led to the first of them, the nearest first:")
	show := len(s.causes) - d.common() + oldCauses
	for i, r := range s.causes {
		if i == show {
			fmt.Fprintf(w, "    and %s that both runs share\n", plural(len(s.causes)-show, "older cause"))
			return
		}
		fmt.Fprintf(w, "    %s\n", r)
	}
}

// name is the run as a person would ask for it.
func (p replay) name() string {
	text := fmt.Sprintf("%s --seed %d%s", argument(p.scenario), p.seed, p.way.flags)
	var knobs []string
	for _, k := range p.scenario.Knobs {
		knobs = append(knobs, k.Name)
	}
	if len(knobs) > 0 {
		text += ", without the rule of " + strings.Join(knobs, ", ")
	}
	return text
}

// jsonDifference is a difference as one object. Fields are added to it, none are taken
// away or change their meaning.
type jsonDifference struct {
	Alike bool        `json:"alike"`
	Steps uint64      `json:"steps"` // that are alike
	Sides [2]jsonSide `json:"sides"`
}

type jsonSide struct {
	Scenario string       `json:"scenario"`
	Seed     uint64       `json:"seed"`
	From     []jsonRecord `json:"from"`   // the record that is not in the other run, and what comes next
	Causes   []jsonRecord `json:"causes"` // of the first of them, the nearest first
}

func (d *difference) json(w io.Writer) error {
	out := jsonDifference{Alike: !d.parts, Steps: d.steps}
	for i, s := range d.sides {
		out.Sides[i] = jsonSide{title(d.both[i].scenario), d.both[i].seed, toJSONRecords(s.from), toJSONRecords(s.causes)}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

func toJSONRecords(records []sim.Record) []jsonRecord {
	list := []jsonRecord{}
	for _, r := range records {
		list = append(list, toJSONRecord(r))
	}
	return list
}
