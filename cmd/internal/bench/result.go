//go:build linux

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is what a measurement has found.
type Result struct {
	Measurement string    `json:"measurement"`
	About       string    `json:"about"`
	Cluster     string    `json:"cluster"`
	Began       time.Time `json:"began"`
	Took        Seconds   `json:"took_s"`
	Cores       int       `json:"cores"`
	LoadBefore  float64   `json:"load_before"` // of the machine, over a minute
	LoadAfter   float64   `json:"load_after"`
	Rows        []Row     `json:"rows"`
	Notes       []string  `json:"notes,omitempty"`
}

// Row is what was found under one circumstance.
type Row struct {
	At      string   `json:"at"`
	Figures []Figure `json:"figures"`
}

// Figure is one number.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Seconds is a duration that JSON shows in seconds.
type Seconds time.Duration

// MarshalJSON writes a number.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Seconds())
}

func count(name string, n int) Figure             { return Figure{name, float64(n), ""} }
func perSecond(name string, value float64) Figure { return Figure{name, value, "1/s"} }
func millis(name string, d time.Duration) Figure {
	return Figure{name, float64(d) / float64(time.Millisecond), "ms"}
}
func mebibytes(name string, bytes float64) Figure { return Figure{name, bytes / (1 << 20), "MiB"} }

func (r *Result) add(at string, figures ...Figure) {
	r.Rows = append(r.Rows, Row{At: at, Figures: figures})
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// WriteText writes the result as a table.
func (r Result) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n", r.Measurement, r.About)
	fmt.Fprintf(w, "%s; %d cores, load %.1f before, %.1f after; %s, took %.0f s\n",
		r.Cluster, r.Cores, r.LoadBefore, r.LoadAfter, r.Began.UTC().Format("2006-01-02 15:04:05Z"), time.Duration(r.Took).Seconds())
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	var columns []Figure
	for _, row := range r.Rows {
		for _, f := range row.Figures {
			if !slices.ContainsFunc(columns, func(c Figure) bool { return c.Name == f.Name }) {
				columns = append(columns, f)
			}
		}
	}
	fmt.Fprint(tw, "\t")
	for _, c := range columns {
		fmt.Fprintf(tw, "%s\t", strings.TrimSpace(c.Name+" "+c.Unit))
	}
	for _, row := range r.Rows {
		fmt.Fprintf(tw, "\n%s\t", row.At)
		for _, c := range columns {
			i := slices.IndexFunc(row.Figures, func(f Figure) bool { return f.Name == c.Name })
			if i < 0 {
				fmt.Fprint(tw, "-\t")
				continue
			}
			fmt.Fprintf(tw, "%s\t", short(row.Figures[i].Value))
		}
	}
	fmt.Fprintln(tw)
	for _, note := range r.Notes {
		fmt.Fprintln(tw, note)
	}
	fmt.Fprintln(tw)
	return tw.Flush()
}

// short shows three digits, and all of those before the point.
func short(v float64) string {
	switch {
	case v == float64(int64(v)):
		return strconv.FormatInt(int64(v), 10)
	case v < 1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// quantile returns the value below which a part of the sorted values lies; 0 of none.
func quantile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}

// load is the number of processes that wanted a core, over the last minute; 0 where the
// kernel does not say.
func load() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseFloat(first, 64)
	return n
}
