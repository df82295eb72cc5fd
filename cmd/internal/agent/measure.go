package agent

import (
	"context"
	"strconv"
	"strings"
	"time"

	"orrery/actors"
	"orrery/proto/orrerypb"
)

// measure adds the figures of the parts to the metrics.
func (m *member) measure() {
	metrics := m.observer.Metrics
	metrics.Gauge("orrery_attempts_running", "Attempts that run on this member.", func() float64 { return float64(m.executor.Count()) })
	metrics.Gauge("orrery_leader", "1 while this member leads.", func() float64 {
		if m.leader.get() == m.name {
			return 1
		}
		return 0
	})
	for status, word := range map[actors.MemberStatus]string{actors.MemberAlive: "alive", actors.MemberFailed: "failed", actors.MemberLeft: "left"} {
		metrics.Gauge("orrery_members_"+word, "Members that the gossip calls "+word+".", func() float64 {
			n := 0
			for _, info := range m.gossip.Members() {
				if info.Status == status {
					n++
				}
			}
			return float64(n)
		})
	}
	metrics.Collect(func(set func(name, help string, counter bool, value float64, labels ...string)) {
		s := m.transport.Stats()
		set("orrery_frames_sent_total", "Frames sent to other members.", true, float64(s.Sent))
		set("orrery_frames_received_total", "Frames received from other members.", true, float64(s.Received))
		set("orrery_handshakes_refused_total", "Connections of strangers, or of too many at once.", true, float64(s.Refused))
		set("orrery_peers_connected", "Members to which frames go now.", false, float64(s.Connected))
		set("orrery_frames_queued", "Frames that wait for a connection or for room on it.", false, float64(s.Queued))
		set("orrery_frames_queued_bytes", "Bytes of them.", false, float64(s.QueuedBytes))
		for reason, n := range s.Dropped {
			set("orrery_frames_dropped_total", "Frames dropped, by reason.", true, float64(n), "reason", reason)
		}
		if m.raft == nil {
			return
		}
		for name, text := range m.raft.Stats() {
			if n, err := strconv.ParseFloat(text, 64); err == nil {
				set("orrery_raft_"+strings.ReplaceAll(name, "-", "_"), "The log's own figure.", false, n)
			}
		}
	})
	if m.raft != nil {
		metrics.Gauge("orrery_executions_open", "Executions that have not ended, in the whole cluster.", m.openExecutions)
	}
}

// openExecutions asks the own state.
func (m *member) openExecutions() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	response, err := m.ask(ctx, &orrerypb.Request{Body: &orrerypb.Request_ListExecutions{
		ListExecutions: &orrerypb.ListExecutionsRequest{Open: true, Limit: 1},
	}})
	if err != nil {
		return -1
	}
	return float64(response.GetTotal())
}
