//go:build !wasip1

package main

import (
	"cmp"
	"os"
	"time"

	"github.com/spf13/cobra"

	"orrery/cmd/internal/client"
)

// connection says whom a command asks.
type connection struct{ cfg client.Config }

// asks makes a command that needs an agent: run gets a client of the one at --addr.
func asks(cmd *cobra.Command, run func(cmd *cobra.Command, c *client.Client, args []string) error) *cobra.Command {
	var to connection
	to.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := to.dial()
		if err != nil {
			return err
		}
		return run(cmd, c, args)
	}
	return cmd
}

func (t *connection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.cfg.Address, "addr", "", "URL of an agent's API (default: ORRERY_ADDR, or http://127.0.0.1:8080)")
	f.StringVar(&t.cfg.Token, "token", "", "token for it (default: ORRERY_TOKEN, which other users of the machine cannot see)")
	f.StringVar(&t.cfg.CAFile, "ca-file", "", "certificates to trust with https (default: ORRERY_CA_FILE, or the system's)")
	f.BoolVar(&t.cfg.SkipVerify, "insecure-skip-verify", false, "trust any certificate, and so anybody between here and there")
	f.DurationVar(&t.cfg.Patience, "patience", 10*time.Second, "how long to try again while nobody can answer")
}

// completionPatience is how long a shell may be kept waiting.
const completionPatience = 2 * time.Second

// dialFlags makes the client that a command's flags ask for.
func dialFlags(cmd *cobra.Command) (*client.Client, error) {
	var t connection
	f := cmd.Flags()
	t.cfg.Address, _ = f.GetString("addr")
	t.cfg.Token, _ = f.GetString("token")
	t.cfg.CAFile, _ = f.GetString("ca-file")
	t.cfg.SkipVerify, _ = f.GetBool("insecure-skip-verify")
	return t.dial()
}

func (t *connection) dial() (*client.Client, error) {
	t.cfg.Address = cmp.Or(t.cfg.Address, os.Getenv("ORRERY_ADDR"), "http://127.0.0.1:8080")
	t.cfg.Token = cmp.Or(t.cfg.Token, os.Getenv("ORRERY_TOKEN"))
	t.cfg.CAFile = cmp.Or(t.cfg.CAFile, os.Getenv("ORRERY_CA_FILE"))
	return client.New(t.cfg)
}
