package executor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"orrery"
	"orrery/cmd/internal/executor/spool"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// The processors of output, by the names that jobs call them. Each has Dkron's option
// `forward`: without it, what the record shows is where the output went.
const (
	processorFiles = "files" // writes it to a file below log_dir
	processorLog   = "log"   // writes it to the agent's log
)

// filesDir is where files go without log_dir.
const filesDir = "/var/log/orrery"

// maxLogged bounds what of one attempt goes to the log: its end, as much as Dkron keeps.
const maxLogged = 256_000

func checkProcessors(all map[string]*orrerypb.Processor) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(Processors(), name) {
			return orrery.Invalidf("processor %q: expected one of %s", name, strings.Join(Processors(), ", "))
		}
		if forward := all[name].GetConfig()["forward"]; forward != "" {
			if _, err := strconv.ParseBool(forward); err != nil {
				return orrery.Invalidf("processor %s: forward %q: expected true or false", name, forward)
			}
		}
	}
	return nil
}

// process has the processors do with the output of an ended attempt what is done before
// anybody is told of the end. Why an attempt did not begin stays in the record.
func (s *supervisor) process(p *process) {
	if p.result.Started.IsZero() {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.run.GetProcessors())) {
		config := p.run.GetProcessors()[name].GetConfig()
		var where string
		switch name {
		case processorFiles:
			path, err := s.writeFile(p, config["log_dir"])
			if err != nil {
				s.log.Warn("output was not written to a file", "job", p.run.GetJob(), "attempt", p.id, "error", err)
				continue // the record keeps what there is
			}
			where = path
		case processorLog:
			where = "output in the agent's log"
		}
		if forward, _ := strconv.ParseBool(config["forward"]); !forward {
			p.result.Output, p.result.Truncated = []byte(where), false
		}
	}
}

// writeFile copies an attempt's output to a file of its own.
func (s *supervisor) writeFile(p *process, dir string) (path string, err error) {
	if dir == "" {
		dir = filesDir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(dir, fmt.Sprintf("%s-%v.log", strings.ReplaceAll(p.run.GetJob(), "/", "_"), p.id))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	_, err = s.spool.Reader().Read(p.id, spool.Any, 0, func(r spool.Record) error {
		_, err := f.Write(r.Data)
		return err
	})
	if err == nil || orrery.CodeOf(err) == orrery.NotFound { // it wrote nothing
		return path, f.Close()
	}
	f.Close()
	return "", err
}

// logOutput writes the output of an ended attempt to the log, a line each, if its job says
// so. After a crash of the agent it may do so twice.
func logOutput(log *slog.Logger, from *spool.Spool, run *orrerypb.RunAttempt, r orrery.Result) {
	if run.GetProcessors()[processorLog] == nil {
		return
	}
	id, _ := wire.ToAttempt(run.GetAttempt())
	level := slog.LevelInfo
	if !r.Succeeded {
		level = slog.LevelError
	}
	for _, stream := range []spool.Stream{spool.Stdout, spool.Stderr} {
		text, err := from.Tail(id, stream, maxLogged)
		if err != nil && orrery.CodeOf(err) != orrery.NotFound {
			log.Warn("output cannot be read", "job", run.GetJob(), "attempt", id, "error", err)
		}
		for line := range bytes.Lines(text) {
			log.Log(context.Background(), level, strings.TrimRight(string(line), "\r\n"),
				"job", run.GetJob(), "execution", uint64(id.Execution), "attempt", id.String(), "stream", stream.String())
		}
	}
}
