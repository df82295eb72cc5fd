//go:build !wasip1

package raftlog

import (
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/types"
)

// folder is how raft-wal reaches its files.
func folder() types.VFS { return fs.New() }
