package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orrery/sim"
)

type traceFlags struct {
	seed      seedFlag
	member    string
	actor     string
	kinds     []string
	job       string
	execution uint64
	match     string
	from, to  momentFlag
	limit     int
	cause     uint64
	effects   uint64
	format    string
	engine    engineFlags
}

func traceCommand() *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace SCENARIO",
		Short: "Print what happened in a run, step by step",
		Long: "trace runs a scenario and prints its trace: the step, the step that caused it, the moment,\n" +
			"what sort of thing it is, where it happened, and what it was. The flags that choose records\n" +
			"can be combined.\n\n" +
			"With --cause it prints a step and what led to it, the nearest cause first; with --effects a step\n" +
			"and all that followed from it, each below what caused it. With --format json each record is an\n" +
			"object on a line of its own.",
		Example: "  sim trace scenarios/leader-failover --seed 7 --from 59s --to 00:01:02.500\n" +
			"  sim trace scenarios/chain --actor chain --limit 20\n" +
			"  sim trace scenarios/retry --job flaky --kind note,client\n" +
			"  sim trace scenarios/retry --execution 12\n" +
			"  sim trace scenarios/retry --cause 20415\n" +
			"  sim trace scenarios/retry --effects 20415 --limit 50",
		Args: cobra.MatchAll(needScenario, oneScenario),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().Var(&f.seed, "seed", "the seed; without it the first that the scenario names")
	cmd.Flags().StringVar(&f.member, "member", "", "only of this member or client")
	cmd.Flags().StringVar(&f.actor, "actor", "", "only of this actor, or to this peer")
	cmd.Flags().StringSliceVar(&f.kinds, "kind", nil, "only of these sorts: "+strings.Join(kinds(), ", "))
	cmd.Flags().StringVar(&f.job, "job", "", "only what names this job, or one of this family")
	cmd.Flags().Uint64Var(&f.execution, "execution", 0, "only what names this execution, or an attempt of it")
	cmd.Flags().StringVar(&f.match, "match", "", "only lines that hold this text, such as a message type")
	cmd.Flags().Var(&f.from, "from", "from this moment of virtual time")
	cmd.Flags().Var(&f.to, "to", "to this moment; without it to the end")
	cmd.Flags().IntVar(&f.limit, "limit", 0, "at most so many records; 0 for all (of --effects 200)")
	cmd.Flags().Uint64Var(&f.cause, "cause", 0, "this step and what led to it")
	cmd.Flags().Uint64Var(&f.effects, "effects", 0, "this step and what followed from it")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, or json (an object a line)")
	f.engine.add(cmd)
	cmd.MarkFlagsMutuallyExclusive("cause", "effects")
	for _, choice := range []string{"member", "actor", "kind", "job", "execution", "match", "from", "to"} {
		cmd.MarkFlagsMutuallyExclusive("cause", choice)
		cmd.MarkFlagsMutuallyExclusive("effects", choice)
	}
	return cmd
}

func oneScenario(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("name one scenario, not %d", len(args))
	}
	return nil
}

// kinds are the words for the sorts of records.
func kinds() []string {
	var words []string
	for k := sim.Delivered; k <= sim.Said; k++ {
		words = append(words, k.String())
	}
	return words
}

func (f *traceFlags) check() error {
	if f.to.set && f.to.at < f.from.at {
		return fmt.Errorf("--from %v --to %v: want from <= to", f.from.at, f.to.at)
	}
	for _, kind := range f.kinds {
		if !slices.Contains(kinds(), kind) {
			return fmt.Errorf("--kind %s: want one or several of %s", kind, strings.Join(kinds(), ", "))
		}
	}
	if f.limit < 0 {
		return fmt.Errorf("--limit %d: want a number of records, or 0 for all", f.limit)
	}
	return f.engine.check()
}

func (f *traceFlags) run(cmd *cobra.Command, args []string) error {
	write, err := newRecordWriter(f.format, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	w, s, err := f.engine.readyOne(cmd, args)
	if err != nil {
		return err
	}
	play := replay{s, f.seed.of(s).First, w}
	switch {
	case f.cause > 0:
		err = f.showCauses(cmd, play, write)
	case f.effects > 0:
		err = f.showEffects(cmd, play, write)
	default:
		err = f.show(cmd, play, write)
	}
	write.flush() // what cannot be written is noted where it goes
	if errors.Is(err, errStopped) {
		return stopped{0, 1}
	}
	return err
}

// show prints the records that are asked for, as they happen.
func (f *traceFlags) show(cmd *cobra.Command, play replay, write recordWriter) error {
	v := &viewer{flags: f, write: write, members: map[string]bool{}, actors: map[string]bool{}}
	if f.execution > 0 {
		v.execution = namesExecution(f.execution)
	}
	r, err := play.run(sim.Options{
		Watch: v.see,
		Stop:  func() bool { return v.past || cmd.Context().Err() != nil },
	})
	switch {
	case err != nil:
		return err
	case r.Stopped && !v.past:
		return errStopped
	}
	v.explain(cmd.ErrOrStderr())
	return nil
}

// viewer prints the records that pass its flags.
type viewer struct {
	flags           *traceFlags
	write           recordWriter
	execution       *regexp.Regexp // nil: any
	past            bool           // all that was asked for is printed
	seen, shown     int
	members, actors map[string]bool // that the trace names
}

func (v *viewer) see(r sim.Record) {
	f := v.flags
	v.past = v.past || f.to.set && r.At > f.to.at || f.limit > 0 && v.shown == f.limit
	if v.past {
		return
	}
	v.seen++
	v.members[r.Member], v.actors[r.Actor] = true, true
	if v.wanted(r) {
		v.shown++
		v.write.record(r)
	}
}

// wanted asks first what costs nothing: a record that has to be rendered takes a while.
func (v *viewer) wanted(r sim.Record) bool {
	f := v.flags
	switch {
	case r.At < f.from.at, f.member != "" && r.Member != f.member, f.actor != "" && r.Actor != f.actor:
		return false
	case len(f.kinds) > 0 && !slices.Contains(f.kinds, r.Kind.String()):
		return false
	case f.job == "" && v.execution == nil && f.match == "":
		return true
	}
	text := r.What + " " + r.Text()
	return (f.job == "" || namesJob(text, f.job)) && (v.execution == nil || v.execution.MatchString(text)) && strings.Contains(r.String(), f.match)
}

// namesJob says whether a text holds the name of a job, or of one of its family, as a
// word.
func namesJob(text, job string) bool {
	return slices.ContainsFunc(words.FindAllString(text, -1), func(word string) bool {
		number, isFamily := strings.CutPrefix(word, job+"-")
		return word == job || isFamily && strings.Trim(number, "0123456789") == ""
	})
}

// namesExecution finds an execution, or one of its attempts, which are written 12.0.1.
func namesExecution(id uint64) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`(?i)\bexecution=%d\b|(?:^|[^.\d])%d\.\d+\.\d+\b`, id, id))
}

// explain says why nothing was printed: most often a name that does not exist.
func (v *viewer) explain(w io.Writer) {
	if v.shown > 0 {
		return
	}
	fmt.Fprintf(w, "none of %d records is as asked for; their members: %s; their actors and peers: %s\n", v.seen, names(v.members), names(v.actors))
}

func names(set map[string]bool) string {
	delete(set, "")
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}

// showCauses prints a step and what led to it.
func (f *traceFlags) showCauses(cmd *cobra.Command, play replay, write recordWriter) error {
	var l lineage
	if _, err := play.watch(cmd.Context(), f.cause, l.add); err != nil {
		return err
	}
	chain := l.chain(f.cause)
	if len(chain) == 0 {
		return noStep(f.cause, l.last())
	}
	if f.limit > 0 {
		chain = chain[:min(f.limit, len(chain))]
	}
	records, err := play.records(cmd.Context(), chain)
	for _, r := range records {
		write.record(r)
	}
	return err
}

func noStep(step, last uint64) error {
	return fmt.Errorf("there is no step %d: the run has %d", step, last)
}

// recordWriter writes records in one of the forms.
type recordWriter struct {
	out  *bufio.Writer
	json *jsonRecords // nil: as text
}

func newRecordWriter(format string, out io.Writer) (recordWriter, error) {
	w := recordWriter{out: bufio.NewWriter(out)}
	switch format {
	case "text":
	case "json":
		w.json = newJSONRecords(w.out)
	default:
		return w, fmt.Errorf("--format %s: want text or json", format)
	}
	return w, nil
}

func (w recordWriter) record(r sim.Record) {
	if w.json != nil {
		w.json.write(r)
		return
	}
	w.out.WriteString(r.String())
	w.out.WriteByte('\n')
}

func (w recordWriter) flush() { w.out.Flush() }
