// Package api holds what the HTTP API says in JSON, and the command line in YAML: jobs,
// executions, members, as Dkron knows them and with what Orrery adds, and their total
// conversions to and from the words of package orrery. It does no input and no output.
package api
