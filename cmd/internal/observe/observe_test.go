package observe_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/observe"
	"orrery/proto/orrerypb"
	"orrery/store"
)

func scrape(t *testing.T, o *observe.Observer) string {
	t.Helper()
	w := httptest.NewRecorder()
	o.Metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("the scrape is answered %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestWhatHappensIsCounted(t *testing.T) {
	o := observe.New(slog.New(slog.DiscardHandler))
	o.Emit(actors.StoreName, &orrerypb.Event{Kind: store.EventExecutionCreated, Cause: uint32(orrery.CauseManual)})
	o.Emit(actors.StoreName, &orrerypb.Event{Kind: store.EventSkipped, Reason: string(orrery.ReasonOverlap)})
	o.Emit(actors.StoreName, &orrerypb.Event{Kind: store.EventExecutionClosed, Outcome: uint32(orrery.OutcomeFailed)})
	o.Emit(actors.StoreName, &orrerypb.Event{Kind: store.EventAttemptLost, Reason: string(orrery.ReasonSilent)})
	o.Emit(actors.StoreName, actors.StateHash{Index: 42})
	start := time.Unix(1000, 0)
	o.Emit(actors.ExecutorName, actors.AttemptEnded{Result: orrery.Result{Reason: orrery.ReasonExit, Started: start, Finished: start.Add(time.Second)}})
	o.Metrics.Started(start, start.Add(3*time.Millisecond))
	page := scrape(t, o)
	for _, want := range []string{
		`orrery_state_fires_total{cause="manual"} 1`,
		`orrery_state_skips_total{reason="overlap"} 1`,
		`orrery_state_executions_total{outcome="failed"} 1`,
		`orrery_state_attempts_lost_total{reason="silent"} 1`,
		`orrery_state_index 42`,
		`orrery_attempts_total{outcome="failed",reason="exit"} 1`,
		`orrery_attempt_duration_seconds_sum 1`,
		`orrery_lateness_seconds_bucket{le="0.0025"} 0`,
		`orrery_lateness_seconds_bucket{le="0.005"} 1`,
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("the page has no line %s", want)
		}
	}
}

func TestListenersGetEventsInOrderAndTheSlowAreToldSo(t *testing.T) {
	o := observe.New(slog.New(slog.DiscardHandler))
	const n = 10_000
	slow, quick := o.Stream.Listen(), o.Stream.Listen()
	for i := range n {
		o.Emit(actors.StoreName, &orrerypb.Event{Index: uint64(i)})
		if e := <-quick.C; e.GetIndex() != uint64(i) {
			t.Fatalf("event %d came in place of %d", e.GetIndex(), i)
		}
	}
	got := uint64(0)
	for e := range slow.C {
		if e.GetIndex() != got {
			t.Fatalf("event %d came in place of %d", e.GetIndex(), got)
		}
		got++
	}
	if got == 0 || got == n {
		t.Errorf("the slow listener got %d of %d events before it was dropped", got, n)
	}
	slow.Close()
	quick.Close()
	if _, more := <-quick.C; more {
		t.Error("a closed listener gets events")
	}
}

func TestFailuresAreWarnedOf(t *testing.T) {
	var out bytes.Buffer
	o := observe.New(slog.New(slog.NewTextHandler(&out, nil)))
	o.Emit(actors.StoreName, &orrerypb.Event{Kind: store.EventExecutionClosed, Job: "backup", Execution: 7, Outcome: uint32(orrery.OutcomeFailed), Reason: "exit"})
	o.Emit(actors.StoreName, &orrerypb.Event{Kind: store.EventExecutionClosed, Job: "fine", Outcome: uint32(orrery.OutcomeSucceeded)})
	line := out.String()
	if !strings.Contains(line, "level=WARN") || !strings.Contains(line, "job=backup") || !strings.Contains(line, "execution=7") || !strings.Contains(line, "reason=exit") {
		t.Errorf("the log says %q, want a warning with job, execution and reason", line)
	}
	if strings.Contains(line, "fine") {
		t.Errorf("the log says %q, want nothing of what went well", line)
	}
}
