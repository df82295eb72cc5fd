//go:build linux

package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/cmd/internal/live"
)

// patient is longer than anything here takes on a machine that is busy with other things.
const patient = 2 * time.Minute

func TestARealClusterIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("starts agents")
	}
	programs, err := live.Build{}.Make(t.Context()) // which takes what the compiler takes
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	b := New(Options{
		Program: programs.Agent, Servers: 1, Dir: t.TempDir(), Sink: "127.0.0.1:0", Clients: 4, Duration: 2 * time.Second, Rates: []int{20},
		Say: t.Logf,
	})
	r, err := b.Run(ctx, measurement(t, "executions"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 1 {
		t.Fatalf("there are %d rows: %v", len(r.Rows), r)
	}
	figures := map[string]float64{}
	for _, f := range r.Rows[0].Figures {
		figures[f.Name] = f.Value
	}
	if due := figures["due"]; due < 30 || figures["missed"] != 0 || figures["doubled"] != 0 || figures["executed"] <= 0 || figures["at last"] <= 0 {
		t.Errorf("found %v", figures)
	}
}

func TestAnInterruptedMeasurementIsShown(t *testing.T) {
	interrupted, interrupt := context.WithCancel(t.Context())
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		interrupt()
		<-interrupted.Done()
	}))
	defer api.Close()
	b := New(Options{Addr: api.URL, Clients: 2, Say: t.Logf})
	r, err := b.Run(interrupted, measurement(t, "writes"))
	if err != nil || !slices.Contains(r.Notes, "interrupted") {
		t.Errorf("Run = %v, %v", r, err)
	}
}

func measurement(t *testing.T, name string) Measurement {
	t.Helper()
	i := slices.IndexFunc(Measurements, func(m Measurement) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("there is no measurement %s", name)
	}
	return Measurements[i]
}

func TestWhatASinkIsToldDecides(t *testing.T) {
	s := &sink{calls: map[dueTime]arrival{}}
	anchor := time.Now().Add(-time.Minute).Truncate(time.Second)
	load := ticking{jobs: 4, period: time.Second, spread: true, anchor: anchor, sink: s}
	from := anchor.Add(10 * time.Second)
	call := func(job int, due time.Time) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Orrery-Job", jobName(job))
		r.Header.Set("X-Orrery-Due", due.UTC().Format(time.RFC3339Nano))
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	for job := range 4 {
		call(job, from.Add(load.offset(job)))
	}
	call(3, from.Add(load.offset(3)))                      // again
	call(0, from.Add(time.Second))                         // and of four due times in the next second, one
	call(1, from.Add(-time.Second+load.offset(1)))         // before the span
	s.ServeHTTP(nil, httptest.NewRequest("GET", "/", nil)) // a stranger
	v := load.judge(from, from.Add(2*time.Second))
	if v.due != 8 || v.missed != 3 || len(v.lateness) != 5 || s.doubled() != 1 {
		t.Errorf("judged %d due, %d missed, %d late, %d doubled; want 8, 3, 5, 1", v.due, v.missed, len(v.lateness), s.doubled())
	}
	if !slices.IsSorted(v.lateness) || v.lateness[0] < 40*time.Second {
		t.Errorf("lateness is %v", v.lateness)
	}
}

func TestMetricsAreReadWithTheirLabels(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE a counter\na{x=\"1\",y=\"\"} 2\na{x=\"2\",y=\"z\"} 3\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 4\nh_sum 8\nh_count 4\n")
	}))
	defer api.Close()
	c := &cluster{bench: New(Options{Addr: api.URL, Clients: 1})}
	m, err := c.metrics(t.Context(), api.URL)
	if err != nil || m["a"] != 5 || m["a/1/"] != 2 || m["a/2/z"] != 3 || m["h_sum"] != 8 || m["h_count"] != 4 {
		t.Errorf("metrics = %v, %v", m, err)
	}
}

func TestQuantiles(t *testing.T) {
	var none []time.Duration
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		of   []time.Duration
		part float64
		want time.Duration
	}{{none, .5, 0}, {hundred, 0, 1}, {hundred, .5, 51}, {hundred, .99, 100}, {hundred, 1, 100}, {hundred[:1], .99, 1}} {
		if got := quantile(c.of, c.part); got != c.want {
			t.Errorf("quantile %v of %d = %d, want %d", c.part, len(c.of), got, c.want)
		}
	}
}

func TestAResultIsATable(t *testing.T) {
	r := Result{Measurement: "m", About: "what", Cluster: "3 servers", Cores: 2}
	r.add("first", count("due", 7), millis("p50", 1500*time.Microsecond))
	r.add("second", count("due", 1234567), perSecond("rate", .1234))
	r.note("a note")
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"m: what\n", "3 servers; 2 cores", "due  p50 ms  rate 1/s\n", "first        7     1.5         -\n", "second  1234567       -     0.123\n", "a note\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, b.String())
		}
	}
}
