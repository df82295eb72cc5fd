//go:build !wasip1

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"orrery/cmd/internal/client"
	"orrery/proto/orrerypb"
	"orrery/store"
)

func snapshotCommand() *cobra.Command {
	return group("snapshot", "The cluster's whole state in a file", snapshotSaveCommand(), snapshotRestoreCommand(), snapshotInspectCommand())
}

func snapshotSaveCommand() *cobra.Command {
	return asks(&cobra.Command{
		Use:   "save FILE",
		Short: "Write a snapshot of now into a file; - is stdout",
		Long:  "save writes the state of the cluster as it is now. The file appears under its name once it is\nwhole and was read again.",
		Args:  args(cobra.ExactArgs(1)),
	}, func(cmd *cobra.Command, c *client.Client, files []string) error {
		if files[0] == "-" {
			return c.Snapshot(cmd.Context(), cmd.OutOrStdout())
		}
		about, err := save(cmd.Context(), c, files[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d jobs, %d executions, %d bytes, index %d\n", files[0], about.Jobs, about.Executions, about.Bytes, about.Index)
		return nil
	})
}

// save writes beside the file first, so that a snapshot that ends early never bears its
// name.
func save(ctx context.Context, c *client.Client, path string) (about snapshotAbout, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return about, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err = errors.Join(c.Snapshot(ctx, f), f.Sync(), f.Close()); err != nil {
		return about, err
	}
	if about, err = inspect(f.Name()); err != nil {
		return about, fmt.Errorf("what came is no snapshot: %w", err)
	}
	return about, os.Rename(f.Name(), path)
}

func snapshotRestoreCommand() *cobra.Command {
	var force bool
	cmd := asks(&cobra.Command{
		Use:   "restore FILE",
		Short: "Replace the cluster's state by a snapshot",
		Long: "restore replaces all jobs, executions and settings of the cluster by those of the snapshot. What was\n" +
			"written since it was taken is lost. Attempts that run now are foreign to the restored state.",
		Args: args(cobra.ExactArgs(1)),
	}, func(cmd *cobra.Command, c *client.Client, files []string) error {
		about, err := inspect(files[0])
		if err != nil {
			return err
		}
		if !force {
			return usagef("%s holds %d jobs as of index %d: say --force to replace the state of the cluster by it", files[0], about.Jobs, about.Index)
		}
		f, err := os.Open(files[0])
		if err != nil {
			return err
		}
		defer f.Close()
		if err := c.RestoreSnapshot(cmd.Context(), f); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "restored %d jobs and %d executions\n", about.Jobs, about.Executions)
		return nil
	})
	cmd.Flags().BoolVar(&force, "force", false, "do it")
	return cmd
}

// snapshotAbout is what a snapshot says of itself.
type snapshotAbout struct {
	Index      uint64    `json:"index"`
	Term       uint64    `json:"term"`
	Version    uint32    `json:"version"` // of Apply
	At         time.Time `json:"at"`      // the leader's stamp on what was written last
	Jobs       uint64    `json:"jobs"`
	Executions uint64    `json:"executions"`
	Records    int       `json:"records"`
	Bytes      int64     `json:"bytes"`
	Hash       string    `json:"hash"`
}

func snapshotInspectCommand() *cobra.Command {
	var s shape
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Read a snapshot, check it, and say what it holds",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			return show(cmd, s, func(context.Context) (snapshotAbout, error) { return inspect(files[0]) }, aboutTable)
		},
	}
	s.flags(cmd, false)
	return cmd
}

func aboutTable(a snapshotAbout) table {
	t := table{columns: []string{"INDEX", strconv.FormatUint(a.Index, 10)}}
	t.add("TERM", strconv.FormatUint(a.Term, 10))
	t.add("VERSION", strconv.FormatUint(uint64(a.Version), 10))
	t.add("AT", instant(a.At))
	t.add("JOBS", strconv.FormatUint(a.Jobs, 10))
	t.add("EXECUTIONS", strconv.FormatUint(a.Executions, 10))
	t.add("RECORDS", strconv.Itoa(a.Records))
	t.add("BYTES", strconv.FormatInt(a.Bytes, 10))
	t.add("HASH", a.Hash)
	return t
}

// inspect reads the whole snapshot, as a server would that restores it.
func inspect(path string) (about snapshotAbout, err error) {
	f, err := os.Open(path)
	if err != nil {
		return about, err
	}
	defer f.Close()
	state, err := store.Open()
	if err != nil {
		return about, err
	}
	defer state.Close()
	counted := &counter{from: f}
	if err := state.Restore(bufio.NewReader(counted)); err != nil {
		return about, fmt.Errorf("%s: %w", path, err)
	}
	total := func(r *orrerypb.Request) uint64 { return state.Answer(r).GetTotal() }
	records, _ := state.Rows()
	about = snapshotAbout{
		Index: state.Index(), Term: state.Term(), Version: state.Meta().GetVersion(),
		Jobs:       total(&orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{Limit: 1}}}),
		Executions: total(&orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: &orrerypb.ListExecutionsRequest{Limit: 1}}}),
		Records:    records, Bytes: counted.n, Hash: fmt.Sprintf("%016x", state.Hash()),
	}
	if at := state.Meta().GetLastAtNs(); at != 0 {
		about.At = time.Unix(0, at).UTC()
	}
	return about, nil
}

type counter struct {
	from io.Reader
	n    int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.n += int64(n)
	return n, err
}
