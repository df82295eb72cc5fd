// Package report draws a run: one page of HTML that holds all it shows and asks nobody for
// anything. Its first part is text, which needs no script: the verdicts and their
// evidence. The picture is a space-time diagram that a script draws from the records of
// the trace: lanes of members, messages between them, leaderships, faults, and below them
// the due times and attempts of each job.
//
// The package judges nothing and runs nothing. What was broken it takes from the verdicts,
// what happened from the history and the trace. Equal runs give equal bytes.
package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"time"

	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// Run is what a page is about.
type Run struct {
	Scenario *scenario.Scenario
	Result   *sim.Result
	Trace    *Recorder // was told of every record
	Title    string    // the scenario's name as a person types it
	Word     string    // how the run stands, as `sim run` says it
	Good     bool      // as it should be
	Again    string    // the line that makes the page again
}

// Page draws a run. Ten minutes of five members are a page of 1.5 MB, of 205 members one of
// 3 MB. At the worst, with a million records that no packing makes smaller and 24 MB of
// messages, it is less than 80 MB.
func Page(run Run) ([]byte, error) {
	p := newPicture(run)
	left := run.Trace.leftOut()
	data, more, err := pack(p, run)
	if err != nil {
		return nil, fmt.Errorf("pack the run %s: %w", run.Title, err)
	}
	var page bytes.Buffer
	err = skeleton.Execute(&page, head{
		Run: run, Start: run.Result.History.Start.UTC().Format(time.DateTime), Lasted: run.Result.Virtual.Truncate(time.Millisecond),
		Source: string(scenario.Print(run.Scenario)), Verdicts: verdictsOf(run.Result), Probes: probesOf(run.Result),
		LeftOut: append(left, more...), Style: template.CSS(style), Script: template.JS(script), Data: template.HTML(data),
	})
	if err != nil {
		return nil, fmt.Errorf("write the page of %s: %w", run.Title, err)
	}
	return page.Bytes(), nil
}

// head is what report.html shows without a script.
type head struct {
	Run
	Start    string
	Lasted   time.Duration
	Source   string
	Verdicts []verdict
	Probes   []probe
	LeftOut  []string
	Style    template.CSS
	Script   template.JS
	Data     template.HTML // base64, which is the same in all of HTML
}

// verdict is a promise and what became of it.
type verdict struct {
	promise.Verdict
	Sentence string
	Lines    []line
}

// line is one piece of evidence.
type line struct {
	Micros int64
	Clock  string
	Text   string
}

// probe is a rare place, and how often the run came by.
type probe struct {
	Name string
	N    uint64
}

// verdictsOf lists broken promises first: they are why the page is opened.
func verdictsOf(r *sim.Result) []verdict {
	var broken, kept []verdict
	for _, v := range r.Verdicts {
		x := verdict{Verdict: v}
		if p, known := promise.Find(v.Promise); known {
			x.Sentence = p.Sentence
		}
		for _, e := range v.Evidence {
			x.Lines = append(x.Lines, line{micros(e.At), clock(e.At), e.Text})
		}
		if v.Kept() {
			kept = append(kept, x)
		} else {
			broken = append(broken, x)
		}
	}
	return append(broken, kept...)
}

func probesOf(r *sim.Result) []probe {
	var all []probe
	for _, name := range slices.Sorted(maps.Keys(r.Probes)) {
		all = append(all, probe{name, r.Probes[name]})
	}
	return all
}

// pack makes of the run what data.js unpacks: gzip, in base64, of the picture as JSON and
// of the columns of the records, each with its length before it.
func pack(p *picture, run Run) (data string, left []string, err error) {
	plain, left, err := payload(p, run)
	if err != nil {
		return "", nil, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(plain); err != nil {
		return "", nil, err
	}
	if err := w.Close(); err != nil {
		return "", nil, err
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), left, nil
}

func payload(p *picture, run Run) (plain []byte, left []string, err error) {
	h, records := run.Result.History, run.Trace.records
	lanes, places := lanesOf(h, records)
	p.Lanes, p.Records = lanes, len(records)
	p.addLeaders(h, places)
	p.addAbsences(h, places, run.Trace.starts)
	p.addFaults(h, places)
	p.addEvidence(run.Result.Verdicts)
	left = p.addJobs(h, places)

	texts, untold := messages(records, maxText)
	if untold > 0 {
		left = append(left, fmt.Sprintf("what stood in %d messages", untold))
	}
	c := &columns{lanes: places, words: words{numbers: map[string]uint64{}}}
	for i, r := range records {
		c.add(r, texts[i])
	}
	drawn, err := json.Marshal(p)
	if err != nil {
		return nil, nil, err
	}
	for _, part := range append([][]byte{drawn}, c.all()...) {
		plain = binary.LittleEndian.AppendUint32(plain, uint32(len(part)))
		plain = append(plain, part...)
	}
	return plain, left, nil
}
