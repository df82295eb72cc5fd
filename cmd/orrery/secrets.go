//go:build !wasip1

package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orrery/cmd/internal/httpapi"
	"orrery/cmd/internal/trust"
)

// keyBytes makes the gossip speak AES-256.
const keyBytes = 32

func keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen",
		Short: "Make the secret that the members of a cluster share",
		Long:  "keygen prints a new value for the key `encrypt`, the same for all members of a cluster.",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			key := make([]byte, keyBytes)
			rand.Read(key)
			fmt.Fprintln(cmd.OutOrStdout(), base64.StdEncoding.EncodeToString(key))
			return nil
		},
	}
}

func tokenCommand() *cobra.Command {
	return group("token", "Who may use the API", tokenCreateCommand())
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func tokenCreateCommand() *cobra.Command {
	var asked []string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token for the API",
		Long: "create prints a new token, which nothing keeps, and the line by which the members' configuration\n" +
			"knows it. The token stands on stdout, the line on stderr.",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if !tokenName.MatchString(names[0]) {
				return usagef("name %q: expected 1 to 64 letters, digits, '_', '-' and '.'; it stands in the audit log", names[0])
			}
			token := "orrery_" + rand.Text() + rand.Text()
			line := httpapi.TokenLine(names[0], strings.Join(asked, "+"), token)
			if _, err := httpapi.ParseToken(line); err != nil {
				return usagef("--scope: %w", err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), token)
			fmt.Fprintf(cmd.ErrOrStderr(), "above is the token: it is shown this once; clients send it as ORRERY_TOKEN\n"+
				"for the members, in orrery.yml (then SIGHUP) or as a line of api-token-file:\n\napi-token:\n  - %s\n",
				line)
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&asked, "scope", []string{"read"}, "what it is for: read, run (and read), write (and run), admin (all)")
	return cmd
}

func tlsCommand() *cobra.Command {
	return group("tls", "Certificates of an own CA, instead of those that the key derives", tlsCACommand(), tlsCertCommand())
}

const day = 24 * time.Hour

func tlsCACommand() *cobra.Command {
	var dir string
	var days int
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Make a CA",
		Long:  "ca writes ca.pem and ca-key.pem. Members need the first; keep the second from all of them.",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 {
				return usagef("--days %d: expected at least 1", days)
			}
			cert, key, err := trust.WriteCA(dir, time.Duration(days)*day)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s\n", cert, key)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "folder to write into")
	cmd.Flags().IntVar(&days, "days", 3650, "how long it is valid")
	return cmd
}

func tlsCertCommand() *cobra.Command {
	var dir, ca string
	var hosts []string
	var days int
	cmd := &cobra.Command{
		Use:   "cert MEMBER",
		Short: "Issue the certificate of a member",
		Long:  "cert writes MEMBER.pem and MEMBER-key.pem, for tls-cert-file and tls-key-file of the member of that name.",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if days < 1 {
				return usagef("--days %d: expected at least 1", days)
			}
			cert, key, err := trust.WriteCert(ca, dir, trust.Certificate{Member: names[0], Hosts: hosts, Valid: time.Duration(days) * day})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s\n", cert, key)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "folder to write into")
	cmd.Flags().StringVar(&ca, "ca", ".", "folder of ca.pem and ca-key.pem")
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "host name or address that the certificate serves the API for; may be given again")
	cmd.Flags().IntVar(&days, "days", 365, "how long it is valid")
	return cmd
}
