package gossip

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// How often strangers and lost members may make serf complain: each of its warnings costs
// a line, and anybody who can send packets can cause them.
const (
	complaintsBurst  = 20
	complaintsSecond = 1
)

// serfLog takes the lines of serf and memberlist. What they call information is told by
// us where it matters, so it goes to debug.
type serfLog struct {
	log     *slog.Logger
	limit   *rate.Limiter
	left    atomic.Int64 // complaints that were left out
	closing atomic.Bool  // complaints are about the end itself
}

func newSerfLog(to *slog.Logger) *serfLog {
	return &serfLog{log: to, limit: rate.NewLimiter(complaintsSecond, complaintsBurst)}
}

func (l *serfLog) logger() *log.Logger { return log.New(l, "", 0) }

// levels are the words that serf and memberlist begin lines with.
var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug, "INFO": slog.LevelDebug, "WARN": slog.LevelWarn, "ERR": slog.LevelWarn, "ERROR": slog.LevelWarn,
}

// Write takes one line.
func (l *serfLog) Write(line []byte) (int, error) {
	level, text := slog.LevelDebug, bytes.TrimSpace(line)
	if word, rest, ok := bytes.Cut(text, []byte("] ")); ok && len(word) > 0 && word[0] == '[' {
		if known, ok := levels[string(word[1:])]; ok {
			level, text = known, rest
		}
	}
	if l.closing.Load() {
		level = slog.LevelDebug
	}
	if !l.log.Enabled(context.Background(), level) {
		return len(line), nil
	}
	var attrs []slog.Attr
	if level >= slog.LevelWarn {
		if !l.limit.Allow() {
			l.left.Add(1)
			return len(line), nil
		}
		if n := l.left.Swap(0); n > 0 {
			attrs = append(attrs, slog.Int64("left_out", n))
		}
	}
	l.log.LogAttrs(context.Background(), level, string(text), attrs...)
	return len(line), nil
}
