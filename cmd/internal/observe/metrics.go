package observe

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"orrery"
	"orrery/actors"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// Metrics are what a member counts. Those that begin with orrery_state_ are counted by
// every server as it applies the log, so that they are the same on all of them but for
// the moment of a scrape; the others are of the member itself.
type Metrics struct {
	registry *prometheus.Registry

	lateness             prometheus.Histogram
	attempts             *prometheus.CounterVec
	attemptSeconds       prometheus.Histogram
	index                prometheus.Gauge
	fires                *prometheus.CounterVec
	skips                *prometheus.CounterVec
	closed               *prometheus.CounterVec
	lost                 *prometheus.CounterVec
	unreadable           prometheus.Counter
	notificationsDropped prometheus.Counter
}

func newMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "orrery_lateness_seconds", Help: "From an execution's due time to the start of its first attempt on this member.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orrery_attempts_total", Help: "Attempts that ended on this member, by outcome and reason.",
		}, []string{"outcome", "reason"}),
		attemptSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "orrery_attempt_duration_seconds", Help: "How long attempts on this member ran.",
			Buckets: prometheus.ExponentialBuckets(.01, 4, 11),
		}),
		index: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "orrery_state_index", Help: "Newest entry of the log that this server has applied.",
		}),
		fires: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orrery_state_fires_total", Help: "Executions created, by cause.",
		}, []string{"cause"}),
		skips: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orrery_state_skips_total", Help: "Executions skipped, by reason.",
		}, []string{"reason"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orrery_state_executions_total", Help: "Executions that ended, by outcome.",
		}, []string{"outcome"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orrery_state_attempts_lost_total", Help: "Attempts declared lost, by reason.",
		}, []string{"reason"}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "orrery_schedules_unreadable_total", Help: "Times that a job was set aside because its schedule could not be read.",
		}),
		notificationsDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "orrery_notifications_dropped_total", Help: "Notifications that were given up.",
		}),
	}
	m.registry.MustRegister(m.lateness, m.attempts, m.attemptSeconds, m.index, m.fires, m.skips, m.closed, m.lost, m.unreadable, m.notificationsDropped,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Collect adds figures that another part of the member has anyway: read is called for
// each scrape and sets them. Labels come in pairs of name and value.
func (m *Metrics) Collect(read func(set func(name, help string, counter bool, value float64, labels ...string))) {
	m.registry.MustRegister(readings(read))
}

// readings is a collector whose metrics are known when they are read.
type readings func(set func(name, help string, counter bool, value float64, labels ...string))

// Describe says nothing, which makes the collector an unchecked one.
func (readings) Describe(chan<- *prometheus.Desc) {}

func (r readings) Collect(to chan<- prometheus.Metric) {
	r(func(name, help string, counter bool, value float64, labels ...string) {
		kind := prometheus.GaugeValue
		if counter {
			kind = prometheus.CounterValue
		}
		var names, values []string
		for i := 0; i+1 < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, value, values...)
	})
}

// Gauge adds a figure that is read when it is asked for.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Started notes that a first attempt was begun that was due at a time.
func (m *Metrics) Started(due, now time.Time) { m.lateness.Observe(now.Sub(due).Seconds()) }

func (m *Metrics) applied(index uint64) { m.index.Set(float64(index)) }

func (m *Metrics) attempt(e actors.AttemptEnded) {
	outcome := "failed"
	if e.Result.Succeeded {
		outcome = "succeeded"
	}
	m.attempts.WithLabelValues(outcome, string(e.Result.Reason)).Inc()
	if took := e.Result.Finished.Sub(e.Result.Started); !e.Result.Started.IsZero() && took >= 0 {
		m.attemptSeconds.Observe(took.Seconds())
	}
}

func (m *Metrics) event(e *orrerypb.Event) {
	switch e.GetKind() {
	case store.EventExecutionCreated:
		m.fires.WithLabelValues(orrery.CauseKind(e.GetCause()).String()).Inc()
	case store.EventSkipped:
		m.skips.WithLabelValues(e.GetReason()).Inc()
	case store.EventExecutionClosed:
		m.closed.WithLabelValues(orrery.Outcome(e.GetOutcome()).String()).Inc()
	case store.EventAttemptLost:
		m.lost.WithLabelValues(e.GetReason()).Inc()
	}
}
