package raftlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// repeatEvery is how often one complaint is repeated: raft says several times a second
// that it does not reach a server that is down.
const repeatEvery = 10 * time.Second

// logTo returns a logger for raft that writes to log.
func logTo(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off})
	l.RegisterSink(&sink{log: log, said: map[string]time.Time{}})
	return l
}

// sink passes on what raft says. Its level is one lower than raft's: what raft calls news
// is what it is made of.
type sink struct {
	log *slog.Logger

	mu   sync.Mutex
	said map[string]time.Time // complaints; raft has some dozens
}

// Accept implements [hclog.SinkAdapter].
func (s *sink) Accept(_ string, level hclog.Level, text string, args ...any) {
	to := slog.LevelDebug
	if level >= hclog.Warn {
		to = slog.LevelWarn
	}
	if !s.log.Enabled(context.Background(), to) || to == slog.LevelWarn && s.saidLately(text) {
		return
	}
	for i, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 {
			args[i] = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		} else if s, ok := a.(fmt.Stringer); ok {
			args[i] = s.String()
		}
	}
	s.log.Log(context.Background(), to, text, args...)
}

func (s *sink) saidLately(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.said[text]) < repeatEvery {
		return true
	}
	s.said[text] = now
	return false
}
