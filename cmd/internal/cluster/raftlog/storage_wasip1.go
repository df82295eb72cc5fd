package raftlog

import "github.com/hashicorp/go-hclog"

// openFile opens the log on BuntDB: raft-wal stands on bbolt, which does not build here.
func openFile(dir string, _ hclog.Logger) (logFile, error) { return openBunt(dir) }
