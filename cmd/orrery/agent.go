package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/grpclog"

	"orrery/cmd/internal/agent"
	"orrery/cmd/internal/config"
)

func agentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Be a member of the cluster",
		Long: "agent is a member of the cluster: it runs attempts, and with --server also votes and keeps\n" +
			"the state. SIGTERM and Ctrl-C end it in good order, SIGHUP has it read its configuration again.\n" +
			"Each flag is also a key of the configuration file and, in capitals after ORRERY_, a variable\n" +
			"of the environment.",
		Example: "  orrery agent --dev\n  orrery agent --config /etc/orrery/orrery.yml",
		Args:    args(cobra.NoArgs),
	}
	config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		load := func() (config.Config, []string, error) {
			return config.Load(config.Source{Flags: cmd.Flags(), Environ: os.Environ()})
		}
		return runAgent(cmd.Context(), load, cmd.ErrOrStderr())
	}
	return cmd
}

// runAgent is one life of an agent. Its log goes to out.
func runAgent(ctx context.Context, load func() (config.Config, []string, error), out io.Writer) error {
	cfg, notices, err := load()
	if err != nil {
		return exits{exitUsage, err}
	}
	level := new(slog.LevelVar)
	log, err := newLog(out, cfg, level)
	if err != nil {
		return exits{exitUsage, err}
	}
	for _, notice := range notices {
		log.Warn(notice)
	}
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)) // the transport tells what matters
	reload := make(chan config.Config)
	go onHangup(ctx, func() {
		next, _, err := load()
		if err != nil {
			log.Error("configuration not reloaded: all stays as it was", "error", err)
			return
		}
		select {
		case reload <- next:
		case <-ctx.Done():
		}
	})
	o := agent.Options{Config: cfg, Version: release(), Log: log, Level: level, Reload: reload}
	life, err := sandboxed(ctx, &o)
	if err != nil {
		return err
	}
	return agent.Run(life, o)
}

// newLog is the log that cfg asks for.
func newLog(out io.Writer, cfg config.Config, level *slog.LevelVar) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return nil, fmt.Errorf("log-level %q: expected debug, info, warn or error", cfg.LogLevel)
	}
	level.Set(l)
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options)), nil
	}
	return slog.New(slog.NewTextHandler(out, options)), nil
}
