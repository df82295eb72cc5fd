//go:build !wasip1

package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/client"
)

func memberCommand() *cobra.Command {
	return group("member", "The members of the cluster", memberListCommand(), memberLeaveCommand(), memberRemoveCommand())
}

func memberListCommand() *cobra.Command {
	var s shape
	cmd := asks(&cobra.Command{
		Use:   "list",
		Short: "List the members, as the one that is asked knows them",
		Args:  args(cobra.NoArgs),
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		return show(cmd, s, c.Members, memberTable)
	})
	s.flags(cmd, true)
	return cmd
}

func memberTable(members []api.Member) table {
	t := table{columns: []string{"NAME", "ADDRESS", "STATUS", "SERVER", "EXECUTORS", "VERSION", "TAGS"}}
	for _, m := range members {
		t.add(m.Name, net.JoinHostPort(m.Addr, strconv.Itoa(int(m.Port))), m.StatusText, yes(m.Server), or(strings.Join(m.Executors, ",")), or(m.Version), or(pairs(m.Tags)))
	}
	return t
}

func pairs(m map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, key+"="+m[key])
	}
	return strings.Join(all, ",")
}

func memberLeaveCommand() *cobra.Command {
	return asks(&cobra.Command{
		Use:   "leave",
		Short: "Make the member that is asked leave the cluster, and stop",
		Args:  args(cobra.NoArgs),
	}, leave)
}

// leaveCommand is how Dkron calls member leave.
func leaveCommand() *cobra.Command {
	return asks(&cobra.Command{
		Use:   "leave",
		Short: "The same as member leave",
		Args:  args(cobra.NoArgs),
	}, leave)
}

func leave(cmd *cobra.Command, c *client.Client, _ []string) error {
	if err := c.Leave(cmd.Context()); err != nil {
		return err
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "it leaves")
	return nil
}

func memberRemoveCommand() *cobra.Command {
	return asks(&cobra.Command{
		Use:               "remove NAME",
		Short:             "Say that a failed member will not come back",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeNames(memberNames),
	}, func(cmd *cobra.Command, c *client.Client, names []string) error {
		if err := c.RemoveMember(cmd.Context(), names[0]); err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), names[0], "is removed")
		return nil
	})
}

func memberNames(ctx context.Context, c *client.Client) ([]string, error) {
	members, err := c.Members(ctx)
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.Name
	}
	return names, err
}

func raftCommand() *cobra.Command {
	return group("raft", "The servers that keep the log", raftListCommand(), raftRemoveCommand(), raftTransferCommand())
}

func raftListCommand() *cobra.Command {
	var s shape
	cmd := asks(&cobra.Command{
		Use:   "list-peers",
		Short: "List the servers of the log",
		Args:  args(cobra.NoArgs),
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		return show(cmd, s, c.Peers, peerTable)
	})
	s.flags(cmd, true)
	return cmd
}

// peerTable has the columns that Dkron's has.
func peerTable(peers []api.Peer) table {
	t := table{columns: []string{"Node", "ID", "Address", "State", "Voter"}}
	for _, p := range peers {
		state := "follower"
		if p.Leader {
			state = "leader"
		}
		t.add(p.Node, p.ID, p.Address, state, strconv.FormatBool(p.Voter))
	}
	return t
}

func raftRemoveCommand() *cobra.Command {
	var id string
	cmd := asks(&cobra.Command{
		Use:   "remove-peer",
		Short: "Take a server that is gone for good from the log",
		Args:  args(cobra.NoArgs),
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		if id == "" {
			return usagef("--peer-id: missing: expected an ID that raft list-peers shows")
		}
		if err := c.RemovePeer(cmd.Context(), id); err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), id, "is removed")
		return nil
	})
	cmd.Flags().StringVar(&id, "peer-id", "", "ID of the server")
	return cmd
}

func raftTransferCommand() *cobra.Command {
	return asks(&cobra.Command{
		Use:   "transfer-leader",
		Short: "Make the leader hand over to another server",
		Args:  args(cobra.NoArgs),
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		if err := c.TransferLeader(cmd.Context()); err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "the leader hands over")
		return nil
	})
}

func healthCommand() *cobra.Command {
	var leader bool
	cmd := asks(&cobra.Command{
		Use:   "health",
		Short: "Ask whether a member serves; the exit code says it too",
		Args:  args(cobra.NoArgs),
	}, func(cmd *cobra.Command, c *client.Client, _ []string) error {
		h, err := c.Ready(cmd.Context())
		if err != nil {
			return err
		}
		if leader && !h.Leader {
			return orrery.Errorf(orrery.Unavailable, "it does not lead")
		}
		fmt.Fprintln(cmd.OutOrStdout(), h.Status)
		return nil
	})
	cmd.Flags().BoolVar(&leader, "leader", false, "ask whether it leads, too")
	return cmd
}
