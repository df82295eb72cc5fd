package disk

import (
	"go.etcd.io/bbolt"

	"orrery/cmd/internal/durable"
)

// All bbolt files of the guest, those of others too, are synced so that only who waits is held
// up. The variable is one that the guest's copy of bbolt has.
func init() { bbolt.SyncFile = durable.Sync }
